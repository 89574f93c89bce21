"""Smallest feature of a meta-atom and smallest gap between meta-atoms: what a process has to resolve.

The smallest feature of a polygon is the shortest chord within it that meets the outline at right angles at both ends
(at a re-entrant corner: between the normals of its edges), or its smallest width between two parallel lines. Gaps are
such chords outside of it, and the distance from its copies on neighbouring sites. Sharp tips, which every process
rounds, do not count.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from metalens.formats.meta_atoms.shapes import Family

ALONG = 1e-6
"""Cosine up to which a chord counts as at right angles to an edge."""


def feature_and_gap(family: Family, lengths: np.ndarray, vectors: np.ndarray) -> tuple[float, float]:
    """Smallest feature and smallest gap of an array of equal meta-atoms.

    Args:
        family: of the meta-atom.
        lengths: ``[parameter]`` in metres.
        vectors: ``[2, (x, y)]`` of the lattice in metres.

    Returns:
        Both in metres; of a hole the gap is its own size and the feature the wall between two holes.
    """
    points = family.outline(lengths)
    if family.shape.startswith(("round", "elliptical")):
        # Not that of their polygon, which is less by some thousandths.
        feature = float(np.min(lengths))
    else:
        feature = min(smallest_width(points), shortest_chord(points, inside=True))
    gap = min(shortest_chord(points, inside=False), distance_to_copies(points, vectors))
    if family.shape == "annular_pillar":
        return 0.5 * float(lengths[0] - lengths[1]), min(gap, float(lengths[1]))
    return (gap, feature) if family.shape.endswith("hole") else (feature, gap)


def smallest_width(points: np.ndarray) -> float:
    """Smallest distance of two parallel lines between which a polygon fits.

    One of them lies along an edge of the polygon's hull, of which every line through two vertices is a candidate.

    Args:
        points: ``[vertex, 2]``.
    """
    first, second = np.triu_indices(len(points), 1)
    along = points[second] - points[first]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    return float(np.ptp(points @ normal.T, axis=0).min())


def shortest_chord(points: np.ndarray, *, inside: bool) -> float:
    """The shortest chord between two edges that meets the outline at right angles at both ends.

    Args:
        points: ``[vertex, 2]``, anticlockwise.
        inside: of the polygon, or outside of it.

    Returns:
        Its length; infinite if there is none.
    """
    start, end = points, np.roll(points, -1, axis=0)
    first, second = np.triu_indices(len(points), 1)
    p, q = _nearest_points(start[first], end[first], start[second], end[second])
    chord = q - p
    length = np.hypot(*chord.T)
    apart = length > 1e-9 * np.ptp(points, axis=0).max()
    first, second, p, q = (each[apart] for each in (first, second, p, q))
    unit, length = chord[apart] / length[apart, None], length[apart]
    side = 1.0 if inside else -1.0
    right = _leaves_squarely(points, first, p, unit, side) & _leaves_squarely(points, second, q, -unit, side)
    return float(length[right].min(initial=np.inf))


def _leaves_squarely(
    points: np.ndarray, edge: np.ndarray, place: np.ndarray, direction: np.ndarray, side: float
) -> np.ndarray:
    """Whether chords leave their edge on the asked side, and no way along the outline makes them shorter at first."""
    count = len(points)
    along = np.roll(points, -1, axis=0) - points
    along = along / np.hypot(*along.T)[:, None]
    # The inside of an anticlockwise outline lies on the left.
    left = side * np.stack([-along[:, 1], along[:, 0]], axis=1)
    fine = (direction * left[edge]).sum(axis=1) > ALONG
    for corner, beyond, away in ((edge, edge - 1, -1.0), ((edge + 1) % count, (edge + 1) % count, 1.0)):
        at = np.isclose(place, points[corner], rtol=0, atol=1e-9 * np.ptp(points, axis=0).max()).all(axis=1)
        shorter = (away * direction * along[beyond]).sum(axis=1) > ALONG
        wrong_side = (direction * left[beyond]).sum(axis=1) < -ALONG
        fine &= ~(at & (shorter | wrong_side))
    return np.asarray(fine)


def distance_to_copies(points: np.ndarray, vectors: np.ndarray) -> float:
    """Smallest distance of a polygon from its copies on the neighbouring sites, all of which are apart.

    Args:
        points: ``[vertex, 2]``.
        vectors: ``[2, (x, y)]`` of the lattice.

    Returns:
        The distance, in the unit of the points.
    """
    start, end = points, np.roll(points, -1, axis=0)
    first, second = (each.ravel() for each in np.meshgrid(np.arange(len(points)), np.arange(len(points))))
    shortest = np.inf
    # Of two opposite neighbours one tells of both.
    for i, j in [pair for pair in product((-1, 0, 1), repeat=2) if pair > (0, 0)]:
        shift = i * vectors[0] + j * vectors[1]
        p, q = _nearest_points(start[first], end[first], start[second] + shift, end[second] + shift)
        shortest = min(shortest, float(np.hypot(*(q - p).T).min()))
    return shortest


def _nearest_points(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest points of the edges from a to b and those from c to d, none of which cross, each ``[pair, 2]``.

    Of parallel edges that face each other, in the middle of what faces.
    """
    options = [(a, _on(c, d, a)), (b, _on(c, d, b)), (_on(a, b, c), c), (_on(a, b, d), d)]
    lengths = np.stack([((q - p) ** 2).sum(axis=1) for p, q in options])
    best = lengths.argmin(axis=0)
    tied = np.abs(lengths - lengths.min(axis=0)) <= 1e-9 * lengths.max(axis=0)
    p, q = (np.stack([option[end] for option in options]) for end in (0, 1))
    rows = np.arange(len(a))
    several = tied.sum(axis=0) > 1
    weight = (tied / tied.sum(axis=0))[:, :, None]
    mean_p, mean_q = (weight * p).sum(axis=0), (weight * q).sum(axis=0)
    pick = several[:, None]
    return np.where(pick, mean_p, p[best, rows]), np.where(pick, mean_q, q[best, rows])


def _on(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The points of edges that are nearest to points."""
    along = end - start
    share = ((point - start) * along).sum(axis=1) / (along**2).sum(axis=1)
    return np.asarray(start + np.clip(share, 0, 1)[:, None] * along)
