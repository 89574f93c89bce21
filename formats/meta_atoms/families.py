"""The meta-atoms of a library or of a lens: a family and lengths for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.shapes import (
    MIXED,
    MIXED_PARAMETERS,
    PARAMETERS,
    POSSIBLE,
    Family,
    Kind,
    Shape,
    possible,
)

MOST_FAMILIES = 16
"""In one library or lens."""


class AtomTable(Protocol):
    """What libraries and structures have in common.

    Attributes:
        shape: of the meta-atoms.
        families: shape, turn and vertices of the meta-atoms; none of upright meta-atoms of one shape.
        family: ``[atom]`` number of each one's family; None of one family.
        geometry: ``[atom, parameter]`` in metres.
    """

    @property
    def shape(self) -> Kind:
        """Shape of the meta-atoms."""

    @property
    def families(self) -> tuple[Family, ...]:
        """Families of the meta-atoms: shape, turn and vertices."""

    @property
    def family(self) -> np.ndarray | None:
        """Family of each meta-atom."""

    @property
    def geometry(self) -> np.ndarray:
        """Geometry of the meta-atoms, ``[atom, parameter]`` in metres."""


def checked_families(table: AtomTable, where: str) -> tuple[Family, ...]:
    """The families of a table in their one form: none of upright meta-atoms of one shape.

    Args:
        table: whose shape and families these are.
        where: how a message names what holds them.

    Returns:
        One family for each shape and turn; empty for upright meta-atoms of one shape.

    Raises:
        InputError: the shape is not known, or the families do not fit it.
    """
    try:
        families = families_of(table)
    except InputError as error:
        raise InputError(f"{where}: {error}.") from error
    shapes = [family.shape for family in families]
    if table.shape == MIXED:
        _check_mixed(table, where)
        return families
    if shapes != [table.shape] or table.family is not None:
        raise InputError(f"{where}: families {shapes} are not one of {table.shape}s.")
    return () if not families[0].rotation and families[0].vertices is None else families


def _check_mixed(table: AtomTable, where: str) -> None:
    families, family = table.families, table.family
    if not 2 <= len(families) <= MOST_FAMILIES or len(set(families)) < len(families):
        raise InputError(f"{where}: holds {len(families)} families, 2 to {MOST_FAMILIES} different ones were expected.")
    holes = [each.shape.endswith("hole") for each in families]
    if any(holes) and not all(holes):
        raise InputError(f"{where}: holds both pillars and holes; one layer has either.")
    if family is None or family.shape != table.geometry.shape[:1] or not np.issubdtype(family.dtype, np.integer):
        raise InputError(f"{where}: family must hold a whole number for each meta-atom.")
    if len(family) and not (family.min() >= 0 and family.max() < len(families)):
        raise InputError(f"{where}: family goes from {family.min()} to {family.max()} of {len(families)} families.")


def families_of(table: AtomTable) -> tuple[Family, ...]:
    """The families of a table, one at least.

    Args:
        table: of meta-atoms.
    """
    return table.families or (Family(cast(Shape, table.shape)),)


def told_shapes(table: AtomTable) -> str:
    """The shapes of a table's meta-atoms in words."""
    return " and ".join(dict.fromkeys(f"{family.shape}s" for family in families_of(table)))


def one_of(shape: str) -> str:
    """A shape in words, with its article."""
    return "a mixed geometry" if shape == MIXED else f"a {shape}"


def family_of(table: AtomTable, atom: int) -> Family:
    """Shape, turn and vertices of a meta-atom.

    Args:
        table: that holds it.
        atom: its row.

    Returns:
        The meta-atom's family.
    """
    return families_of(table)[0 if table.family is None else int(table.family[atom])]


def lengths_of(table: AtomTable, atom: int) -> np.ndarray:
    """Lengths of a meta-atom.

    Args:
        table: that holds it.
        atom: its row.

    Returns:
        ``[parameter]`` in metres.
    """
    return np.asarray(table.geometry[atom, : len(PARAMETERS[family_of(table, atom).shape])])


def told_lengths(lengths: Sequence[float] | np.ndarray) -> str:
    """Lengths in metres as words in nanometres."""
    return " × ".join(f"{1e9 * each:.4g}" for each in lengths)


def geometry_problem(table: AtomTable) -> str | None:
    """What is wrong with the lengths of a table's meta-atoms; None if they make cross-sections of their shapes.

    Args:
        table: its geometry has the right number of axes and columns.
    """
    for number, family in enumerate(families_of(table)):
        rows = table.geometry if table.family is None else table.geometry[table.family == number]
        names = PARAMETERS[family.shape]
        lengths, beyond = rows[:, : len(names)], rows[:, len(names) :]
        if not np.isfinite(lengths).all() or (lengths <= 0).any():
            return "every number of the geometry must be finite and more than 0"
        if (beyond != 0).any():
            return f"a {family.shape} has {len(names)} lengths, and those beyond must be 0"
        wrong = np.flatnonzero(~possible(family.shape, lengths))
        if wrong.size:
            found = told_lengths(lengths[wrong[0]])
            return f"{', '.join(names)} of {found} nm make no {family.shape}; {POSSIBLE[family.shape]}"
    return None


def joined_geometry(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Geometry and family of a mixed table.

    Args:
        parts: ``[atom, parameter]`` of each family.

    Returns:
        ``[atom, length]`` filled up with zeros, and ``[atom]`` numbers of families.
    """
    padded = [np.pad(each, ((0, 0), (0, len(MIXED_PARAMETERS) - each.shape[1]))) for each in parts]
    return np.concatenate(padded), np.repeat(np.arange(len(parts)), [len(each) for each in parts])
