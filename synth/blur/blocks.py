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

    @property
    def reached(self) -> tuple[int, int]:
        """Rows, columns of the scattered light."""
        return (self.pixels[0] + self.kernel[0] - 1, self.pixels[1] + self.kernel[1] - 1)


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
    return image[:, : operator.reached[0], : operator.reached[1]]


def gather(operator: BlockBlur, image: jax.Array) -> jax.Array:
    """Apply the exact adjoint of :func:`scatter`.

    Args:
        operator: from :func:`block_blur`.
        image: ``[channel, y + kernel_y − 1, x + kernel_x − 1]`` float32.

    Returns:
        ``[channel, y, x]`` of the scene.
    """
    counts = (operator.transform.shape[0], operator.transform.shape[2])
    size = _size(operator.transform)
    lengths = [(n - 1) * step + side for n, step, side in zip(counts, operator.block, size, strict=True)]
    widths = [max(whole - length, 0) for whole, length in zip(lengths, image.shape[1:], strict=True)]
    padded = jnp.pad(image, ((0, 0), (0, widths[0]), (0, widths[1])))

    def one_row(_: None, given: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        row, transform = given
        strip = jax.lax.dynamic_slice_in_dim(padded, row * operator.block[0], size[0], axis=1)
        return None, _gather_row(operator, strip, transform)

    strips = jax.lax.scan(one_row, None, (jnp.arange(counts[0]), operator.transform))[1]
    scene = strips.swapaxes(0, 1).reshape(image.shape[0], -1, strips.shape[-1])
    return scene[:, : operator.pixels[0], : operator.pixels[1]]


def _size(transform: jax.Array) -> tuple[int, int]:
    """Rows, columns of what is transformed."""
    return (transform.shape[-2], 2 * (transform.shape[-1] - 1))


def _reach(waves: Waves) -> int:
    return max(max(abs(period) for period in wave) for wave in waves)


def _scatter_row(operator: BlockBlur, strip: jax.Array, transform: jax.Array) -> jax.Array:
    """Scatter a row of blocks ``[channel, y, x]``; returns ``[channel, frequency_y samples, x]``."""
    channels, height, _ = strip.shape
    width, count, size = operator.block[1], transform.shape[1], _size(transform)
    blocks = strip.reshape(channels, height, count, width).transpose(2, 0, 1, 3)
    reach = _reach(operator.waves)
    spectrum = _extended(jnp.fft.rfft2(blocks, size), reach)
    rows, columns = transform.shape[-2:]
    total = jnp.zeros(transform.shape[1:], dtype=jnp.complex64)
    for kernel, (period_y, period_x) in zip(transform, operator.waves, strict=True):
        top, left = reach - period_y, reach - period_x
        total = total + kernel * spectrum[..., top : top + rows, left : left + columns]
    parts = jnp.fft.irfft2(total, size)
    return _overlap_add(parts.transpose(1, 2, 0, 3), width)


def _gather_row(operator: BlockBlur, strip: jax.Array, transform: jax.Array) -> jax.Array:
    """Gather what a row of blocks scattered to ``[channel, y, x]``; returns ``[channel, y, x]`` of the blocks."""
    width, count, size = operator.block[1], transform.shape[1], _size(transform)
    blocks = jnp.stack([strip[..., block * width : block * width + size[1]] for block in range(count)])
    spectrum = jnp.fft.rfft2(blocks, size) / _ends(transform.shape[-1])
    reach = _reach(operator.waves)
    first = reach - jnp.asarray(operator.waves)
    rows, columns = transform.shape[-2:]

    # A loop, and no sum that is written out: that of so many overlapping parts takes long to compile and to run.
    def add(wave: int, total: jax.Array) -> jax.Array:
        place = (0, 0, first[wave, 0], first[wave, 1])
        part = jax.lax.dynamic_slice(total, place, spectrum.shape) + jnp.conj(transform[wave]) * spectrum
        return jax.lax.dynamic_update_slice(total, part, place)

    wide = jnp.zeros((*transform.shape[1:3], rows + 2 * reach, columns + 2 * reach), dtype=jnp.complex64)
    total = _folded(jax.lax.fori_loop(0, len(operator.waves), add, wide), reach)
    parts = jnp.fft.irfft2(total, size)[..., : operator.block[0], :width]
    return parts.transpose(1, 2, 0, 3).reshape(parts.shape[1], operator.block[0], -1)


def _extended(spectrum: jax.Array, reach: int) -> jax.Array:
    """Continue the half of a real signal's spectrum by ``reach`` samples on all sides; the length is even."""
    if reach == 0:
        return spectrum
    last = spectrum.shape[-1] - 1
    left = _mirrored(spectrum[..., reach:0:-1])
    right = _mirrored(spectrum[..., last - 1 : last - 1 - reach : -1])
    wide = jnp.concatenate([left, spectrum, right], axis=-1)
    return jnp.concatenate([wide[..., -reach:, :], wide, wide[..., :reach, :]], axis=-2)


def _folded(wide: jax.Array, reach: int) -> jax.Array:
    """Add what lies up to ``reach`` samples beyond the half of a real signal's spectrum to where it belongs."""
    if reach == 0:
        return wide * _ends(wide.shape[-1])
    rows = wide.shape[-2] - 2 * reach
    tall = wide[..., reach : reach + rows, :]
    tall = tall.at[..., :reach, :].add(wide[..., reach + rows :, :]).at[..., -reach:, :].add(wide[..., :reach, :])
    inner = tall[..., reach:-reach]
    last = inner.shape[-1] - 1
    inner = inner.at[..., 1 : reach + 1].add(_mirrored(tall[..., reach - 1 :: -1]))
    inner = inner.at[..., last - reach : last].add(_mirrored(tall[..., : -reach - 1 : -1]))
    return inner * _ends(inner.shape[-1])


def _ends(columns: int) -> np.ndarray:
    """2 for the first and the last column of a half-plane, which are their own mirror images; 1 between."""
    factor = np.ones(columns, dtype=np.float32)
    factor[[0, -1]] = 2
    return factor


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
