"""Pixel-aligned pairs from captures of a screen with a real camera.

    dots on a screen → their centres on the sensor → their labels → homography and distortion
    dark, white, grey and coloured screens → the light of any displayed picture
    displayed picture → on the sensor's grid ↔ its capture: checked, and a pair

Files, in reading order:

- ``target``          the grid of dots that is displayed
- ``screens``         pictures to display: target, greys, colours, and photographs cut to the display
- ``frames``          captures as linear light
- ``dots``            centres of dots in a capture
- ``labelling``       matches dots of a capture to dots of the target
- ``mapping``         map from the sensor to the display: a distortion, then a homography
- ``model_choice``    choice of the distortion model by cross-validation
- ``photometry``      the display's light in the camera's channels
- ``warp``            the displayed picture on the sensor's grid
- ``checks``          displacement and sharpness of a capture against the calibration
- ``calibration``     the complete calibration of a rig
- ``captured_pairs``  a folder of pairs
- ``pictures``        the calibration's residuals, drawn
- ``simulated_rig``   captures with known ground truth
- ``rehearsal``       a folder of simulated captures

The decisions are in docs/adr/0018-captured-pairs.md.
"""

from metalens.synth.alignment.calibration import RigCalibration, calibrate_rig
from metalens.synth.alignment.captured_pairs import AlignmentReport, CaptureFigures, align_captures
from metalens.synth.alignment.simulated_rig import SimulatedRig, simulated_rig
from metalens.synth.alignment.target import DotTarget

__all__ = [
    "AlignmentReport",
    "CaptureFigures",
    "DotTarget",
    "RigCalibration",
    "SimulatedRig",
    "align_captures",
    "calibrate_rig",
    "simulated_rig",
]
