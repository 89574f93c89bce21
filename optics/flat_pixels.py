"""Maps of flat pixels, sampled on a uniform grid.

A sample that took the value of the pixel in which it lies would move the pixel's borders to the next samples, by up to
half a step, and all to the same side where samples lie on the borders. Here each border is smoothed as the aperture's
edge is (:mod:`metalens.optics.sharp_edge`): a sample is the mean of the pixels around it, weighted by the
smoothing kernel over their areas. The spectrum of the kernel is 1 for propagating light, so that no correction is
needed, and vanishes where it would alias.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Scalar
from metalens.optics.sharp_edge import EDGE_REACH, smooth_step

SAMPLES = 2
"""Smallest number of samples along a pixel."""

_NEIGHBOURS = math.ceil(EDGE_REACH / SAMPLES + 0.5)
"""Neighbouring pixels on each side that contribute to a sample."""


def sampled_pixels(values: jax.Array, pitch: Scalar, y: jax.Array, x: jax.Array, step: Scalar) -> jax.Array:
    """Samples of a map of flat pixels with smoothed borders; outside the map its outermost pixels continue.

    Args:
        values: ``[row, column]`` of the pixels, complex transmissions; the map's centre is the lens' centre.
        pitch: side of a pixel in metres.
        y: ``[m, 1]`` positions of the samples in metres.
        x: ``[n]`` or ``[1, n]``, the same along x.
        step: distance between samples in metres, at most half of the pitch.

    Returns:
        ``[m, n]``.
    """
    along_y = _along_rows(values, pitch, jnp.ravel(y), step)
    return _along_rows(along_y.T, pitch, jnp.ravel(x), step).T


def _along_rows(values: jax.Array, pitch: Scalar, position: jax.Array, step: Scalar) -> jax.Array:
    number = position / pitch + 0.5 * (len(values) - 1)
    own = jnp.clip(jnp.floor(number + 0.5), 0, len(values) - 1)
    total = jnp.zeros((len(position), values.shape[1]), dtype=values.dtype)
    for neighbour in range(-_NEIGHBOURS, _NEIGHBOURS + 1):
        past = (jnp.clip(number, -0.5, len(values) - 0.5) - own - neighbour) * (pitch / step)
        half = 0.5 * pitch / step
        weight = smooth_step(past - half) - smooth_step(past + half)
        pixel = jnp.clip(own + neighbour, 0, len(values) - 1).astype(jnp.int32)
        total = total + weight[:, None] * values[pixel]
    return total
