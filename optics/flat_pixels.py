"""Flat pixels, hexagons and rings of a lens, sampled on a uniform grid.

A sample that took the value of the cell in which it lies would move the cell's borders to the next samples, by up to
half a step, and all to the same side where samples lie on the borders. Here each border is smoothed as the aperture's
edge is (:mod:`metalens.optics.sharp_edge`): a sample is the mean of the cells around it, weighted by the
smoothing kernel over their areas. The spectrum of the kernel is 1 for propagating light, so that no correction is
needed, and vanishes where it would alias.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Scalar
from metalens.optics.sharp_edge import EDGE_REACH, smooth_step

SAMPLES = 2
"""Smallest number of samples along a cell."""

ROW = math.sqrt(0.75)
"""Distance between the rows of a hexagonal lattice in pitches."""


def sampled_pixels(
    values: jax.Array, pitch: Scalar, y: jax.Array, x: jax.Array, step: Scalar, samples: int = SAMPLES
) -> jax.Array:
    """Samples of a map of flat pixels with smoothed borders; outside the map its outermost pixels continue.

    Args:
        values: ``[row, column]`` of the pixels, complex transmissions; the map's centre is the lens' centre.
        pitch: side of a pixel in metres.
        y: ``[m, 1]`` positions of the samples in metres.
        x: ``[n]`` or ``[1, n]``, the same along x.
        step: distance between samples in metres.
        samples: along a cell at least, 2 or more.

    Returns:
        ``[m, n]``.
    """
    along_y = _along_rows(values, pitch, jnp.ravel(y), step, samples)
    return _along_rows(along_y.T, pitch, jnp.ravel(x), step, samples).T


def _along_rows(values: jax.Array, pitch: Scalar, position: jax.Array, step: Scalar, samples: int) -> jax.Array:
    length = len(values)
    number = jnp.clip(position / pitch + 0.5 * (length - 1), -0.5, length - 0.5)
    total = jnp.zeros((len(position), values.shape[1]), dtype=values.dtype)
    for pixel, weight in _cells(number, pitch / step, samples):
        total = total + weight[:, None] * values[jnp.clip(pixel, 0, length - 1)]
    return total


def sampled_hexagons(
    values: jax.Array, pitch: Scalar, y: jax.Array, x: jax.Array, step: Scalar, samples: int = SAMPLES
) -> jax.Array:
    """Samples of flat hexagons about the sites of a hexagonal lattice; outside, its outermost sites continue.

    Borders are smoothed along x. Along y no border is horizontal, so that the mean over samples of a fine grid
    (:mod:`metalens.psf.engines.flat_cells`) converges as fast.

    Args:
        values: ``[row, column]`` of the sites, complex transmissions; odd rows are shifted by half a pitch.
        pitch: distance between neighbouring sites in metres.
        y: ``[m, 1]`` positions of the samples in metres.
        x: ``[n]`` or ``[1, n]``, the same along x.
        step: distance between samples in metres.
        samples: along a cell at least, 2 or more.

    Returns:
        ``[m, n]``.
    """
    rows, columns = values.shape
    from_top = jnp.reshape(y, (-1, 1)) / (ROW * pitch) + 0.5 * (rows - 1)
    from_left = jnp.reshape(x, (1, -1)) / pitch + 0.5 * (columns - 1)
    above = jnp.clip(jnp.floor(from_top), 0, max(rows - 2, 0))
    # A line along x crosses hexagons of two rows in turn. A border lies where both of its sites are equally far.
    nearer = jnp.square(ROW * (above + 1 - from_top)) - jnp.square(ROW * (from_top - above))
    half_width = jnp.clip(0.25 + nearer, 0, 0.5) if rows > 1 else jnp.full_like(from_top, 0.5)
    total = jnp.zeros((from_top.shape[0], from_left.shape[1]), dtype=values.dtype)
    for row, half in ((above, half_width), (above + 1, 0.5 - half_width)):
        shift = jnp.where(row % 2 == 1, 0.25, -0.25)
        number = jnp.clip(from_left - shift, -0.5, columns - 0.5)
        site_row = jnp.minimum(row, rows - 1).astype(jnp.int32)
        for column, weight in _cells(number, pitch / step, samples, half):
            total = total + weight * values[site_row, jnp.clip(column, 0, columns - 1)]
    return total


def sampled_rings(
    values: jax.Array, spacing: Scalar, radius: jax.Array, step: Scalar, samples: int = SAMPLES
) -> jax.Array:
    """Samples of flat rings with smoothed borders; beyond the last ring, it continues.

    Args:
        values: ``[ring]`` complex transmissions; the first is a disc of half the spacing about the centre.
        spacing: width of a ring in metres.
        radius: ``[...]`` distance of the samples from the centre in metres.
        step: distance between samples in metres.
        samples: along a cell at least, 2 or more.

    Returns:
        The radius' shape.
    """
    number = jnp.minimum(radius / spacing, len(values) - 0.5)
    total = jnp.zeros(radius.shape, dtype=values.dtype)
    for ring, weight in _cells(number, spacing / step, samples):
        total = total + weight * values[jnp.minimum(jnp.abs(ring), len(values) - 1)]
    return total


def _cells(
    number: jax.Array, steps: Scalar, samples: int, half: jax.Array | None = None
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """The cells about each sample, int32, and the smoothing kernel's share on each.

    Args:
        number: position of the samples in cells; cell k lies about k.
        steps: samples along a cell.
        samples: lower bound of ``steps`` that is known before tracing.
        half: half width of the cells, in distances between them; None where they touch.
    """
    own = jnp.floor(number + 0.5)
    neighbours = math.ceil(EDGE_REACH / samples + 0.5)
    before: jax.Array | None = None
    for neighbour in range(-neighbours, neighbours + 1):
        past, reach = (number - own - neighbour) * steps, (0.5 if half is None else half) * steps
        # Cells that touch share their border.
        first = smooth_step(past + reach) if before is None or half is not None else before
        before = smooth_step(past - reach)
        yield (own + neighbour).astype(jnp.int32), before - first
