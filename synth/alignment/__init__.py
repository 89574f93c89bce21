"""Pixel-aligned pairs from captures of a screen, for those with a camera.

    dots on a screen → their centres on the sensor → which is which → homography and distortion
    dark, white, grey and coloured screens → the light of any displayed picture
    displayed picture → on the sensor's grid ↔ its capture: checked, and a pair

Files, in reading order:

- ``target``          the grid of dots that is displayed
- ``screens``         all that is displayed: the target, greys, colours, and photographs cut to the display
- ``frames``          captures as linear light
- ``dots``            centres of dots in a capture
- ``labelling``       which dot is which
- ``mapping``         from the sensor to the display: a distortion, then a homography
- ``model_choice``    how much distortion the dots can tell
- ``photometry``      the display's light in the camera's channels
- ``warp``            the displayed picture on the sensor's grid
- ``checks``          whether a capture moved or lost its sharpness
- ``calibration``     all of it for one rig
- ``captured_pairs``  a folder of pairs
- ``pictures``        the calibration's residuals, drawn
- ``simulated_rig``   captures whose truth is known
- ``rehearsal``       a folder of them

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
