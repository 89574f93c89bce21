"""Convolution with functions that vary over the field, block by block, with one Fourier transform per block.

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

from metalens.optics.pytree import register_dataclass

Waves = tuple[tuple[int, int], ...]
"""Periods (k_y, k_x) of each wave over the transform's length; with each one its negative."""

SHORTEST = 8
"""Samples of a transform at least: spectra are shifted by up to three."""


@partial(
    register_dataclass,
    data_fields=["transform", "unit"],
    meta_fields=["waves", "block", "kernel", "pixels"],
)
@dataclass(frozen=True)
class BlockBlur:
    """Transformed kernels for scenes of one size; see :func:`convolve_blocks`.

    Attributes:
        transform: ``[block_y, part, wave, block_x, channel, frequency_y, frequency_x]`` real and imaginary part of the
            kernels' transforms; float32, or rounded to int16, because reading them takes most of the time.
        unit: float32, of the transforms.
        waves: of each kernel.
        block: rows, columns of the scene in a block.
        kernel: rows, columns of the kernels.
        pixels: rows, columns of the scene.
    """

    transform: jax.Array
    unit: jax.Array
    waves: Waves
    block: tuple[int, int]
    kernel: tuple[int, int]
    pixels: tuple[int, int]

    @property
    def counts(self) -> tuple[int, int]:
        """Rows, columns of blocks."""
        return (self.transform.shape[0], self.transform.shape[3])

    @property
    def channels(self) -> int:
        """Colour channels."""
        return int(self.transform.shape[4])

    @property
    def size(self) -> tuple[int, int]:
        """Rows, columns of what is transformed."""
        return (self.transform.shape[-2], 2 * (self.transform.shape[-1] - 1))

    @property
    def rounding(self) -> float:
        """Root mean square error of the scattered light of scenes of values in 0..1 by rounding the transforms."""
        if self.transform.dtype != jnp.int16:
            return 0.0
        # Each part of each wave is off by a unit / √12; the mean square of evenly spread values is 1/3.
        return float(self.unit) * float(np.sqrt(2 * len(self.waves) / 12 / 3))

    @property
    def reached(self) -> tuple[int, int]:
        """Rows, columns of the scattered light."""
        return (self.pixels[0] + self.kernel[0] - 1, self.pixels[1] + self.kernel[1] - 1)

    @property
    def shift(self) -> int:
        """Samples by which spectra are shifted at most."""
        return max(max(abs(period) for period in wave) for wave in self.waves)

    def flux(self) -> np.ndarray:
        """Light ``[channel, y, x]`` float64 that the kernels make of each of the scene's pixels."""
        sums = float(self.unit) * np.asarray(self.transform[..., 0, 0], dtype=np.float64)
        real, imaginary = np.moveaxis(sums, 1, 0)
        periods = np.array(self.waves)
        turns = [periods[:, axis, None] * np.arange(self.block[axis]) / self.size[axis] for axis in (0, 1)]
        values = np.exp(2j * np.pi * (turns[0][:, :, None] + turns[1][:, None]))
        flux = np.tensordot(real, values.real, (1, 0)) - np.tensordot(imaginary, values.imag, (1, 0))
        rows, columns, channels = flux.shape[:3]
        whole = flux.transpose(2, 0, 3, 1, 4).reshape(channels, rows * self.block[0], columns * self.block[1])
        return np.asarray(whole[:, : self.pixels[0], : self.pixels[1]])


def transform_length(block: int, kernel: int) -> int:
    """Length of the Fourier transform of a block convolved with a kernel.

    Args:
        block: samples of the block.
        kernel: samples of the kernel.

    Returns:
        An even length with a fast transform.
    """
    return 2 * int(next_fast_len(max(SHORTEST // 2, (block + kernel) // 2), real=True))


def block_blur(
    kernels: np.ndarray, waves: Waves, block: tuple[int, int], pixels: tuple[int, int], *, rounded: bool = False
) -> BlockBlur:
    """Transform kernels for scenes of one size.

    Args:
        kernels: ``[block_y, block_x, wave, channel, y, x]`` complex.
        waves: of each kernel.
        block: rows, columns of a block.
        pixels: rows, columns of the scene.
        rounded: whether the transforms are rounded to int16, the largest sum of a kernel's magnitudes to 32767.

    Returns:
        The transformed kernels, int16 with a common factor if ``rounded``, else float32.
    """
    kernel = (kernels.shape[-2], kernels.shape[-1])
    size = [transform_length(*lengths) for lengths in zip(block, kernel, strict=True)]
    half = size[1] // 2 + 1
    # No transform is larger than that sum.
    largest = max(float(np.abs(row).sum(axis=(-2, -1)).max()) for row in kernels) or 1.0
    unit = np.float32(largest / 32767 if rounded else 1.0)
    shape = (len(kernels), 2, len(waves), kernels.shape[1], kernels.shape[3], size[0], half)
    parts = np.empty(shape, dtype=np.int16 if rounded else np.float32)
    for row, own in zip(parts, kernels.astype(np.complex64, copy=False), strict=True):
        # Row by row: what lies between the two passes would be the largest array of all.
        transform = np.moveaxis(fft(fft(own, size[1])[..., :half], size[0], axis=-2), 1, 0)
        for part, values in zip(row, (transform.real, transform.imag), strict=True):
            part[:] = np.rint(values / unit) if rounded else values
    return BlockBlur(jnp.asarray(parts), jnp.asarray(unit), waves, block, kernel, pixels)


def convolve_blocks(operator: BlockBlur, scene: jax.Array) -> jax.Array:
    """Spread the light of every point of a scene.

    Args:
        operator: from :func:`block_blur`.
        scene: ``[channel, y, x]`` float32 of the operator's size.

    Returns:
        ``[channel, y + kernel_y − 1, x + kernel_x − 1]``: sample 0 is that of a point at 0 and a kernel's sample 0.
    """
    count = operator.counts
    tall, wide = (blocks * length for blocks, length in zip(count, operator.block, strict=True))
    rows, columns = operator.pixels
    padded = jnp.pad(scene, ((0, 0), (0, tall - rows), (0, wide - columns)))
    strips = padded.reshape(scene.shape[0], count[0], operator.block[0], wide).swapaxes(0, 1)

    def one_row(_: None, given: tuple[jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        return None, _scatter_row(operator, *given)

    parts = jax.lax.scan(one_row, None, (jnp.arange(count[0]), strips))[1]
    image = _overlap_add(parts.transpose(1, 3, 0, 2), operator.block[0]).swapaxes(1, 2)
    return image[:, : operator.reached[0], : operator.reached[1]]


def gather(operator: BlockBlur, image: jax.Array) -> jax.Array:
    """Apply the exact adjoint of :func:`convolve_blocks`.

    Args:
        operator: from :func:`block_blur`.
        image: ``[channel, y + kernel_y − 1, x + kernel_x − 1]`` float32.

    Returns:
        ``[channel, y, x]`` of the scene.
    """
    counts, size = operator.counts, operator.size
    lengths = [(n - 1) * step + side for n, step, side in zip(counts, operator.block, size, strict=True)]
    widths = [max(whole - length, 0) for whole, length in zip(lengths, image.shape[1:], strict=True)]
    padded = jnp.pad(image, ((0, 0), (0, widths[0]), (0, widths[1])))

    def one_row(_: None, row: jax.Array) -> tuple[None, jax.Array]:
        strip = jax.lax.dynamic_slice_in_dim(padded, row * operator.block[0], size[0], axis=1)
        return None, _gather_row(operator, row, strip)

    strips = jax.lax.scan(one_row, None, jnp.arange(counts[0]))[1]
    scene = strips.swapaxes(0, 1).reshape(image.shape[0], -1, strips.shape[-1])
    return scene[:, : operator.pixels[0], : operator.pixels[1]]


def _kernel_parts(operator: BlockBlur, row: jax.Array, wave: int | jax.Array) -> tuple[jax.Array, jax.Array]:
    """The real and the imaginary part ``[block_x, channel, frequency_y, frequency_x]`` of a row's kernels of a wave.

    Each is cut out where it is used: a row that is cut out whole is copied before it is read.
    """
    shape = operator.transform.shape[3:]

    def part(each: int) -> jax.Array:
        cut = jax.lax.dynamic_slice(operator.transform, (row, each, wave, 0, 0, 0, 0), (1, 1, 1, *shape))
        return cut.reshape(shape).astype(jnp.float32)

    return part(0), part(1)


def _scatter_row(operator: BlockBlur, row: jax.Array, strip: jax.Array) -> jax.Array:
    """Scatter a row of blocks ``[channel, y, x]``; returns ``[channel, frequency_y samples, x]``."""
    channels, height, _ = strip.shape
    width, reach = operator.block[1], operator.shift
    blocks = strip.reshape(channels, height, -1, width).transpose(2, 0, 1, 3)
    real, imaginary = _parts(_extended(jnp.fft.rfft2(blocks, operator.size), reach) * operator.unit)
    rows, columns = operator.transform.shape[-2:]
    total = [jnp.zeros(operator.transform.shape[3:]), jnp.zeros(operator.transform.shape[3:])]
    for wave, (period_y, period_x) in enumerate(operator.waves):
        top, left = reach - period_y, reach - period_x
        part = (..., slice(top, top + rows), slice(left, left + columns))
        by_real, by_imaginary = _kernel_parts(operator, row, wave)
        total[0] = total[0] + (by_real * real[part] - by_imaginary * imaginary[part])
        total[1] = total[1] + (by_real * imaginary[part] + by_imaginary * real[part])
    parts = jnp.fft.irfft2(jax.lax.complex(*jax.lax.optimization_barrier(total)), operator.size)
    return _overlap_add(parts.transpose(1, 2, 0, 3), width)


def _gather_row(operator: BlockBlur, row: jax.Array, strip: jax.Array) -> jax.Array:
    """Gather what a row of blocks scattered to ``[channel, y, x]``; returns ``[channel, y, x]`` of the blocks."""
    (height, width), size, reach = operator.block, operator.size, operator.shift
    starts = range(0, operator.counts[1] * width, width)
    blocks = jnp.stack([strip[..., start : start + size[1]] for start in starts])
    rows, columns = operator.transform.shape[-2:]
    real, imaginary = _parts(jnp.fft.rfft2(blocks, size) * operator.unit / _ends(columns))
    first = reach - jnp.asarray(operator.waves)

    # A loop, and no sum that is written out: that of so many overlapping parts takes long to compile and to run.
    def add(wave: int, total: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        place = (0, 0, first[wave, 0], first[wave, 1])
        by_real, by_imaginary = _kernel_parts(operator, row, wave)
        more = (by_real * real + by_imaginary * imaginary, by_real * imaginary - by_imaginary * real)
        sums = [jax.lax.dynamic_slice(old, place, new.shape) + new for old, new in zip(total, more, strict=True)]
        first_part, second_part = (
            jax.lax.dynamic_update_slice(old, new, place) for old, new in zip(total, sums, strict=True)
        )
        return first_part, second_part

    nothing = jnp.zeros((*operator.transform.shape[3:5], rows + 2 * reach, columns + 2 * reach))
    total = jax.lax.fori_loop(0, len(operator.waves), add, (nothing, nothing))
    parts = jnp.fft.irfft2(_folded(jax.lax.complex(*total), reach), size)[..., :height, :width]
    return parts.transpose(1, 2, 0, 3).reshape(parts.shape[1], height, -1)


def _parts(spectrum: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The real and the imaginary part, each by itself: products of complex numbers are not made four at a time."""
    real, imaginary = jax.lax.optimization_barrier((jnp.real(spectrum), jnp.imag(spectrum)))
    return real, imaginary


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
