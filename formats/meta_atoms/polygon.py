"""Polygons without holes, ``[vertex, 2]`` (x, y), not closed."""

from __future__ import annotations

import numpy as np

PARALLEL = 1e-9
"""Sine of an angle below which two edges are parallel."""


def area_of(points: np.ndarray) -> float:
    """Area; negative if the vertices run clockwise."""
    x, y = (points - points[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - np.roll(x, -1) @ y)


def centred(points: np.ndarray) -> np.ndarray:
    """The same polygon with its centroid at the origin, anticlockwise."""
    start = points[0]
    x, y = (points - start).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    centroid = np.array([(x + np.roll(x, -1)) @ cross, (y + np.roll(y, -1)) @ cross]) / (3 * cross.sum())
    return np.asarray((points - start - centroid)[:: 1 if cross.sum() > 0 else -1])


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """A polygon turned anticlockwise about the origin; exact for quarter turns.

    Args:
        points: ``[vertex, 2]``.
        angle: in radians.

    Returns:
        ``[vertex, 2]``.
    """
    quarter = angle / (0.5 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    if abs(quarter - round(quarter)) < 1e-9:
        cosine, sine = np.round([cosine, sine])
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


def without_repeats(points: np.ndarray) -> np.ndarray:
    """The same outline without vertices that lie on the one before, nor on a straight line between two others."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    bend = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return np.asarray(points[np.abs(bend) > PARALLEL * np.hypot(*before.T) * np.hypot(*after.T)])


def contains(points: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether places lie within a polygon: a ray to the right crosses its outline an odd number of times.

    Args:
        points: ``[vertex, 2]``.
        x: ``[...]`` of the places.
        y: ``[...]``.

    Returns:
        ``[...]`` bool.
    """
    inside = np.zeros(np.broadcast(x, y).shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 != y1:
            # One end counts and the other does not, so that a ray through a vertex crosses once.
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return inside


def crossing_edges(points: np.ndarray) -> tuple[int, int] | None:
    """The first two edges that meet elsewhere than at a vertex that they share; None if no two do."""
    start, end = points, np.roll(points, -1, axis=0)
    count = len(points)
    for edge in range(count - 1):
        others = np.arange(edge + 1, count)
        # Neighbours share a vertex. Where one runs back over the other, an edge beside them meets them, too.
        apart = others[(others != edge + 1) & ((edge > 0) | (others != count - 1))]
        met = apart[_meet(start[edge], end[edge], start[apart], end[apart])]
        if met.size:
            return edge, int(met[0])
    return None


def _meet(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Whether the edge from a to b meets those from c to d ``[edge, 2]``, their ends included."""

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        along, to = q - p, r - p
        cross = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
        scale = np.hypot(along[..., 0], along[..., 1]) * np.hypot(to[..., 0], to[..., 1])
        return np.where(np.abs(cross) <= PARALLEL * scale, 0, np.sign(cross))

    apart = (side(a, b, c) * side(a, b, d) > 0) | (side(c, d, a) * side(c, d, b) > 0)
    boxes = (np.maximum(c, d) >= np.minimum(a, b)) & (np.minimum(c, d) <= np.maximum(a, b))
    return np.asarray(~apart & boxes.all(axis=1))


def leaves_cell(points: np.ndarray, vectors: np.ndarray) -> bool:
    """Whether a polygon reaches to or beyond the border of its site's cell, all of which is nearer to no other site.

    Args:
        points: ``[vertex, 2]`` about the site.
        vectors: ``[2, (x, y)]`` of the lattice, in the unit of the points.

    Returns:
        True if it touches or crosses the border.
    """
    first, second = vectors
    neighbours = np.array([first, second, first + second, first - second])
    return bool((np.abs(points @ neighbours.T) >= 0.5 * (neighbours**2).sum(axis=1)).any())
