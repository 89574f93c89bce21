"""Variation of the functions over the field: in each block of the scene, a sum of few waves.

The kernels of the waves are the least-squares fit to the functions all over the block, by splines through those at
7 × 7 places. The error of the fit is its residual, weighted by the power spectrum of natural scenes. Seven waves along
a side can meet the functions in all seven places and swing between them: the residual counts there, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import rfft2
from scipy.interpolate import CubicSpline

from metalens.psf.interpolation.natural_scenes import scene_power
from metalens.synth.blur.block_convolution import Waves, transform_length

INTERVALS = 6
"""Between the sampled places along each side of a block."""

BETWEEN = 2
"""Places that are fitted, to an interval: its end and its middle."""

CUTOFFS = (1e-7, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
"""Cutoffs of singular values of the waves over a block, as shares of the largest."""

LARGEST_GAIN = 300.0
"""Largest gain of a wave's kernel, over functions of values up to 1."""

LEAST_COUNT = 6
"""Blocks along each side with which the search begins at most."""

LARGEST_COUNT = 32
"""Blocks along each side at most."""

TRANSFORM_COST = 10
"""Cost of a sample of the transforms, in multiplications with a wave's kernel: from blurs of 400² pixels timed with 25
waves in 6² blocks, and with 13 in 8² and 11².
"""

WORTHWHILE = 0.9
"""Share of the cost, that a finer division must promise to be fitted too."""


def _diamond(order: int) -> Waves:
    span = range(-order, order + 1)
    return tuple((y, x) for y in span for x in span if abs(y) + abs(x) <= order)


def _square(order: int) -> Waves:
    span = range(-order, order + 1)
    return tuple((y, x) for y in span for x in span)


WAVE_SETS: tuple[Waves, ...] = (_diamond(0), _diamond(1), _square(1), _diamond(2), _diamond(3))
"""1, 5, 9, 13 and 25 waves; the first ones that are enough are taken. Diamonds leave less than squares of as many."""


@dataclass(frozen=True)
class Samples:
    """Functions at the places that a fit is made from.

    Attributes:
        functions: ``[row, column, channel, y, x]``.
        rows: of the scene's pixels; fractions.
        columns: of the scene's pixels; fractions.
    """

    functions: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True)
class WaveFit:
    """Kernels of the waves of every block.

    Attributes:
        kernels: ``[block_y, block_x, wave, channel, y, x]`` complex64.
        waves: their periods.
        block: rows, columns of a block.
        error: estimated root mean square error of a blurred scene of values in 0..1.
        cost: of a blur, to compare divisions of one scene.
        samples: what the kernels are fitted to.
    """

    kernels: np.ndarray
    waves: Waves
    block: tuple[int, int]
    error: float
    cost: float
    samples: Samples


FunctionsAt = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Functions ``[row, column, channel, y, x]`` at rows and columns of the scene's pixels, which may be fractions."""


def fit_waves(
    functions_at: FunctionsAt,
    pixels: tuple[int, int],
    tolerance: float,
    *,
    axis: tuple[float, float],
    largest: int,
    scale: int = 1,
) -> WaveFit:
    """Divide a scene into blocks, finer and finer, until few waves describe the functions within a tolerance.

    Smaller blocks overlap more, and need fewer waves. From the first division that meets the tolerance on, finer ones
    are taken as long as they make the blur cheaper.

    Args:
        functions_at: the functions.
        pixels: rows, columns of the scene.
        tolerance: of the fit's error.
        axis: row, column of the optical axis, about which the sampled places are symmetric if they can be.
        largest: pixels along a block's side at the start, unless there are ``LEAST_COUNT`` blocks.
        scale: pixels to a sample of the scene: each sample of the functions acts on the light of scale² pixels.

    Returns:
        The cheapest of the fits within the tolerance, or the one of 32² blocks if none is: its error says so.
    """
    count = min(LEAST_COUNT, -(-max(pixels) // largest))
    best = _fit(functions_at, pixels, count, tolerance, axis, scale)
    while max(best.block) >= 4:
        count = max(count + 1, round(count * np.sqrt(2)))
        promised = _cost(pixels, count, best.kernels.shape[-2:], _fewer(best.waves))
        if count > LARGEST_COUNT or (best.error <= tolerance and promised > WORTHWHILE * best.cost):
            break
        finer = _fit(functions_at, pixels, count, tolerance, axis, scale)
        if best.error <= tolerance and not (finer.error <= tolerance and finer.cost < best.cost):
            break
        best = finer
    return best


def _fewer(waves: Waves) -> Waves:
    """The next smaller set; the smallest has none."""
    return WAVE_SETS[max(WAVE_SETS.index(waves) - 1, 0)]


def _divided(pixels: tuple[int, int], across: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows, columns of blocks, and of pixels in a block, with ``across`` blocks along the longer side."""
    step = -(-max(pixels) // across)
    counts = (-(-pixels[0] // step), -(-pixels[1] // step))
    return counts, (-(-pixels[0] // counts[0]), -(-pixels[1] // counts[1]))


def _cost(pixels: tuple[int, int], across: int, kernel: Sequence[int], waves: Waves) -> float:
    """Cost of a blur: samples of all transforms, times what is done with each."""
    counts, block = _divided(pixels, across)
    sizes = [transform_length(*lengths) for lengths in zip(block, kernel, strict=True)]
    return float(np.prod(counts) * np.prod(sizes)) * (TRANSFORM_COST + len(waves))


def _fit(
    functions_at: FunctionsAt,
    pixels: tuple[int, int],
    across: int,
    tolerance: float,
    axis: tuple[float, float],
    scale: int,
) -> WaveFit:
    """Fit the waves of ``across`` blocks along the longer side, with as few waves as will do."""
    counts, block = _divided(pixels, across)
    # Places that are mirror images of each other about the axis are computed once.
    shift = [middle - 0.5 * n * side for middle, n, side in zip(axis, counts, block, strict=True)]
    shift = [each if abs(each) <= 0.1 * side else 0.0 for each, side in zip(shift, block, strict=True)]
    steps = [np.arange(INTERVALS * n + 1) * side / INTERVALS for n, side in zip(counts, block, strict=True)]
    places = [step + each for step, each in zip(steps, shift, strict=True)]
    samples = functions_at(*places)
    kernel = (samples.shape[-2], samples.shape[-1])
    size = (transform_length(block[0], kernel[0]), transform_length(block[1], kernel[1]))
    inside = np.arange(INTERVALS + 1)
    spline = _spline()
    rows = INTERVALS * np.arange(counts[0])[:, None] + inside
    columns = INTERVALS * np.arange(counts[1])[:, None] + inside
    products = _products(samples, rows, columns, scene_power(kernel, scale))
    for waves in WAVE_SETS:
        basis = _basis(waves, block, size, shift)
        inverse = _tame_inverse(basis, spline)
        error = _fit_error(products, spline - (basis @ inverse).real)
        if error <= tolerance or waves is WAVE_SETS[-1]:
            break
    kernels = _kernels(samples, rows, columns, inverse)
    cost = _cost(pixels, across, kernel, waves)
    return WaveFit(kernels, waves, block, error, cost, Samples(samples, *places))


def _spline() -> np.ndarray:
    """``[fitted place, sampled place]``: what a function at each sampled place adds to the block's spline."""
    samples = np.arange(INTERVALS + 1)
    along = CubicSpline(samples, np.eye(len(samples)))(np.arange(BETWEEN * INTERVALS + 1) / BETWEEN)
    return np.kron(along, along)


def _tame_inverse(basis: np.ndarray, spline: np.ndarray) -> np.ndarray:
    """The ``[wave, sampled place]`` inverse with the least error whose kernels are not much larger than the functions.

    Over a block that is much shorter than the waves' periods the waves are nearly alike: an exact inverse makes kernels
    that are thousands of times larger than the functions, and cancel but for what rounding leaves of them.
    """
    for cutoff in CUTOFFS:
        inverse = np.linalg.pinv(basis, rcond=cutoff) @ spline
        if np.abs(inverse).sum(axis=1).max() <= LARGEST_GAIN:
            break
    return inverse


def _basis(waves: Waves, block: tuple[int, int], size: tuple[int, int], shift: list[float]) -> np.ndarray:
    """Values ``[place, wave]`` of the waves at the fitted places of a block."""
    along = np.arange(BETWEEN * INTERVALS + 1) / (BETWEEN * INTERVALS)
    turns = [(along * side + each) / length for side, each, length in zip(block, shift, size, strict=True)]
    y, x = np.meshgrid(*turns, indexing="ij")
    phase = np.array(
        [[period_y * a + period_x * b for period_y, period_x in waves] for a, b in zip(y.flat, x.flat, strict=True)]
    )
    return np.exp(2j * np.pi * phase)


def _kernels(samples: np.ndarray, rows: np.ndarray, columns: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Kernels ``[block_y, block_x, wave, channel, y, x]`` of the waves, by the fit's ``[wave, place]`` inverse."""
    shape = samples.shape[2:]
    kernels = np.empty((len(rows), len(columns), len(inverse), *shape), dtype=np.complex64)
    parts = np.concatenate([inverse.real, inverse.imag]).astype(np.float32)
    for row, own in zip(rows, kernels, strict=True):
        # One product of a row of blocks: many small ones cost more to share among threads than to make.
        functions = samples[row][:, columns].astype(np.float32, copy=False).swapaxes(1, 2)
        found = parts @ functions.reshape(inverse.shape[1], -1)
        by_wave = found.reshape(2, len(inverse), len(columns), *shape).swapaxes(1, 2)
        own.real, own.imag = by_wave
    return kernels


def _products(samples: np.ndarray, rows: np.ndarray, columns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Products ``[place, place]`` of a block's functions as scenes weight them, mean over blocks and channels.

    Of each function the block's mean of equal flux is taken off first: what the fit leaves of the flux is corrected.
    """
    channels, side = samples.shape[2], rows.shape[1]
    size = (weight.shape[0], 2 * (weight.shape[1] - 1))
    root = np.sqrt(weight).astype(np.float32)
    total = np.zeros((side * side,) * 2)
    for row in rows:
        # A row of blocks at a time: the transforms of all places would be the largest array of all.
        functions = samples[row].astype(np.float32, copy=False)
        flux = functions.sum(axis=(-2, -1))
        spectrum = (rfft2(functions, size) * root).reshape(*functions.shape[:3], -1).view(np.float32)
        for column, channel in np.ndindex(len(columns), channels):
            inside = slice(columns[column, 0], columns[column, -1] + 1)
            flat = spectrum[:, inside, channel].reshape(len(total), -1)
            sums = flux[:, inside, channel].ravel()
            # Before they are multiplied: what is left of the products would be their rounding.
            flat -= np.outer(sums, flat.sum(axis=0) / (sums.sum() or 1.0)).astype(np.float32)
            total += flat @ flat.T
    return total / (len(rows) * len(columns) * channels)


def _fit_error(products: np.ndarray, left_over: np.ndarray) -> float:
    """The fit's error from what it leaves of the functions: ``[fitted place, sampled place]``."""
    power = float(np.einsum("ij,jk,ik", left_over, products, left_over, optimize=True)) / len(left_over)
    return float(np.sqrt(max(power, 0)))
