"""Outline of a meta-atom: its polygon on the grid of a layout, and its dimensions from a polygon.

Polygons of round outlines have the area of the circle, not its radius, so that the dose and the filling of the cell
are those of the library. Lengths are found again from the area A and the polar second moment J about the centroid,
whatever the number of vertices: a disc of the diameter d has A = πd²/4, a ring of the diameters d₁ > d₂ has
d₁² = 4J/A + 2A/π and d₂² = 4J/A − 2A/π. Of a rectangle of the sides a > b, turned by β, the principal second moments
are Aa²/12 and Ab²/12, and ∫(x² − y²) + 2i∫xy = A(a² − b²)/12 · exp(2iβ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.polygon import crossing_edges, turned, without_repeats
from metalens.formats.meta_atoms.shapes import FEWEST_VERTICES, Family, Shape
from metalens.optics.layout.hierarchy import OUTLINE_COLUMNS, measure
from metalens.optics.layout.matching import described, ideal_features

ROUND, SQUARE, RECTANGULAR, ANNULAR = "round", "square", "rectangular", "annular"
ELLIPTICAL, POLYGON = "elliptical", "polygon"

FEATURES = ("area", "moment", "width", "height", "difference", "product", "aside")
"""What is measured of a polygon: area, polar second moment about the centroid, the sides of its box, ∫(x² − y²) and
2∫xy, and 1 where the box is that before the polygon was turned by no multiple of a right angle, else 0."""

OUTLINE_OF: dict[str, str] = {
    "round_pillar": ROUND,
    "round_hole": ROUND,
    "square_pillar": SQUARE,
    "square_hole": SQUARE,
    "rectangular_pillar": RECTANGULAR,
    "annular_pillar": ANNULAR,
    "elliptical_pillar": ELLIPTICAL,
    "cross_pillar": POLYGON,
    "h_pillar": POLYGON,
    "polygonal_pillar": POLYGON,
}

MATCHED = (ELLIPTICAL, POLYGON)
"""Kinds of outline that are read as the meta-atoms of a library that they match."""

UPRIGHT = 1e-9
"""Sine of an angle that is rounding alone."""

SMALLEST_RING = 0.1
"""Inner over outer diameter, below which a ring is taken for a disc: an octagon's second moment reads 0.06."""

BOX_TOLERANCE = 0.07
"""How far a round outline's box may be from its diameter: 5 % for a hexagon, 3 % for an octagon."""


def outline(family: Family, lengths: np.ndarray, grid: float, vertices: int = 32, rotation: float = 0.0) -> np.ndarray:
    """The polygon of a meta-atom, on the grid.

    Args:
        family: shape, turn and vertices.
        lengths: ``[parameter]`` in metres, as ``metalens.formats.meta_atoms.shapes.PARAMETERS`` has them.
        grid: the layout's step in metres.
        vertices: of a round outline, a multiple of 4.
        rotation: of this meta-atom beside its family's, anticlockwise as layouts are seen, in radians.

    Returns:
        ``[vertex, 2]`` int64 (x, y) in steps of the grid, around the site; y points up.

    Raises:
        InputError: the meta-atom is smaller than the grid can show, or its ring is closed.
    """
    steps = np.asarray(lengths, dtype=float) / grid
    kind = OUTLINE_OF[family.shape]
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
    elif kind == ELLIPTICAL:
        points = _ellipse(steps, vertices, family.rotation + rotation)
    elif kind == POLYGON:
        points = _corners(family, steps, rotation)
    elif abs(np.sin(rotation)) < UPRIGHT:
        points = _box(steps[0], steps[-1])
    else:
        points = _turned_box(steps[0], steps[-1], rotation)
    if len(points) < FEWEST_VERTICES or measure(points[None])[0, 0] < 1:
        raise InputError(
            f"{family.shape}: lengths of {', '.join(f'{1e9 * each:g}' for each in lengths)} nm vanish on a grid of "
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


def _ellipse(axes: np.ndarray, vertices: int, angle: float) -> np.ndarray:
    """A polygon with the ellipse's area: as of circles, but that its axes and their angle count, too."""
    fitting = 0.5 * np.sqrt(2 * np.pi / (vertices * np.sin(2 * np.pi / vertices)))
    added = np.linspace(-0.5, 0.5, 101)[:, None, None]
    around = 2 * np.pi * (np.arange(vertices) + np.array([[0.0], [0.5]])) / vertices
    x, y = (fitting * length + added for length in axes)
    upright = np.stack(np.broadcast_arrays(x * np.cos(around), y * np.sin(around)), axis=-1)
    points = np.rint(turned(upright, angle)).reshape(-1, vertices, 2)
    wanted = ideal_features(Family("elliptical_pillar", angle), axes)
    wrong = np.abs(described(measure(points)[:, OUTLINE_COLUMNS]) - described(wanted[None]))[:, :4].max(axis=1)
    return points[int(np.argmin(wrong))].astype(np.int64)


def _corners(family: Family, steps: np.ndarray, rotation: float) -> np.ndarray:
    """An outline whose corners are rounded; of upright crosses and H shapes the lengths are."""
    angle = family.rotation + rotation
    if family.vertices is None and abs(np.sin(2 * angle)) < UPRIGHT:
        steps = np.rint(steps)
    points = turned(Family(family.shape, 0.0, family.vertices).outline(steps), angle)
    # Halves go up on both sides, so that an odd length stays what it is.
    whole = without_repeats(np.floor(points + (0.5 + 1e-9)))
    if len(whole) >= FEWEST_VERTICES and crossing_edges(whole) is not None:
        raise InputError(
            f"{family.shape}: lengths of {', '.join(f'{each:g}' for each in steps)} steps of the grid make an outline "
            "that crosses itself; take a finer grid"
        )
    return whole.astype(np.int64)


def _box(width: float, height: float) -> np.ndarray:
    """A rectangle whose sides are rounded, not its corners: an odd one lies half a step off its site."""
    right, top = round(width), round(height)
    left, bottom = -(right // 2), -(top // 2)
    return np.array(
        [[left, bottom], [left + right, bottom], [left + right, bottom + top], [left, bottom + top]], dtype=np.int64
    )


def _turned_box(width: float, height: float, angle: float) -> np.ndarray:
    """A turned rectangle whose corners are rounded."""
    corners = 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width, height]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.rint(corners @ turn.T).astype(np.int64)


@dataclass(frozen=True)
class Outlines:
    """Recognised outlines.

    Attributes:
        kind: that all of them are.
        lengths: ``[outline, parameter]`` in metres.
        rotation: ``[outline]`` by which rectangles are turned anticlockwise, in radians, 0 to π, the longer side lying
            along x before; None where all outlines stand upright.
        family: ``[outline]`` number of each one's family in a library; None of one family.
    """

    kind: str
    lengths: np.ndarray
    rotation: np.ndarray | None = None
    family: np.ndarray | None = None


def principal_sides(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sides and angle of the rectangles with given second moments.

    Args:
        features: ``[outline, feature]`` in metres and their powers; see :data:`FEATURES`.

    Returns:
        ``[outline, (longer, shorter)]`` in metres, and ``[outline]`` the angle of the longer side from x towards y, in
        radians, 0 to π.
    """
    area, moment, _, _, difference, product, _ = features.T
    axial = np.hypot(difference, product)
    squares = 6 * np.stack([moment + axial, moment - axial], axis=1) / area[:, None]
    angle = 0.5 * np.arctan2(product, difference) % np.pi
    # The remainder of a tiny negative angle is π itself.
    return np.sqrt(np.maximum(squares, 0)), np.where(angle < np.pi, angle, 0.0)


def recognise(features: np.ndarray, tolerance: float) -> Outlines:
    """What outlines these are, by what was measured of them.

    Args:
        features: ``[outline, feature]`` of polygons, in metres and their powers; see :data:`FEATURES`.
        tolerance: in metres, of a length: a step or two of the layout's grid.

    Returns:
        Their kind, lengths and rotation.

    Raises:
        InputError: one is none of these kinds, they differ in kind, or squares are turned.
    """
    area, moment, width, height = features.T[:4]
    disc = 2 * np.sqrt(area / np.pi)
    ring_outer = np.sqrt(4 * moment / area + 2 * area / np.pi)
    ring_inner = np.sqrt(np.maximum(4 * moment / area - 2 * area / np.pi, 0))
    box = np.stack([width, height], axis=1)
    sides, angle = principal_sides(features)
    oblong = sides[:, 0] - sides[:, 1] > 2 * tolerance
    upright = np.abs(area - width * height) <= tolerance * (width + height)
    full = upright | (oblong & (np.abs(area - sides.prod(axis=1)) <= tolerance * sides.sum(axis=1)))
    is_ring = ~full & (ring_inner > SMALLEST_RING * ring_outer) & _as_wide_as(box, ring_outer, tolerance)
    is_disc = ~full & (ring_inner <= SMALLEST_RING * ring_outer) & _as_wide_as(box, disc, tolerance)
    unknown = np.flatnonzero(~(full | is_ring | is_disc))
    if unknown.size:
        first = unknown[0]
        raise InputError(
            f"a polygon of {1e9 * width[first]:.4g} × {1e9 * height[first]:.4g} nm that fills "
            f"{100 * area[first] / (width[first] * height[first]):.0f} % of its box is neither a disc, a ring nor a "
            "rectangle; name the layer that holds the meta-atoms alone."
        )
    counts = {"rectangles": int(full.sum()), "discs": int(is_disc.sum()), "rings": int(is_ring.sum())}
    present = {name: count for name, count in counts.items() if count}
    if len(present) > 1:
        listed = " and ".join(f"{count} outlines that are {name}" for name, count in present.items())
        raise InputError(f"{listed} in one layer; a structure has meta-atoms of one shape.")
    if is_disc.all():
        return Outlines(ROUND, disc[:, None])
    if is_ring.all():
        return Outlines(ANNULAR, np.stack([ring_outer, ring_inner], axis=1))
    if not upright.all() or features[:, 6].any():
        if not oblong.all():
            raise InputError("squares at an angle are not known; a structure has upright ones, or turned rectangles")
        return Outlines(RECTANGULAR, sides, angle)
    if (np.abs(width - height) <= 0.5 * tolerance).all():
        return Outlines(SQUARE, np.sqrt(area)[:, None])
    return Outlines(RECTANGULAR, box)


def _as_wide_as(box: np.ndarray, diameter: np.ndarray, tolerance: float) -> np.ndarray:
    allowed = BOX_TOLERANCE * diameter[:, None] + 2 * tolerance
    return np.asarray((np.abs(box - diameter[:, None]) <= allowed).all(axis=1))


def shape_of(kind: str, *, holes: bool) -> Shape:
    """The shape in ``structure.h5`` of an outline; a layout does not tell pillars from holes.

    Args:
        kind: of outline.
        holes: whether the outlines are holes in a layer.

    Returns:
        The name of the shape.

    Raises:
        InputError: there are no holes of this kind.
    """
    every = get_args(Shape)
    fitting: list[Shape] = [each for each in every if OUTLINE_OF[each] == kind and each.endswith("_hole") == holes]
    if not fitting:
        raise InputError(f"{kind} holes are not known; a structure has round or square holes.")
    return fitting[0]
