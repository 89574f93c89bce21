"""The colour sensor in the terms of EMVA 1288 (release 4.0), and the development of its raw frame.

    light → mosaic → electrons → crosstalk → shot noise and dark current, DSNU → full well → read noise
          → PRNU, rows and columns → gain → black level → quantise → clip
    raw frame → black level → white balance → demosaic → colour matrix → gamma

Files, in reading order:

- ``exposure``         how many electrons a white scene brings
- ``fixed_pattern``    fixed patterns of a camera, equal in all its shots
- ``chain``            from light to the raw frame, with the noise of each shot
- ``development``      from the raw frame to the picture
- ``photon_transfer``  calibration: gain, noise and full well from flat fields

The Bayer pattern and demosaicing are those of :mod:`metalens.formats.pictures.bayer`.

Random numbers are NumPy's, whose Poisson draws take a tenth of the time of JAX's on a processor.
"""

from metalens.formats.pictures.bayer import Demosaicing, bayer_channels, demosaic
from metalens.synth.sensor.chain import MAXIMUM_ELECTRONS, expose
from metalens.synth.sensor.development import develop
from metalens.synth.sensor.exposure import Exposure, exposure_for
from metalens.synth.sensor.fixed_pattern import CameraFixedPattern, fixed_pattern
from metalens.synth.sensor.photon_transfer import SensorCalibration, calibrate_sensor

__all__ = [
    "MAXIMUM_ELECTRONS",
    "CameraFixedPattern",
    "Demosaicing",
    "Exposure",
    "SensorCalibration",
    "bayer_channels",
    "calibrate_sensor",
    "demosaic",
    "develop",
    "expose",
    "exposure_for",
    "fixed_pattern",
]
