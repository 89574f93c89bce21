"""Sites whose meta-atoms act on polarisation: rectangles, upright or turned, in light of a given polarisation.

A rectangle that multiplies the field along its axes by t_x and t_y, turned by α from x towards y, has the Jones matrix
J = R(α) diag(t_x, t_y) R(−α). With m = (t_x + t_y)/2 and d = (t_x − t_y)/2 its elements are m + d cos 2α (x to x),
m − d cos 2α (y to y) and d sin 2α (x to y and back); of circular light d exp(2iα) (left to right), d exp(−2iα) (right
to left) and m (of either handedness to itself); see :mod:`metalens.optics.geometric_phase`. The intensity of light of
one polarisation is the sum over both polarisations behind the lens, of unpolarised light half of that of two orthogonal
ones. Each element is propagated by itself. Light is taken at normal incidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from metalens.formats.camera.structure import Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.optics.geometric_phase import jones_axes
from metalens.optics.meta_atoms.library import MetaAtomLibrary
from metalens.optics.pytree import register_dataclass
from metalens.optics.structure.sites import Sites, check_same_arrays, rows_in

Light = Literal["x", "y", "left", "right", "unpolarised"]
"""Polarisation of the light before the lens; the handedness as the receiver sees it."""

Basis = Literal["linear", "circular"]

DARK = 1e-9
"""Least amplitude of an element: its phase is interpolated."""


@register_dataclass
@dataclass(frozen=True)
class JonesElement:
    """One element of the meta-atoms' Jones matrices, times the root of its share of the light.

    Attributes:
        library: over the meta-atoms' numbers from 1.
        second: whether the light has the second phase of a multiplexed lens; static under tracing.
    """

    library: MetaAtomLibrary
    second: bool = field(default=False, metadata={"static": True})


@register_dataclass
@dataclass(frozen=True)
class JonesSites(Sites):
    """Sites with the elements of their Jones matrices that the light needs; as it stands, the first of them alone.

    Attributes:
        elements: whose intensities add.
    """

    elements: tuple[JonesElement, ...] = ()

    @property
    def acts_on_polarisation(self) -> bool:
        """True."""
        return True

    def separate(self) -> tuple[tuple[Sites, bool], ...]:
        """Sites of each element, and whether its light has the second phase."""
        names = ("site_index", "geometry", "pitch", "lattice", "width_error")
        own = {name: getattr(self, name) for name in names}
        return tuple((Sites(library=each.library, **own), each.second) for each in self.elements)


def jones_sites(structure: Structure, library: AtomLibrary, light: Light, basis: Basis) -> JonesSites:
    """The lens of a structure of rectangles, in light of a polarisation.

    Args:
        structure: of rectangular pillars, upright or turned.
        library: of its meta-atoms, with both polarisations.
        light: before the lens.
        basis: in which unpolarised light is taken apart.

    Returns:
        The sites with the elements of their Jones matrix.

    Raises:
        InputError: the library is of another shape, pitch or height, lacks a meta-atom or a polarisation, or has one
            wavelength.
    """
    check_same_arrays(structure, library)
    along, across = jones_axes(library)
    if len(library.wavelength) < 2:
        raise InputError(f"library {library.name}: has one wavelength, at least two were expected; build it with more.")
    rows = rows_in(library, structure.geometry)
    angle = np.zeros(len(rows)) if structure.rotation is None else structure.rotation
    mean, difference = (0.5 * (along[rows] + sign * across[rows]) for sign in (1, -1))
    turn = np.exp(2j * angle)[:, None]
    empty = None if library.empty is None else library.empty[0, 0]
    tables = {
        "xx": mean + difference * turn.real,
        "yy": mean - difference * turn.real,
        "xy": difference * turn.imag,
        "left to right": difference * turn,
        "right to left": difference / turn,
        "kept": mean,
    }
    elements = []
    for name, share, second in _wanted(light, basis):
        # What an empty site lets through keeps its polarisation.
        through = None if empty is None else empty * (name in ("xx", "yy", "kept"))
        elements.append(
            JonesElement(_numbered(library.wavelength, np.sqrt(share) * tables[name], through, share), second)
        )
    numbers = np.arange(1.0, len(rows) + 1)
    sites = Sites(structure.site_index, numbers, elements[0].library, structure.pitch, structure.lattice)
    return JonesSites(**vars(sites), elements=tuple(elements))


def _wanted(light: Light, basis: Basis) -> tuple[tuple[str, float, bool], ...]:
    """Elements with their shares of the light, that of the image first, and whether theirs is the second phase."""
    if light == "unpolarised":
        if basis == "linear":
            return ("xx", 0.5, False), ("yy", 0.5, True), ("xy", 1.0, False)
        return ("left to right", 0.5, False), ("right to left", 0.5, True), ("kept", 1.0, False)
    names = {
        "x": ("xx", "xy"), "y": ("yy", "xy"), "left": ("left to right", "kept"), "right": ("right to left", "kept"),
    }  # fmt: skip
    return tuple((name, 1.0, light in ("y", "right")) for name in names[light])


def _numbered(wavelength: np.ndarray, table: np.ndarray, empty: np.ndarray | None, share: float) -> MetaAtomLibrary:
    """A library over the meta-atoms' numbers, of two at least."""
    lit = np.where(np.abs(table) < DARK, DARK, table)
    lit = lit if len(lit) > 1 else np.repeat(lit, 2, axis=0)
    numbers = np.arange(1.0, len(lit) + 1)
    return MetaAtomLibrary(numbers, wavelength, lit, None if empty is None else np.sqrt(share) * empty)
