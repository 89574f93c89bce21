"""Outline of a meta-atom: its polygon on the grid of a layout, and its dimensions from a polygon.

Polygons of round outlines have the area of the circle, not its radius, so that the dose and the filling of the cell
are those of the library. Lengths are found again from the area A and the polar second moment J about the centroid,
whatever the number of vertices: a disc of the diameter d has A = πd²/4, a ring of the diameters d₁ > d₂ has
d₁² = 4J/A + 2A/π and d₂² = 4J/A − 2A/π.
"""

from __future__ import annotations

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Shape
from metalens.optics.layout.hierarchy import measure

ROUND, SQUARE, RECTANGULAR, ANNULAR = "round", "square", "rectangular", "annular"

FEATURES = ("area", "moment", "width", "height")
"""What is measured of a polygon: area, polar second moment about the centroid, and the sides of its box."""

OUTLINE_OF: dict[Shape, str] = {
    "round_pillar": ROUND,
    "round_hole": ROUND,
    "square_pillar": SQUARE,
    "square_hole": SQUARE,
    "rectangular_pillar": RECTANGULAR,
    "annular_pillar": ANNULAR,
}

SMALLEST_RING = 0.1
"""Inner over outer diameter, below which a ring is taken for a disc: an octagon's second moment reads 0.06."""

BOX_TOLERANCE = 0.07
"""How far a round outline's box may be from its diameter: 5 % for a hexagon, 3 % for an octagon."""


def outline(shape: Shape, lengths: np.ndarray, grid: float, vertices: int = 32) -> np.ndarray:
    """The polygon of a meta-atom, on the grid.

    Args:
        shape: such as ``"round_pillar"``; a word of ``structure.h5``.
        lengths: ``[parameter]`` in metres: diameter; width; width along x and along y; outer and inner diameter.
        grid: the layout's step in metres.
        vertices: of a round outline, a multiple of 4.

    Returns:
        ``[vertex, 2]`` int64 (x, y) in steps of the grid, around the site.

    Raises:
        InputError: the meta-atom is smaller than the grid can show, or its ring is closed.
    """
    steps = np.asarray(lengths, dtype=float) / grid
    kind = OUTLINE_OF[shape]
    if kind == ANNULAR:
        if steps[1] >= steps[0]:
            raise InputError(
                f"annular_pillar: inner diameter {1e9 * lengths[1]:g} nm is not less than the outer one, "
                f"{1e9 * lengths[0]:g} nm; correct the structure."
            )
        outer, inner = (_circle(each, vertices) for each in steps)
        # A layout has no holes: the inner circle runs backwards, with a seam from the first vertex to the first.
        points = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
    elif kind == ROUND:
        points = _circle(steps[0], vertices)
    else:
        points = _box(steps[0], steps[-1])
    if measure(points[None])[0, 0] < 1:
        raise InputError(
            f"{shape}: lengths of {', '.join(f'{1e9 * each:g}' for each in lengths)} nm vanish on a grid of "
            f"{1e9 * grid:g} nm; take a finer grid."
        )
    return points


def _circle(diameter: float, vertices: int) -> np.ndarray:
    """A polygon with the circle's area: of radii and turns around those that fit without a grid, the best with it."""
    fitting = 0.5 * diameter * np.sqrt(2 * np.pi / (vertices * np.sin(2 * np.pi / vertices)))
    radii = fitting + np.linspace(-0.5, 0.5, 101)
    angle = 2 * np.pi * (np.arange(vertices) + np.array([[0.0], [0.5]])) / vertices
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points = np.rint(radii[:, None, None, None] * unit).reshape(-1, vertices, 2)
    wrong = np.abs(measure(points)[:, 0] - 0.25 * np.pi * diameter**2)
    return points[int(np.argmin(wrong))].astype(np.int64)


def _box(width: float, height: float) -> np.ndarray:
    """A rectangle whose sides are rounded, not its corners: an odd one lies half a step off its site."""
    right, top = round(width), round(height)
    left, bottom = -(right // 2), -(top // 2)
    return np.array(
        [[left, bottom], [left + right, bottom], [left + right, bottom + top], [left, bottom + top]], dtype=np.int64
    )


def recognise(features: np.ndarray, tolerance: float) -> tuple[str, np.ndarray]:
    """What outlines these are, by what was measured of them.

    Args:
        features: ``[outline, feature]`` of polygons, in metres and their powers; see :data:`FEATURES`.
        tolerance: in metres, of a length: a step or two of the layout's grid.

    Returns:
        The kind that all of them are, and their lengths ``[outline, parameter]`` in metres.

    Raises:
        InputError: one is none of these kinds, or they differ in kind.
    """
    area, moment, width, height = features.T
    disc = 2 * np.sqrt(area / np.pi)
    ring_outer = np.sqrt(4 * moment / area + 2 * area / np.pi)
    ring_inner = np.sqrt(np.maximum(4 * moment / area - 2 * area / np.pi, 0))
    box = np.stack([width, height], axis=1)
    full = np.abs(area - width * height) <= tolerance * (width + height)
    is_ring = ~full & (ring_inner > SMALLEST_RING * ring_outer) & _as_wide_as(box, ring_outer, tolerance)
    is_disc = ~full & (ring_inner <= SMALLEST_RING * ring_outer) & _as_wide_as(box, disc, tolerance)
    unknown = np.flatnonzero(~(full | is_ring | is_disc))
    if unknown.size:
        first = unknown[0]
        raise InputError(
            f"a polygon of {1e9 * width[first]:.4g} × {1e9 * height[first]:.4g} nm that fills "
            f"{100 * area[first] / (width[first] * height[first]):.0f} % of its box is neither a disc, a ring nor an "
            "upright rectangle; name the layer that holds the meta-atoms alone."
        )
    counts = {"rectangles": int(full.sum()), "discs": int(is_disc.sum()), "rings": int(is_ring.sum())}
    present = {name: count for name, count in counts.items() if count}
    if len(present) > 1:
        listed = " and ".join(f"{count} outlines that are {name}" for name, count in present.items())
        raise InputError(f"{listed} in one layer; a structure has meta-atoms of one shape.")
    if is_disc.all():
        return ROUND, disc[:, None]
    if is_ring.all():
        return ANNULAR, np.stack([ring_outer, ring_inner], axis=1)
    if (np.abs(width - height) <= 0.5 * tolerance).all():
        return SQUARE, np.sqrt(area)[:, None]
    return RECTANGULAR, box


def _as_wide_as(box: np.ndarray, diameter: np.ndarray, tolerance: float) -> np.ndarray:
    allowed = BOX_TOLERANCE * diameter[:, None] + 2 * tolerance
    return np.asarray((np.abs(box - diameter[:, None]) <= allowed).all(axis=1))


def shape_of(kind: str, *, holes: bool) -> Shape:
    """The shape in ``structure.h5`` of an outline; a layout does not tell pillars from holes.

    Args:
        kind: of outline.
        holes: whether the outlines are holes in a layer.

    Raises:
        InputError: there are no holes of this kind.
    """
    fitting = [shape for shape, each in OUTLINE_OF.items() if each == kind and shape.endswith("_hole") == holes]
    if not fitting:
        raise InputError(f"{kind} holes are not known; a structure has round or square holes.")
    return fitting[0]
