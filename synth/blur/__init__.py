"""Shift-variant blur: every point of the scene spreads its own light over the sensor.

In reading order:

- ``operator``      the blur of a bank for a frame of its sensor, and its exact adjoint
- ``parts``         the blur of a frame that is too large for one operator
- ``image_frame``   the part of the sensor that is imaged, and the scene around it
- ``halo``          splits a function into a sharp core and a halo on a coarser grid
- ``core_and_halo``  blur by cores and halos, and resampling between their grids
- ``flat_field_balance``  factors that conserve the image of a uniform scene and the flux of every point
- ``low_rank_fit``  variation of the functions over a block of the scene, as a sum of few waves
- ``block_convolution``  convolution with such sums, one local Fourier transform per block
- ``warp``          geometric distortion and lateral colour
- ``illumination``  natural vignetting
"""

from metalens.psf.interpolation.linear_weights import linear_weights
from metalens.synth.blur.operator import (
    BlurReport,
    BlurSettings,
    ShiftVariantBlur,
    blur,
    blur_adjoint,
    shift_variant_blur,
)
from metalens.synth.blur.parts import blur_in_parts

__all__ = [
    "BlurReport",
    "BlurSettings",
    "ShiftVariantBlur",
    "blur",
    "blur_adjoint",
    "blur_in_parts",
    "linear_weights",
    "shift_variant_blur",
]
