"""Outlines of a layout as meta-atoms of a library: of shapes whose lengths do not follow from area and moments alone.

An outline is described by lengths: the root of its area A, the radius of gyration √(J/A), the axial moments
(∫(x² − y²), 2∫xy) over A and that radius, and the sides of its box. It is the meta-atom whose ideal outline differs
least from it in any of them.
"""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.structure import TURNABLE
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import AtomTable, family_of, lengths_of, told_lengths
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.layout.hierarchy import OUTLINE_COLUMNS, measure

ROUNDED = ("round", "annular", "elliptical")

ROUND_BOX = 0.2
"""Weight of the box of round outlines: a polygon of few corners has another one than its ellipse."""

CORNERS = 720
"""Corners of an ideal round outline: its lengths are true to 10⁻⁵."""

BLOCK = 256
"""Outlines that are compared at once."""


def ideal_features(family: Family, lengths: np.ndarray) -> np.ndarray:
    """What :func:`metalens.optics.layout.hierarchy.measure` tells of a meta-atom that no grid rounds.

    Args:
        family: of the meta-atom.
        lengths: ``[parameter]`` in metres.

    Returns:
        ``[feature]``: area, polar second moment, sides of the box, axial moments.
    """
    found = measure(family.outline(lengths, CORNERS)[None])[0, OUTLINE_COLUMNS]
    if family.shape == "annular_pillar":
        inner = measure(Family("round_pillar").outline(lengths[1:], CORNERS)[None])[0, OUTLINE_COLUMNS]
        found[:2] -= inner[:2]
    return np.asarray(found)


def described(features: np.ndarray) -> np.ndarray:
    """Lengths that tell outlines apart.

    Args:
        features: ``[outline, feature]`` in metres and their powers, those of :func:`ideal_features` first.

    Returns:
        ``[outline, 6]`` in metres: root of the area, radius of gyration, axial moments along x and along the diagonal,
        sides of the box.
    """
    area, moment, width, height, difference, product = features.T[:6]
    safe = np.where(area > 0, area, 1.0)
    gyration = np.sqrt(np.maximum(moment, 0) / safe)
    axial = np.stack([difference, product]) / np.where(gyration > 0, safe * gyration, 1.0)
    return np.stack([np.sqrt(area), gyration, *axial, width, height], axis=1)


def outline_error(family: Family, lengths: np.ndarray, features: np.ndarray) -> float:
    """Largest difference of a drawn outline from the ideal one, in metres.

    Args:
        family: of the meta-atom.
        lengths: ``[parameter]`` in metres.
        features: ``[feature]`` of what was drawn.

    Returns:
        In metres, 0 or more.
    """
    drawn, ideal = described(np.stack([features[:6], ideal_features(family, lengths)]))
    compared = 4 if family.shape.startswith(ROUNDED) else 6
    return float(np.abs(drawn - ideal)[:compared].max())


def match(features: np.ndarray, table: AtomTable, tolerance: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Which meta-atoms of a library outlines are, and how they are turned against the library's.

    Args:
        features: ``[outline, feature]`` of ``metalens.optics.layout.outlines.FEATURES``, in metres and their powers.
        table: the library's meta-atoms.
        tolerance: largest difference in metres.

    Returns:
        ``[outline]`` numbers of meta-atoms, and ``[outline]`` by which each is turned anticlockwise, 0 to π; None
        where all stand as in the library. Only meta-atoms that a half turn leaves as they are may be turned.

    Raises:
        InputError: an outline is none of the library's.
    """
    families = [family_of(table, atom) for atom in range(len(table.geometry))]
    ideal = [ideal_features(family, lengths_of(table, atom)) for atom, family in enumerate(families)]
    known = described(np.stack(ideal))
    weights = np.array([ROUND_BOX if family.shape.startswith(ROUNDED) else 1.0 for family in families])
    drawn = described(features)
    # The box of what was referred to at an angle is that before it was turned.
    number, away = _nearest(drawn, known, weights, features[:, 6] == 0)
    if (away <= tolerance).all():
        return number, None
    if table.shape in TURNABLE and not table.families:
        turned, still_away = _nearest(_unturned(drawn), _unturned(known), 0 * weights, features[:, 6] == 0)
        if (still_away <= tolerance).all():
            return turned, _angle(drawn) - _angle(known)[turned]
        number, away = turned, still_away
    worst = int(away.argmax())
    raise InputError(_unknown(features[worst], table, int(number[worst]), float(away[worst])))


def _nearest(
    drawn: np.ndarray, known: np.ndarray, box: np.ndarray, upright: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``[outline]`` numbers of the least different meta-atoms, and the largest of each one's differences in metres."""
    number, away = np.empty(len(drawn), dtype=np.int64), np.empty(len(drawn))
    for start in range(0, len(drawn), BLOCK):
        part = slice(start, start + BLOCK)
        differences = np.abs(drawn[part, None] - known[None])
        differences[:, :, 4:] *= (box * upright[part, None])[:, :, None]
        largest = differences.max(axis=2)
        number[part] = largest.argmin(axis=1)
        away[part] = largest.min(axis=1)
    return number, away


def _unturned(lengths: np.ndarray) -> np.ndarray:
    """What does not change where an outline is turned; the axial moments as their modulus."""
    modulus = np.hypot(lengths[:, 2], lengths[:, 3])
    return np.column_stack([lengths[:, :2], modulus, np.zeros_like(modulus), lengths[:, 4:]])


def _angle(lengths: np.ndarray) -> np.ndarray:
    """Angle from x of the longest axis of an outline, anticlockwise: axial moments turn twice as fast."""
    return np.asarray(0.5 * np.arctan2(lengths[:, 3], lengths[:, 2]))


def _unknown(features: np.ndarray, table: AtomTable, nearest: int, away: float) -> str:
    family = family_of(table, nearest)
    width, height = features[2:4]
    found = f"a polygon of {1e9 * width:.4g} × {1e9 * height:.4g} nm"
    if family.shape == "elliptical_pillar":
        axes, angle = principal_axes(features)
        found += f", as an ellipse one of {told_lengths(axes)} nm at {np.degrees(angle):.3g}°"
    elif family.shape == "cross_pillar" and features[0] <= width**2:
        arm = width - np.sqrt(width**2 - features[0])
        found += f", as a cross one with arms of {told_lengths([width, arm])} nm"
    else:
        found += f" that fills {100 * features[0] / (width * height):.0f} % of its box"
    known = told_lengths(lengths_of(table, nearest))
    return (
        f"{found}, is none of the library's: the nearest, a {family.shape} of {known} nm, differs by "
        f"{1e9 * away:.3g} nm; name another with --library"
    )


def principal_axes(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Axes of the ellipse of given second moments, which are A a²/16 and A b²/16.

    Args:
        features: ``[feature]`` in metres and their powers.

    Returns:
        The longer and the shorter axis in metres, and the angle of the longer one, anticlockwise from x, in radians.
    """
    area, moment, _, _, difference, product = features[:6]
    axial = np.hypot(difference, product)
    axes = np.sqrt(np.maximum(8 * np.array([moment + axial, moment - axial]) / area, 0))
    return axes, float(0.5 * np.arctan2(product, difference) % np.pi)
