"""How the functions vary over the field: in each block of the scene, a short sum of waves.

The kernels of the waves are the least-squares fit to the functions at 6 × 6 places of the block. What the fit leaves
is its error, weighted as it shows in photographs: by the spectrum of natural scenes, whose power falls with the
square of the frequency (Field 1987, 10.1364/JOSAA.4.002379).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalens.synth.blur.blocks import Waves, transform_length

INTERVALS = 5
"""Between the sampled places along each side of a block."""

SCENE_VARIANCE = 0.06
"""Of the linear light of scenes in 0..1; that of evenly spread values is 1/12."""

LARGEST_SCALE = 400.0
"""Pixels over which natural scenes are alike: the knee of their spectrum."""

LARGEST_COUNT = 32
"""Blocks along each side at most."""


def _diamond(order: int) -> Waves:
    span = range(-order, order + 1)
    return tuple((y, x) for y in span for x in span if abs(y) + abs(x) <= order)


def _square(order: int) -> Waves:
    span = range(-order, order + 1)
    return tuple((y, x) for y in span for x in span)


WAVE_SETS: tuple[Waves, ...] = (_diamond(0), _diamond(1), _square(1), _diamond(2), _square(2))
"""1, 5, 9, 13 and 25 waves; the first ones that are enough are taken."""


@dataclass(frozen=True)
class WaveFit:
    """Kernels of the waves of every block.

    Attributes:
        kernels: ``[block_y, block_x, wave, channel, y, x]`` complex64.
        waves: their periods.
        block: rows, columns of a block.
        error: estimated root mean square error of a blurred scene of values in 0..1.
    """

    kernels: np.ndarray
    waves: Waves
    block: tuple[int, int]
    error: float


FunctionsAt = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Functions ``[row, column, channel, y, x]`` at rows and columns of the scene's pixels, which may be fractions."""


def fit_waves(functions_at: FunctionsAt, pixels: tuple[int, int], tolerance: float, *, largest: int) -> WaveFit:
    """Cut a scene into blocks and double their number until few waves tell the functions within a tolerance.

    Args:
        functions_at: the functions.
        pixels: rows, columns of the scene.
        tolerance: of the fit's error.
        largest: pixels along a block's side at the start.

    Returns:
        The first fit within the tolerance, or the one of 32² blocks if none is: its error says so.
    """
    first = max(1, -(-max(pixels) // largest))
    count = first
    while True:
        best = _fit(functions_at, pixels, count, tolerance)
        if best.error <= tolerance or 2 * count > max(LARGEST_COUNT, first) or min(best.block) < 8:
            return best
        count *= 2


def _fit(functions_at: FunctionsAt, pixels: tuple[int, int], across: int, tolerance: float) -> WaveFit:
    """Fit the waves of ``across`` blocks along the longer side, with as few waves as will do."""
    step = -(-max(pixels) // across)
    counts = [-(-length // step) for length in pixels]
    block = (-(-pixels[0] // counts[0]), -(-pixels[1] // counts[1]))
    places = [np.arange(INTERVALS * count + 1) * length / INTERVALS for count, length in zip(counts, block, strict=True)]
    samples = functions_at(*places)
    kernel = (samples.shape[-2], samples.shape[-1])
    size = (transform_length(block[0], kernel[0]), transform_length(block[1], kernel[1]))
    inside = np.arange(INTERVALS + 1)
    rows = INTERVALS * np.arange(counts[0])[:, None] + inside
    columns = INTERVALS * np.arange(counts[1])[:, None] + inside
    weight = scene_power(kernel)
    for waves in WAVE_SETS:
        basis = _basis(waves, block, size)
        inverse = np.linalg.pinv(basis, rcond=1e-7)
        error = _fit_error(samples, rows, columns, basis, inverse, weight)
        if error <= tolerance or waves is WAVE_SETS[-1]:
            break
    kernels = np.stack([
        np.stack([
            np.tensordot(inverse, samples[np.ix_(row, column)].reshape(len(inside) ** 2, *samples.shape[2:]), 1)
            for column in columns
        ]).astype(np.complex64)
        for row in rows
    ])  # fmt: skip
    return WaveFit(kernels, waves, block, error)


def _basis(waves: Waves, block: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Values ``[place, wave]`` of the waves at the sampled places of a block."""
    along = np.arange(INTERVALS + 1) / INTERVALS
    y, x = np.meshgrid(along * block[0] / size[0], along * block[1] / size[1], indexing="ij")
    phase = np.array([[period_y * a + period_x * b for period_y, period_x in waves] for a, b in zip(y.flat, x.flat)])
    return np.exp(2j * np.pi * phase)


def _fit_error(
    samples: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    basis: np.ndarray,
    inverse: np.ndarray,
    weight: np.ndarray,
) -> float:
    """Estimate the fit's error from what it leaves, as a sample of the freedom that it does not use up."""
    left_over = np.eye(len(basis)) - (basis @ inverse).real
    powers = []
    for row in rows:
        for column in columns:
            functions = samples[np.ix_(row, column)].reshape(len(basis), -1)
            rest = (left_over @ functions).reshape(-1, *samples.shape[-2:])
            powers.append(scene_error_power(rest, weight))
    return float(np.sqrt(np.mean(powers) * len(basis) / (len(basis) - basis.shape[1])))


def scene_power(kernel: tuple[int, int]) -> np.ndarray:
    """Power ``[frequency_y, frequency_x]`` of natural scenes on the half-plane of a kernel's padded transform."""
    size = [2 * length for length in kernel]
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    power = 1 / (y**2 + x**2 + LARGEST_SCALE**-2)
    power[:, 1:-1] *= 2  # the half of the plane that a real signal's transform leaves out
    return (SCENE_VARIANCE * power / power.sum()).astype(np.float32)


def scene_error_power(difference: np.ndarray, weight: np.ndarray) -> float:
    """Mean square error of a blurred natural scene whose functions are wrong by ``[function, y, x]``."""
    total = 0.0
    size = (weight.shape[0], 2 * (weight.shape[1] - 1))
    for each in difference:
        spectrum = np.fft.rfft2(each, size)
        total += float((weight * (spectrum.real**2 + spectrum.imag**2)).sum())
    return total / len(difference)
