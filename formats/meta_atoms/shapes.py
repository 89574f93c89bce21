"""Cross-sections of meta-atoms: their shapes, the lengths that describe them, and their outlines as polygons.

Lengths are metres. x points right and y up, as in layouts; angles run anticlockwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.polygon import area_of, centred, crossing_edges, turned, without_repeats

Shape = Literal[
    "round_pillar",
    "square_pillar",
    "rectangular_pillar",
    "annular_pillar",
    "elliptical_pillar",
    "cross_pillar",
    "h_pillar",
    "polygonal_pillar",
    "round_hole",
    "square_hole",
]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "round_pillar": ("diameter",),
    "square_pillar": ("width",),
    "rectangular_pillar": ("width_x", "width_y"),
    "annular_pillar": ("outer_diameter", "inner_diameter"),
    "elliptical_pillar": ("diameter_x", "diameter_y"),
    "cross_pillar": ("length", "arm_width"),
    "h_pillar": ("width_x", "width_y", "leg_width", "bar_width"),
    "polygonal_pillar": ("size",),
    "round_hole": ("diameter",),
    "square_hole": ("width",),
}
"""Parameters of the geometry of each shape, in metres."""

MIXED: Final = "mixed"
"""The shape of what holds several families."""

Kind = Shape | Literal["mixed"]

MOST_PARAMETERS = max(len(names) for names in PARAMETERS.values())

MIXED_PARAMETERS = tuple(f"length_{number}" for number in range(1, MOST_PARAMETERS + 1))
"""Names of the parameters of a mixed geometry: the parameters of each meta-atom's own shape, and 0 for those that it
does not have.
"""

POLYGONAL: Shape = "polygonal_pillar"
TURNED: tuple[Shape, ...] = ("elliptical_pillar", "cross_pillar", "h_pillar", POLYGONAL)
"""Shapes that a library may hold turned by an angle."""

POSSIBLE = {
    "annular_pillar": "an inner_diameter is less than its outer_diameter",
    "cross_pillar": "an arm_width is no more than its length",
    "h_pillar": "two leg_widths are less than the width_x, and a bar_width is no more than the width_y",
}
"""What the lengths of a shape have to fulfil."""

ELLIPSE_VERTICES = 48
"""Vertices of a round outline where gaps are measured: it is 0.2 % of the radius short of the ellipse between its
corners.
"""

FEWEST_VERTICES, MOST_VERTICES = 3, 199
"""Numbers of vertices of a polygon: more are no polygon of GDSII."""


@dataclass(frozen=True)
class Family:
    """Meta-atoms of one shape that differ in their lengths alone.

    Attributes:
        shape: of their cross-section.
        rotation: by which each is turned, anticlockwise, in radians; of the shapes :data:`TURNED`.
        vertices: (x, y) of a polygonal pillar's outline in any unit: it is scaled until the longer side of its box,
            before it is turned, is ``size``, and its centroid lies on the site. None of all other shapes.
    """

    shape: Shape
    rotation: float = 0.0
    vertices: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        if self.shape not in PARAMETERS:
            raise InputError(f"shape is {self.shape!r}, expected one of {', '.join(PARAMETERS)}")
        if not np.isfinite(self.rotation):
            raise InputError(f"rotation of a {self.shape} is {self.rotation}; a finite angle was expected")
        if self.rotation and self.shape not in TURNED:
            raise InputError(f"a {self.shape} has no rotation; {', '.join(TURNED)} have")
        if (self.vertices is None) == (self.shape == POLYGONAL):
            lacks = "needs vertices" if self.vertices is None else f"has no vertices; a {POLYGONAL} has"
            raise InputError(f"a {self.shape} {lacks}")
        if self.vertices is not None:
            _check_vertices(np.array(self.vertices, dtype=float))

    def upright(self) -> Family:
        """The same, not turned."""
        return Family(self.shape, 0.0, self.vertices)

    @property
    def mirrored(self) -> bool:
        """Whether the cross-section is its own mirror image across x and across y."""
        return self.shape != POLYGONAL and abs(np.sin(2 * self.rotation)) < 1e-9

    @property
    def turned_alike(self) -> bool:
        """Whether a quarter turn leaves the cross-section as it is, and both mirrors do, too."""
        return self.mirrored and self.shape not in ("rectangular_pillar", "elliptical_pillar", "h_pillar")

    def outline(self, lengths: np.ndarray, corners: int = ELLIPSE_VERTICES) -> np.ndarray:
        """The outline about the site; of a ring the outer one.

        Args:
            lengths: ``[parameter]``, as :data:`PARAMETERS` has them.
            corners: of round outlines, a multiple of 4; they lie on the ellipse.

        Returns:
            ``[vertex, 2]`` (x, y), anticlockwise.
        """
        first, last = float(lengths[0]), float(lengths[-1])
        if self.shape == POLYGONAL:
            points = centred(np.array(self.vertices, dtype=float))
            points = points * (first / np.ptp(points, axis=0).max())
        elif self.shape == "elliptical_pillar":
            points = _ellipse(first, last, corners)
        elif self.shape.startswith(("round", "annular")):
            points = _ellipse(first, first, corners)
        elif self.shape == "cross_pillar":
            points = _cross(first, last)
        elif self.shape == "h_pillar":
            points = _h(*(float(each) for each in lengths))
        else:
            points = _box(first, last)
        return turned(points, self.rotation) if self.rotation else points


def parameters_of(shape: str) -> tuple[str, ...]:
    """Names of the parameters of a shape, or of a mixed geometry.

    Args:
        shape: of :data:`Kind`.
    """
    return MIXED_PARAMETERS if shape == MIXED else PARAMETERS[shape]


def possible(shape: str, lengths: np.ndarray) -> np.ndarray:
    """Which lengths make a cross-section of a shape, as :data:`POSSIBLE` says.

    Args:
        shape: of the meta-atoms.
        lengths: ``[atom, parameter]``.

    Returns:
        ``[atom]`` true or false.
    """
    if shape == "annular_pillar":
        return np.asarray(lengths[:, 1] < lengths[:, 0])
    if shape == "cross_pillar":
        return np.asarray(lengths[:, 1] <= lengths[:, 0])
    if shape == "h_pillar":
        return np.asarray((2 * lengths[:, 2] < lengths[:, 0]) & (lengths[:, 3] <= lengths[:, 1]))
    return np.ones(len(lengths), dtype=bool)


def _check_vertices(points: np.ndarray) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or not FEWEST_VERTICES <= len(points) <= MOST_VERTICES:
        raise InputError(
            f"vertices have the shape {points.shape}, expected {FEWEST_VERTICES} to {MOST_VERTICES} pairs (x, y)"
        )
    if not np.isfinite(points).all():
        raise InputError("vertices hold a number that is not finite")
    same = np.flatnonzero((points == np.roll(points, -1, axis=0)).all(axis=1))
    if same.size:
        raise InputError(
            f"vertices {same[0] + 1} and {(same[0] + 1) % len(points) + 1} are the same point; give each once, and do "
            "not repeat the first at the end"
        )
    crossing = crossing_edges(points)
    if crossing is not None:
        first, second = crossing
        raise InputError(
            f"the polygon crosses or touches itself: its edge from vertex {first + 1} meets that from vertex "
            f"{second + 1}; give the vertices in order around one outline"
        )
    if not abs(area_of(points)) > 1e-6 * np.ptp(points, axis=0).max() ** 2:
        raise InputError("the polygon has no area; its vertices lie on a line")


def _ellipse(diameter_x: float, diameter_y: float, corners: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(corners) / corners
    return 0.5 * np.stack([diameter_x * np.cos(angle), diameter_y * np.sin(angle)], axis=1)


def _box(width_x: float, width_y: float) -> np.ndarray:
    return 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width_x, width_y]


def _cross(length: float, arm: float) -> np.ndarray:
    far, near = 0.5 * length, 0.5 * arm
    corner = np.array([[far, -near], [far, near], [near, near]])
    return without_repeats(np.concatenate([turned(corner, quarter * np.pi / 2) for quarter in range(4)]))


def _h(width_x: float, width_y: float, leg: float, bar: float) -> np.ndarray:
    right, top, inner, half = 0.5 * width_x, 0.5 * width_y, 0.5 * width_x - leg, 0.5 * bar
    upper = np.array([[right, top], [inner, top], [inner, half], [-inner, half], [-inner, top], [-right, top]])
    return without_repeats(np.concatenate([upper, -upper]))
