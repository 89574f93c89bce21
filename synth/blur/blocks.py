"""Convolution by functions that vary over the field, block by block, at the price of one Fourier transform each.

Within a block of the scene the functions are a short sum of waves over the place s (``waves`` finds their kernels):

    h(s) = Σₖ exp(2πi k·s/F) Hₖ

A product with a wave whose period F is the transform's length only shifts the block's spectrum by k samples, so that

    image = F⁻¹[ Σₖ Ĥₖ(f) · X(f − k) ]

takes one transform of the block and one back, whatever the number of waves. The block is half a period or more of
the waves, never a whole one, so that functions which are not periodic have a short sum as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import fft, next_fast_len

Waves = tuple[tuple[int, int], ...]
"""Periods (k_y, k_x) of each wave over the transform's length; with each one its negative."""

SHORTEST = 8
"""Samples of a transform at least: spectra are shifted by up to two."""


@partial(
    jax.tree_util.register_dataclass, data_fields=["transform"], meta_fields=["waves", "block", "kernel", "pixels"]
)
@dataclass(frozen=True)
class BlockBlur:
    """Kernels made ready to scatter the light of scenes of one size.

    Attributes:
        transform: ``[block_y, wave, block_x, channel, frequency_y, frequency_x]`` complex64 transforms of the kernels.
        waves: of each kernel.
        block: rows, columns of the scene in a block.
        kernel: rows, columns of the kernels.
        pixels: rows, columns of the scene.
    """

    transform: jax.Array
    waves: Waves
    block: tuple[int, int]
    kernel: tuple[int, int]
    pixels: tuple[int, int]


def transform_length(block: int, kernel: int) -> int:
    """An even length that holds a block convolved with a kernel and has a fast Fourier transform."""
    return 2 * int(next_fast_len(max(SHORTEST // 2, (block + kernel) // 2), real=True))


def block_blur(kernels: np.ndarray, waves: Waves, block: tuple[int, int], pixels: tuple[int, int]) -> BlockBlur:
    """Transform kernels ``[block_y, block_x, wave, channel, y, x]`` complex for scenes of ``pixels``."""
    kernel = (kernels.shape[-2], kernels.shape[-1])
    size = [transform_length(*lengths) for lengths in zip(block, kernel, strict=True)]
    half = size[1] // 2 + 1
    rows = []
    for row in kernels.astype(np.complex64):
        # Row by row: what lies between the two passes would be the largest array of all.
        transform = fft(fft(row, size[1])[..., :half], size[0], axis=-2)
        rows.append(np.moveaxis(transform, 1, 0))
    return BlockBlur(jnp.asarray(np.stack(rows)), waves, block, kernel, pixels)


def scatter(operator: BlockBlur, scene: jax.Array) -> jax.Array:
    """Spread the light of every point of a scene.

    Args:
        operator: from :func:`block_blur`.
        scene: ``[channel, y, x]`` float32 of the operator's size.

    Returns:
        ``[channel, y + kernel_y − 1, x + kernel_x − 1]``: sample 0 is that of a point at 0 and a kernel's sample 0.
    """
    count = (operator.transform.shape[0], operator.transform.shape[2])
    tall, wide = (blocks * length for blocks, length in zip(count, operator.block, strict=True))
    rows, columns = operator.pixels
    padded = jnp.pad(scene, ((0, 0), (0, tall - rows), (0, wide - columns)))
    strips = padded.reshape(scene.shape[0], count[0], operator.block[0], wide).swapaxes(0, 1)

    def one_row(_: None, row: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        return None, _scatter_row(operator, *row)

    parts = jax.lax.scan(one_row, None, (strips, operator.transform))[1]
    image = _overlap_add(parts.transpose(1, 3, 0, 2), operator.block[0]).swapaxes(1, 2)
    height, width = rows + operator.kernel[0] - 1, columns + operator.kernel[1] - 1
    return image[:, :height, :width]


def _scatter_row(operator: BlockBlur, strip: jax.Array, transform: jax.Array) -> jax.Array:
    """Scatter a row of blocks ``[channel, y, x]``; returns ``[channel, frequency_y samples, x]``."""
    channels, height, _ = strip.shape
    width, count = operator.block[1], transform.shape[1]
    size = (transform.shape[-2], 2 * (transform.shape[-1] - 1))
    blocks = strip.reshape(channels, height, count, width).transpose(2, 0, 1, 3)
    reach = max(max(abs(period) for period in wave) for wave in operator.waves)
    spectrum = _extended(jnp.fft.rfft2(blocks, size), reach)
    rows, columns = transform.shape[-2:]
    total = jnp.zeros(transform.shape[1:], dtype=jnp.complex64)
    for kernel, (period_y, period_x) in zip(transform, operator.waves, strict=True):
        top, left = reach - period_y, reach - period_x
        total = total + kernel * spectrum[..., top : top + rows, left : left + columns]
    parts = jnp.fft.irfft2(total, size)
    return _overlap_add(parts.transpose(1, 2, 0, 3), width)


def _extended(spectrum: jax.Array, reach: int) -> jax.Array:
    """Continue the half of a real signal's spectrum by ``reach`` samples on all sides; the length is even."""
    if reach == 0:
        return spectrum
    last = spectrum.shape[-1] - 1
    left = _mirrored(spectrum[..., reach:0:-1])
    right = _mirrored(spectrum[..., last - 1 : last - 1 - reach : -1])
    wide = jnp.concatenate([left, spectrum, right], axis=-1)
    return jnp.concatenate([wide[..., -reach:, :], wide, wide[..., :reach, :]], axis=-2)


def _mirrored(columns: jax.Array) -> jax.Array:
    """The conjugate at the negative frequencies of y."""
    return jnp.conj(jnp.roll(columns[..., ::-1, :], 1, axis=-2))


def _overlap_add(parts: jax.Array, step: int) -> jax.Array:
    """Add ``[..., part, sample]`` up, each ``step`` samples after the one before; ``[..., sample]``."""
    *leading, count, length = parts.shape
    pieces = -(-length // step)
    total = jnp.zeros((*leading, count + pieces - 1, step), dtype=parts.dtype)
    nothing = [(0, 0)] * len(leading)
    for piece in range(pieces):
        part = parts[..., piece * step : (piece + 1) * step]
        short = step - part.shape[-1]
        total = total + jnp.pad(part, [*nothing, (piece, pieces - 1 - piece), (0, short)])
    return total.reshape(*leading, -1)
