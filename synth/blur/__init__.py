"""Shift-variant blur: every point of the scene spreads its own light over the sensor.

In reading order:

- ``operator``      the blur of a bank for a frame of its sensor, and its exact adjoint
- ``image_frame``   the part of the sensor that is imaged, and the scene around it
- ``linear_weights``  weights between the nodes of a grid or of scattered nodes
- ``radius``        a symmetric lens' functions at any place, from those along a radius
- ``rotation``      a function turned about its middle
- ``functions``     the functions of any bank at any place of the sensor, and how far they are known
- ``halo``          a function as a sharp core and a halo that a coarser grid holds
- ``core_and_halo``  the core's and the halo's levels, and how light goes between their grids
- ``flat_field_balance``  what a flat scene becomes, and the scalings that keep it and the light of every point
- ``low_rank_fit``  how the functions vary over a block of the scene: a short sum of waves
- ``block_convolution``  convolution by such sums, one local Fourier transform a block
- ``warp``          geometric distortion and lateral colour
- ``illumination``  natural vignetting
"""

from metalens.synth.blur.linear_weights import linear_weights
from metalens.synth.blur.operator import (
    BlurReport,
    BlurSettings,
    ShiftVariantBlur,
    blur,
    blur_adjoint,
    shift_variant_blur,
)

__all__ = [
    "BlurReport",
    "BlurSettings",
    "ShiftVariantBlur",
    "blur",
    "blur_adjoint",
    "linear_weights",
    "shift_variant_blur",
]
