"""Geometric distortion and lateral colour: each colour of the scene is displaced as the lens images it.

Functions whose centroids vary over the field must not be interpolated directly: two shifted images of half the
brightness would appear. They are registered, and the scene is moved by the smooth field of their centroids instead.
Moving is done in two passes of one dimension each (Catmull and Smith 1980, 10.1145/965105.807505), by polynomials
through the six nearest samples. The light of a stretched scene is spread thinner, by the determinant of the movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import map_coordinates

from metalens.optics.pytree import register_dataclass

TAPS = 6
"""Samples that a value is interpolated from."""

SOLVER_STEPS = 12
"""Steps of the fixed point that turns a movement round; each gains the digits that the movement's slope has."""


@register_dataclass
@dataclass(frozen=True)
class Warp:
    """Where each sample of the moved scene comes from.

    Attributes:
        column: ``[channel, y, x]`` float32 source columns of the first pass, in rows of the scene.
        row: ``[channel, y, x]`` float32 source rows of the second pass.
        gain: ``[channel, y, x]`` float32 how much denser the light becomes.
    """

    column: jax.Array
    row: jax.Array
    gain: jax.Array


def make_warp(displacement: np.ndarray, source: np.ndarray | None = None) -> Warp:
    """Prepare a movement.

    Args:
        displacement: ``[channel, y, x, (y, x)]`` pixels by which the light of each scene pixel moves; its slopes are
            well below 1.
        source: ``[y, x, (y, x)]`` of an ideal image's pixels, where the scene of each pixel is taken from before it
            moves; by default the scene is that image. Only the displacement changes how dense the light is.

    Returns:
        The places in the scene from which each pixel's light comes, and the gain of its density, float32.
    """
    columns, rows, gains = [], [], []
    for field in displacement.astype(np.float64):
        along = [np.arange(float(length)) for length in field.shape[:2]]
        grid = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1)
        origin = _turned_round(field, grid)
        by_y, by_x = np.gradient(origin, axis=(0, 1))
        gains.append(by_y[..., 0] * by_x[..., 1] - by_y[..., 1] * by_x[..., 0])
        place = origin if source is None else _sample(source, origin)
        rows.append(place[..., 0])
        columns.append(_first_pass(place, grid))
    arrays = (jnp.asarray(np.stack(each), dtype=jnp.float32) for each in (columns, rows, gains))
    return Warp(*arrays)


def _sample(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values ``[y, x, component]`` of a smooth field at places ``[y, x, (y, x)]`` between its samples."""
    coordinates = np.moveaxis(place, -1, 0)
    parts = [map_coordinates(values[..., each], coordinates, order=1, mode="nearest") for each in (0, 1)]
    return np.asarray(np.stack(parts, axis=-1))


def _turned_round(displacement: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Places ``[y, x, (y, x)]`` whose light lands on each pixel."""
    origin = grid
    for _ in range(SOLVER_STEPS):
        origin = grid - _sample(displacement, origin)
    return origin


def _first_pass(place: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Source columns of the first pass: in each row y, that of the place (y, ·) which ends in the same column."""
    column = np.empty(place.shape[:2])
    for across in range(place.shape[1]):
        # Down a column of the result the source rows ascend, as the movement is gentle.
        column[:, across] = np.interp(grid[:, across, 0], place[:, across, 0], place[:, across, 1])
    return column


def moved(warp: Warp, planes: jax.Array) -> jax.Array:
    """Warp the planes of a scene.

    Args:
        warp: from :func:`make_warp`.
        planes: ``[channel, y, x]``.

    Returns:
        ``[channel, y, x]``.
    """
    first = _interpolated(planes, warp.column)
    second = _interpolated(first.swapaxes(1, 2), warp.row.swapaxes(1, 2)).swapaxes(1, 2)
    return second * warp.gain


def _interpolated(planes: jax.Array, place: jax.Array) -> jax.Array:
    """Values along the last axis at fractional places; beyond the ends the last samples hold."""
    below = jnp.floor(place)
    share = place - below
    first = below.astype(jnp.int32) - (TAPS // 2 - 1)
    total = jnp.zeros_like(planes)
    for tap, weight in enumerate(_lagrange(share)):
        index = jnp.clip(first + tap, 0, planes.shape[-1] - 1)
        total = total + weight * jnp.take_along_axis(planes, index, axis=-1)
    return total


def _lagrange(share: jax.Array) -> list[jax.Array]:
    """Weights of the samples at −2..3 for a value at ``share`` in 0..1; they sum to 1."""
    nodes = range(1 - TAPS // 2, TAPS // 2 + 1)
    weights = []
    for node in nodes:
        weight = jnp.ones_like(share)
        for other in nodes:
            if other != node:
                weight = weight * (share - other) / (node - other)
        weights.append(weight)
    return weights
