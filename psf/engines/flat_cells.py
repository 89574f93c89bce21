"""The field behind a lens of flat cells: computed on a finer grid and filtered.

On the grid itself, two errors would remain. Light that differs from cell to cell is diffracted beyond the directions
that the grid holds, and the smoothing kernel of :mod:`metalens.optics.sharp_edge`, short as it is, lets 2 % of the
amplitude at 0.8 of the sampling frequency through, which aliases into the window. And where the rim cuts cells, the
smoothed borders and the smoothed edge of the aperture are multiplied: the product of two smoothed functions is not the
smoothed product, an error of second order in the step. So the field is computed on a grid that is finer by a whole
factor, where both are small, and a longer low-pass filter takes it to the grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.flat_pixels import SAMPLES
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Scalar

Field = Callable[[jax.Array, jax.Array, Scalar, int], jax.Array]
"""Positions ``[m, 1]`` and ``[1, n]`` in metres, their distance and how many at least lie along a cell, to the field
``[m, n]``."""

TOLERANCE = 8.5e-4
"""Error of the field that the cells at the rim may make, relative to the whole, root mean square."""

RIM_ERROR = 0.5
"""Measured on a lens of 18 pixels of random phase (``tests/psf/test_flat_pixels.py``) and taken to a lens of one,
sampled once along it: the error falls with the square of the step, and with the root of the share of rim cells."""

ROWS = 15
"""Samples of the finer grid along y for each cell whose borders are smoothed along x alone; 0.08 % of such a lens."""

LEAST_FINE, MOST_FINE = 2, 6

_BLOCK = 256
"""Coarse rows that are computed at a time."""

FILTER_REACH = 8
"""Steps of the coarse grid on each side of a sample that the filter takes in."""

_KAISER = 8.0
"""Shape of the filter's window: with this reach it passes up to 0.35 of the sampling frequency and stops from 0.65 on,
both to 1e-4 (Kaiser, Nonrecursive digital filter design using the I0-sinh window function, 1974)."""


def fine_samples(lens: Metalens, pitch: float) -> int:
    """Samples of the finer grid along one of the coarse grid; 1 for a lens without flat cells.

    Args:
        lens: the metalens.
        pitch: of the coarse grid in metres.

    Returns:
        1 or more.
    """
    if lens.flat_pixel is None or (lens.structure is not None and not lens.structure.has_flat_cells):
        return 1
    cell = float(lens.flat_pixel)
    error = RIM_ERROR * (pitch / cell) ** 2 * math.sqrt(cell / float(lens.aperture_diameter))
    fine = min(max(math.ceil(math.sqrt(error / TOLERANCE)), LEAST_FINE), MOST_FINE)
    if lens.structure is not None and not lens.structure.smoothed_along_y:
        return max(fine, math.ceil(ROWS * pitch / cell))
    return fine


def gathered(field: Field, first: tuple[int, int], count: tuple[int, int], pitch: Scalar, fine: int) -> jax.Array:
    """Samples of a field that is computed on a finer grid.

    Args:
        field: on a uniform grid of any step.
        first: (row, column) of the first sample, counted from the lens' centre.
        count: (rows, columns) of samples.
        pitch: distance between samples in metres.
        fine: samples of the finer grid along one of these; 1 takes the field as it is.

    Returns:
        ``[row, column]`` complex.
    """
    if fine == 1:
        y, x = (jnp.asarray(pitch * (np.arange(length) + start)) for start, length in zip(first, count, strict=True))
        return field(y[:, None], x[None, :], pitch, SAMPLES)
    step, around = pitch / fine, FILTER_REACH * fine
    height = min(_BLOCK, count[0])
    x = jnp.asarray(step * (np.arange(-around, fine * (count[1] - 1) + around + 1) + fine * first[1]))
    rows = jnp.asarray(step * np.arange(-around, fine * (height - 1) + around + 1))

    @jax.checkpoint
    def block(start: jax.Array) -> jax.Array:
        values = field((rows + pitch * start)[:, None], x[None, :], step, SAMPLES * fine)
        return _filtered(_filtered(values, fine, count[1]).T, fine, height).T

    starts = first[0] + height * np.arange(-(-count[0] // height))
    return jax.lax.map(block, jnp.asarray(starts)).reshape(-1, count[1])[: count[0]]


def _filtered(values: jax.Array, fine: int, count: int) -> jax.Array:
    """Every ``fine``-th sample along the second axis, after a windowed sinc."""
    place = np.arange(-FILTER_REACH * fine, FILTER_REACH * fine)
    kernel = np.sinc(place / fine) * np.kaiser(len(place) + 1, _KAISER)[:-1]
    weights = jnp.asarray((kernel / kernel.sum()).reshape(-1, fine).T, dtype=jnp.real(values).dtype)
    # The samples of a coarse step meet the kernel's steps one after the other.
    length = count + 2 * FILTER_REACH - 1
    parts = values[:, : length * fine].reshape(len(values), length, fine) @ weights
    return sum(parts[:, each : each + count, each] for each in range(2 * FILTER_REACH))  # type: ignore[return-value]
