"""Rotation of images by cubic spline interpolation (Unser 1999, 10.1109/79.799930)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import spline_filter

TOGETHER = 8
"""Images to a compiled call, of more than one; their number does not compile it again."""


def spline_coefficients(images: np.ndarray) -> np.ndarray:
    """Coefficients ``[node, channel, y + 4, x + 4]`` float32 of images ``[node, channel, y, x]``.

    Two more on each side are those of the mirrored image, so that samples at the border have all that they need.
    """
    flat = images.reshape(-1, *images.shape[-2:]).astype(np.float64)
    found = np.stack([np.pad(spline_filter(image, mode="mirror"), 2, mode="reflect") for image in flat])
    return found.reshape(*images.shape[:2], *found.shape[-2:]).astype(np.float32)


def rotated(coefficients: np.ndarray, weights: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Weighted sums of images, each rotated about the sample in the middle of its odd sides.

    Args:
        coefficients: ``[node, channel, y, x]`` from :func:`spline_coefficients`.
        weights: ``[image, channel, node]`` of the sums, or ``[image, 1, node]`` for all channels.
        angle: ``[image]`` in radians, from +x (columns) towards +y (rows).

    Returns:
        ``[image, channel, y, x]`` float64; 0 where a sample comes from outside the image.
    """
    count = len(angle)
    together = 1 if count == 1 else TOGETHER
    padded = -count % together
    given = (weights, np.cos(angle), np.sin(angle))
    rows = [np.pad(each, ((0, padded), *[(0, 0)] * (each.ndim - 1))).astype(np.float32) for each in given]
    parts = [
        _rotated(coefficients, *(each[first : first + together] for each in rows))
        for first in range(0, count, together)
    ]
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])[:count]


@jax.jit
def _rotated(coefficients: jax.Array, weights: jax.Array, cosine: jax.Array, sine: jax.Array) -> jax.Array:
    each = jnp.broadcast_to(weights, (len(weights), coefficients.shape[1], weights.shape[-1]))
    sums = jnp.einsum("icn,ncyx->icyx", each, coefficients)
    return jax.lax.map(lambda given: _rotated_one(*given), (sums, cosine, sine))


def _rotated_one(coefficients: jax.Array, cosine: jax.Array, sine: jax.Array) -> jax.Array:
    channels, height, width = coefficients.shape[0], coefficients.shape[1] - 4, coefficients.shape[2] - 4
    y, x = (jnp.arange(length) - length // 2 for length in (height, width))
    along = (cosine * x + sine * y[:, None]).ravel() + width // 2
    across = (cosine * y[:, None] - sine * x).ravel() + height // 2
    # What rounding puts beyond the border belongs to it.
    inside = (jnp.abs(along - (width - 1) / 2) <= (width - 1) / 2 + 1e-3) & (
        jnp.abs(across - (height - 1) / 2) <= (height - 1) / 2 + 1e-3
    )
    row, column = (jnp.clip(jnp.floor(each), 0, length - 1) for each, length in ((across, height), (along, width)))
    flat = coefficients.reshape(channels, -1)
    first = (row.astype(jnp.int32) + 1) * (width + 4) + column.astype(jnp.int32) + 1
    by_y, by_x = jnp.stack(_weights(across - row)), _weights(along - column)

    def add(step_y: int, total: jax.Array) -> jax.Array:
        begin = first + step_y * (width + 4)
        return total + by_y[step_y] * sum(weight * flat[:, begin + step_x] for step_x, weight in enumerate(by_x))

    total = jax.lax.fori_loop(0, 4, add, jnp.zeros((channels, height * width), dtype=coefficients.dtype))
    return jnp.where(inside, total, 0).reshape(channels, height, width)


def _weights(share: jax.Array) -> list[jax.Array]:
    """Weights of the cubic B-spline at the samples −1..2 for a value at ``share`` in 0..1."""
    rest = 1 - share
    return [
        rest**3 / 6,
        2 / 3 - share**2 + share**3 / 2,
        2 / 3 - rest**2 + rest**3 / 2,
        share**3 / 6,
    ]
