"""The colour sensor in the terms of EMVA 1288 (release 4.0), and the development of its raw frame.

    light → mosaic → electrons → crosstalk → shot noise and dark current, DSNU → full well → read noise
          → PRNU, rows and columns → gain → black level → quantise → clip
    raw frame → black level → white balance → demosaic → colour matrix → gamma

Files, in reading order:

- ``exposure``         how many electrons a white scene brings
- ``bayer``            which colour a pixel sees, and filling in the other two
- ``demosaicing``      how: the three methods
- ``fixed_pattern``    what belongs to a camera and is the same in all its shots
- ``chain``            from light to the raw frame: what is drawn in each shot
- ``development``      from the raw frame to the picture
- ``photon_transfer``  the way back: gain, noise and full well from flat fields

Random numbers are NumPy's, whose Poisson draws take a tenth of the time of JAX's on a processor.
"""

from metalens.synth.sensor.bayer import Demosaicing, bayer_channels, demosaic
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
