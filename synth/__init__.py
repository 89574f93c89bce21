"""From clean photographs and a camera's point spread functions to training pairs.

In reading order:

- ``photographs``           a photograph with its licence and credit
- ``embedded_photographs``  photographs inside installed wheels, split into train and held out
- ``hub_photographs``       photographs of a dataset on the model hub, pulled one by one
- ``photograph_sources``    photographs as a user names them: files, folders, embedded sets, datasets on the hub
- ``blur``                  shift-variant blur with a bank of point spread functions, and its adjoint
- ``sensor``                sensor: electrons, noise, Bayer pattern; development; calibration
- ``dataset``               training set: crops, samples, shards
- ``generate``              the complete simulation: a folder of pairs
- ``alignment``             captured pairs, from a screen in front of a camera

``embedded_photographs`` and ``blur`` are functions in the files of the same names; import them from there.
"""

from metalens.synth.blur import ShiftVariantBlur, shift_variant_blur
from metalens.synth.generate import (
    Execution,
    PairsOptions,
    PairsReport,
    PairsSettings,
    SimulatedCamera,
    generate_pairs,
    photograph_scene,
    simulated_camera,
)
from metalens.synth.photographs import Photograph, find_photographs

__all__ = [
    "Execution",
    "PairsOptions",
    "PairsReport",
    "PairsSettings",
    "Photograph",
    "ShiftVariantBlur",
    "SimulatedCamera",
    "find_photographs",
    "generate_pairs",
    "photograph_scene",
    "shift_variant_blur",
    "simulated_camera",
]
