"""Blur by the core of each PSF on the pixel grid and its halo on a coarser grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.pytree import register_dataclass
from metalens.synth.blur.block_convolution import BlockBlur, convolve_blocks, gather
from metalens.synth.blur.halo import enlarge, shrink
from metalens.synth.blur.image_frame import Frame


@partial(register_dataclass, data_fields=["core", "halo"], meta_fields=["frame", "halo_scale", "halo_kernel"])
@dataclass(frozen=True)
class Levels:
    """Cores and halos of the PSFs of a frame, prepared for blurring.

    Attributes:
        core: cores of the PSFs on the frame's pixels.
        halo: their halos on a coarser grid; ``None`` without.
        frame: the part of the sensor, and the margin of the scene around it.
        halo_scale: pixels per sample of the halo.
        halo_kernel: rows, columns of the halo's kernels.
    """

    core: BlockBlur
    halo: BlockBlur | None
    frame: Frame
    halo_scale: int
    halo_kernel: tuple[int, int]

    @property
    def rounding(self) -> float:
        """RMS rounding error of the transforms, for scenes with values in 0..1."""
        # A sample of the halo represents the light of scale² pixels, and is spread over as many.
        halo = 0.0 if self.halo is None else self.halo_scale**2 * self.halo.rounding
        return float(np.hypot(self.core.rounding, halo))


@jax.jit
def spread(levels: Levels, planes: jax.Array) -> jax.Array:
    """Blur the continued scene onto the frame.

    Args:
        levels: cores and halos of the functions.
        planes: ``[channel, y, x]`` light of the continued scene.

    Returns:
        ``[channel, y, x]`` light on the frame's pixels.
    """
    frame, (rows, columns) = levels.frame, levels.frame.pixels
    kernel = levels.core.kernel
    light = convolve_blocks(levels.core, frame.core_part(planes, kernel))
    image = light[:, kernel[0] - 1 : kernel[0] - 1 + rows, kernel[1] - 1 : kernel[1] - 1 + columns]
    if levels.halo is not None:
        coarse = convolve_blocks(levels.halo, shrink(frame.halo_part(planes, levels.halo_scale), levels.halo_scale))
        image = image + _on_pixels(levels, coarse)
    return image


@jax.jit
def spread_adjoint(levels: Levels, image: jax.Array) -> jax.Array:
    """Exact adjoint of :func:`spread`.

    Args:
        levels: cores and halos of the functions.
        image: ``[channel, y, x]`` on the frame's pixels.

    Returns:
        ``[channel, y, x]`` on the continued scene.
    """
    frame, core, halo, scale = levels.frame, levels.core, levels.halo, levels.halo_scale
    planes = (image.shape[0], *frame.continued_pixels)
    edges = [(0, 0), *((side - 1, side - 1) for side in core.kernel)]
    light = gather(core, jnp.pad(image, edges))
    found = _transposed(lambda each: frame.core_part(each, core.kernel), planes, light)
    if halo is None:
        return found
    coarse = _transposed(lambda each: _on_pixels(levels, each), (image.shape[0], *halo.reached), image)
    part = enlarge(gather(halo, coarse), scale)
    return found + _transposed(lambda each: frame.halo_part(each, scale), planes, part)


def _transposed(linear: Callable[[jax.Array], jax.Array], shape: tuple[int, ...], found: jax.Array) -> jax.Array:
    (given,) = jax.linear_transpose(linear, jax.ShapeDtypeStruct(shape, found.dtype))(found)
    return jnp.asarray(given)


def _on_pixels(levels: Levels, coarse: jax.Array) -> jax.Array:
    """Bring the scattered halo samples back to the frame's pixels."""
    scale, (rows, columns) = levels.halo_scale, levels.frame.pixels
    first, counts = halo_samples(levels.frame, scale, levels.halo_kernel)
    samples = coarse[:, first[0] : first[0] + counts[0], first[1] : first[1] + counts[1]]
    return enlarge(samples, scale)[:, :rows, :columns]


def halo_samples(frame: Frame, scale: int, halo_kernel: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Samples of the blurred halo grid that contribute to the frame's pixels.

    Args:
        frame: the part of the sensor.
        scale: pixels per sample of the halo.
        halo_kernel: rows, columns of the halo's kernels.

    Returns:
        First row and column, and numbers of rows and columns.
    """
    first = [margin // scale + side // 2 for margin, side in zip(frame.halo_margin(scale), halo_kernel, strict=True)]
    counts = [-(-length // scale) + 3 for length in frame.pixels]
    return (first[0], first[1]), (counts[0], counts[1])
