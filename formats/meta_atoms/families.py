"""The meta-atoms of a library or of a lens: a family and lengths for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.shapes import PARAMETERS, POSSIBLE, Family, Shape, possible


class AtomTable(Protocol):
    """What libraries and structures have in common.

    Attributes:
        shape: of the meta-atoms.
        families: shape, turn and vertices of the meta-atoms; none of upright meta-atoms of one shape.
        geometry: ``[atom, parameter]`` in metres.
    """

    @property
    def shape(self) -> Shape:
        """Of the meta-atoms."""

    @property
    def families(self) -> tuple[Family, ...]:
        """Of the meta-atoms."""

    @property
    def geometry(self) -> np.ndarray:
        """Of the meta-atoms."""


def checked_families(table: AtomTable, where: str) -> tuple[Family, ...]:
    """The families of a table in their one form: none of upright meta-atoms of one shape.

    Args:
        table: whose shape and families these are.
        where: how a message names what holds them.

    Raises:
        InputError: the shape is not known, or the families do not fit it.
    """
    try:
        families = families_of(table)
    except InputError as error:
        raise InputError(f"{where}: {error}.") from error
    if [family.shape for family in families] != [table.shape]:
        raise InputError(f"{where}: families {[family.shape for family in families]} are not one of {table.shape}s.")
    return () if families == (families[0].upright(),) and families[0].vertices is None else families


def families_of(table: AtomTable) -> tuple[Family, ...]:
    """The families of a table, one at least.

    Args:
        table: of meta-atoms.
    """
    return table.families or (Family(table.shape),)


def family_of(table: AtomTable, atom: int) -> Family:
    """Shape, turn and vertices of a meta-atom.

    Args:
        table: that holds it.
        atom: its row.
    """
    del atom
    return families_of(table)[0]


def lengths_of(table: AtomTable, atom: int) -> np.ndarray:
    """Lengths ``[parameter]`` of a meta-atom in metres.

    Args:
        table: that holds it.
        atom: its row.
    """
    return np.asarray(table.geometry[atom, : len(PARAMETERS[family_of(table, atom).shape])])


def told_lengths(lengths: Sequence[float] | np.ndarray) -> str:
    """Lengths in metres as words in nanometres."""
    return " × ".join(f"{1e9 * each:.4g}" for each in lengths)


def impossible(shape: str, geometry: np.ndarray) -> str | None:
    """What is wrong with lengths that make no cross-section of their shape; None if all do.

    Args:
        shape: of the meta-atoms.
        geometry: ``[atom, parameter]`` in metres.
    """
    wrong = np.flatnonzero(~possible(shape, geometry))
    if not wrong.size:
        return None
    names = ", ".join(PARAMETERS[shape])
    return f"{names} of {told_lengths(geometry[wrong[0]])} nm make no {shape}; {POSSIBLE[shape]}"
