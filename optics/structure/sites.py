"""The fabricated lens: a meta-atom at each site of a lattice."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import told_lengths, told_shapes
from metalens.formats.meta_atoms.library import AtomLibrary, Lattice
from metalens.optics.built import Built
from metalens.optics.flat_pixels import sampled_hexagons, sampled_pixels
from metalens.optics.incidence import LocalIncidence
from metalens.optics.meta_atoms.library import (
    MetaAtomLibrary,
    check_range,
    check_width_error,
    is_duty_cycle,
    meta_atom_library,
)
from metalens.optics.meta_atoms.named import Incidence, oblique_tables, scalar_library, takes_angles
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.structure.lattice import nearest_site, site_position

BETWEEN = 1e-3
"""Share of the pitch within which a point counts as on the line between two cells; ten times the error of float32."""

LARGEST_DIFFERENCE = 0.02
"""Largest difference of a structure's pitch or height from that of the arrays by which its meta-atoms are known,
relative.
"""


@register_dataclass
@dataclass(frozen=True)
class Sites(Built):
    """A meta-atom of a table at each site; each cell transmits uniformly, like an array of its meta-atom.

    Gradients go through ``geometry``, ``library``, ``pitch`` and ``width_error``; ``site_index`` holds whole numbers,
    so that a derivative is taken of ``dataclasses.replace(sites, geometry=…)`` and not of the whole record.

    Attributes:
        site_index: ``[row, column]`` the meta-atom at each site; :data:`metalens.formats.camera.structure.EMPTY` for
            none.
        geometry: ``[atom]`` of the meta-atoms, in the library's unit.
        library: their transmission. An empty site has that of the library, or zero if the library has none.
        pitch: distance between neighbouring sites in metres.
        lattice: ``"square"`` or ``"hexagonal"``; static under tracing.
        width_error: added to the geometry of all meta-atoms, or ``[row, column]`` to that at each site, in the
            library's unit.
        incidence: of light whose direction varies over the lens; None is one incidence, that of the library.
    """

    site_index: np.ndarray | jax.Array
    geometry: np.ndarray | jax.Array
    library: MetaAtomLibrary
    pitch: Scalar
    lattice: Lattice = field(default="square", metadata={"static": True})
    width_error: Scalar | np.ndarray = 0.0
    incidence: LocalIncidence | None = None

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    @property
    def flat_pixel(self) -> Scalar:
        """The pitch in metres."""
        return self.pitch

    @property
    def smoothed_along_y(self) -> bool:
        """Not of hexagons: see :func:`metalens.optics.flat_pixels.sampled_hexagons`."""
        return self.lattice == "square"

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens: that of the site whose cell holds the place. See :class:`Built`.

        On the line between two cells it is their mean. Many samples of a grid may lie there, and would shift
        the lens if they were all assigned to the same side.
        """
        rows, columns = self.site_index.shape
        aside = BETWEEN * self.pitch
        first, second = (
            self._at_sites(*nearest_site(self.lattice, self.pitch, (rows, columns), y + each, x + each), wavelength)
            for each in (-aside, aside)
        )
        return 0.5 * (first + second)

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid, the cells' borders smoothed. See :class:`Built`."""
        row, column = (jnp.arange(length) for length in self.site_index.shape)
        sites = self._at_sites(row[:, None], column[None, :], wavelength)
        sampled = sampled_pixels if self.lattice == "square" else sampled_hexagons
        return sampled(sites, self.pitch, y, x, step, samples)

    def _at_sites(self, row: jax.Array, column: jax.Array, wavelength: jax.Array) -> jax.Array:
        if self.incidence is None:
            return self._of_library(self.library, row, column, wavelength)
        rows, columns = self.site_index.shape
        place = site_position(self.lattice, self.pitch, (rows, columns), row, column)
        return self.incidence.at(
            self.library, lambda library: self._of_library(library, row, column, wavelength), *place
        )

    def _of_library(
        self, library: MetaAtomLibrary, row: jax.Array, column: jax.Array, wavelength: jax.Array
    ) -> jax.Array:
        geometry = jnp.asarray(self.geometry)
        atom = jnp.minimum(jnp.asarray(self.site_index)[row, column].astype(jnp.int32), len(geometry))
        if jnp.ndim(self.width_error) == 0:
            # One transmission for each meta-atom, and one for none.
            table = library.at(geometry + self.width_error, wavelength)
            return jnp.append(table, _empty(library, wavelength))[atom]
        error = jnp.asarray(self.width_error)[row, column]
        found = library.at(geometry[jnp.minimum(atom, len(geometry) - 1)] + error, wavelength)
        return jnp.where(atom == len(geometry), _empty(library, wavelength), found)

    def empty(self, wavelength: jax.Array) -> jax.Array:
        """Complex transmission of an empty site at a scalar wavelength in metres."""
        return _empty(self.library, wavelength)

    def check(self, wavelength: object) -> None:
        """Check that wavelengths (m) and nominal meta-atoms lie inside the table.

        Raises:
            InputError: one of them lies outside the table, or the common width error is more than half of its range.
        """
        check_range(self.library, wavelength=wavelength, geometry=self.geometry)
        check_width_error(self.library, float(np.mean(self.width_error)))


def _empty(library: MetaAtomLibrary, wavelength: jax.Array) -> jax.Array:
    if library.empty is None:
        return jnp.zeros((), dtype=jnp.complex64)
    axis, table = jnp.asarray(library.wavelength), jnp.asarray(library.empty)
    real, imaginary = (jnp.interp(wavelength, axis, part(table)) for part in (jnp.real, jnp.imag))
    return jax.lax.complex(real, imaginary)


def sites_of(
    structure: Structure, library: MetaAtomLibrary | AtomLibrary, *, incidence: Incidence | None = "normal"
) -> Sites:
    """The lens of a structure, with the library of its meta-atoms.

    Args:
        structure: from a file, or chosen.
        library: of one parameter over the same geometry, in metres or as a duty cycle; or one as it was computed, of
            the same shape. Of several parameters, it has to hold each meta-atom of the structure.
        incidence: whether the meta-atoms respond by the local angle of incidence; None if the library, as it was
            computed, has angles.

    Returns:
        The sites, which give a transmission at every place of the lens.

    Raises:
        InputError: the library is of another shape, or does not hold the structure's meta-atoms.
    """
    if structure.rotation is not None:
        raise InputError(
            f"structure {structure.name}: its meta-atoms are turned, so that they act on polarisation; simulate it by "
            "metalens.optics.structure.jones_sites."
        )
    if isinstance(library, AtomLibrary):
        check_same_arrays(structure, library)
        oblique = takes_angles(library, incidence)
        geometry, scalar = geometry_in(library, structure.geometry, structure.family, oblique=oblique)
    elif structure.geometry.shape[1] > 1:
        raise InputError(
            f"structure {structure.name}: its meta-atoms have {structure.geometry.shape[1]} parameters, and this "
            "library is over one; give the library as it was computed (library.h5)."
        )
    else:
        geometry = structure.geometry[:, 0] / (structure.pitch if is_duty_cycle(library) else 1.0)
        scalar = library
    check_range(scalar, geometry=geometry)
    return Sites(structure.site_index, geometry, scalar, structure.pitch, structure.lattice)


def check_same_arrays(structure: Structure, library: AtomLibrary) -> None:
    """Make sure that a library is of the arrays by which a structure's meta-atoms are known.

    Args:
        structure: from a file, or chosen.
        library: as it was computed.

    Raises:
        InputError: it is of another shape, pitch or height.
    """
    if library.shape != structure.shape:
        raise InputError(
            f"structure {structure.name}: is of {told_shapes(structure)}, and the library {library.name} of "
            f"{told_shapes(library)}; choose the library that it was made from."
        )
    if library.families != structure.families:
        raise InputError(
            f"structure {structure.name}: its {told_shapes(structure)} have another turn, other vertices or another "
            f"order than those of the library {library.name}; choose the library that it was made from."
        )
    for name in ("pitch", "height"):
        own, known = getattr(structure, name), getattr(library, name)
        if not abs(own / known - 1) <= LARGEST_DIFFERENCE:
            raise InputError(
                f"structure {structure.name}: has a {name} of {1e9 * own:g} nm, and the library {library.name} one of "
                f"{1e9 * known:g} nm, which differ by more than {LARGEST_DIFFERENCE:.0%}; choose a library of this "
                f"{name}."
            )


def geometry_in(
    library: AtomLibrary, geometry: np.ndarray, family: np.ndarray | None = None, *, oblique: bool = False
) -> tuple[np.ndarray, MetaAtomLibrary]:
    """A library with one number for each meta-atom, and the numbers of given meta-atoms.

    Of one parameter that is the parameter itself; of several, the meta-atoms' numbers in the library, counted from 1.

    Args:
        library: with any number of parameters.
        geometry: ``[atom, parameter]`` in metres.
        family: ``[atom]`` number of each one's family among the library's; None of one family.
        oblique: take the tables of all angles and polarisations along.

    Returns:
        ``[atom]`` and the library: of one parameter in metres, of several the atom's number in the library from 1.

    Raises:
        InputError: a meta-atom of several parameters is none of the library's, to a hundredth of a nanometre.
    """
    if geometry.shape[1] == 1:
        return geometry[:, 0], scalar_library(library, oblique=oblique)
    row = rows_in(library, geometry, family)
    chosen = library.at_incidence(library.polarisations[0])
    empty = None if chosen.empty is None else chosen.empty[0, 0]
    numbers = np.arange(1.0, len(library.geometry) + 1)
    angles = oblique_tables(library) if oblique else None
    scalar = meta_atom_library(numbers, library.wavelength, chosen.transmission[0, 0], empty=empty, oblique=angles)
    return numbers[row], scalar


def rows_in(library: AtomLibrary, geometry: np.ndarray, family: np.ndarray | None = None) -> np.ndarray:
    """Which of a library's meta-atoms given ones are.

    Args:
        library: with any number of parameters.
        geometry: ``[atom, parameter]`` in metres.
        family: ``[atom]`` number of each one's family among the library's; None of one family.

    Returns:
        ``[atom]`` rows of the library's geometry.

    Raises:
        InputError: a meta-atom is none of the library's, to a hundredth of a nanometre.
    """
    row = np.empty(len(geometry), dtype=np.int64)
    for start in range(0, len(geometry), 256):
        part = slice(start, start + 256)
        away = np.abs(geometry[part, None] - library.geometry[None]).max(axis=2)
        if family is not None:
            away[family[part, None] != library.family] = np.inf
        row[part] = away.argmin(axis=1)
    away = np.abs(geometry - library.geometry[row]).max(axis=1)
    missing = np.flatnonzero(away > 1e-11)
    if missing.size:
        sizes = told_lengths(geometry[missing[0]][geometry[missing[0]] > 0])
        raise InputError(
            f"library {library.name}: holds {told_shapes(library)}, and none of {sizes} nm; of several parameters only "
            "its own meta-atoms can be used."
        )
    return row
