"""A supercell: one period of a row of different meta-atoms, of which neighbours are not alike.

A zone of a lens, repeated, is a grating of as many meta-atoms as the zone has, whose first order is the light that the
lens sends into its image. Its amplitude is computed here with all neighbours (rigorous coupled-wave analysis), and by
the local periodic approximation, (1/N) Σ t_j exp(2πij/N) sinc(1/N) for a phase that falls along the row. There each
cell transmits evenly, as an array of its own meta-atom does; the sinc is that of a lens' flat cells
(docs/adr/0012-structures.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import family_of, told_shapes
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.formats.meta_atoms.shapes import Family
from metalens.formats.meta_atoms.verification import ORDERS
from metalens.optics.rcwa.layer import row_layer
from metalens.optics.rcwa.solve import Scattered, scatter_plane_wave
from metalens.optics.rcwa.unit_cell import cell_density

ORDERS_PER_ATOM = (9, 15, 25, 40)
"""Fourier orders for each meta-atom of a supercell, until the wanted order's share converges."""


FEWEST_ORDERS = 4
"""Fewest Fourier orders of one meta-atom by itself: of fewer fmmax keeps the zeroth order alone, of which XLA makes no
Fourier transform.
"""


@dataclass(frozen=True)
class Supercell:
    """A row of meta-atoms on a square lattice, at one wavelength.

    Attributes:
        geometry: ``[meta-atom, parameter]`` in metres; the phase falls by 2π/N from one to the next.
        family: of the meta-atoms.
        pitch: of the sites in metres.
        height: of the meta-atoms in metres.
        wavelength: in metres.
        material: complex refractive index of the meta-atoms, or of the layer that has the holes.
        between: of what surrounds them.
        before: of the side that light comes from, real.
        behind: of the other side.
        samples: along each side of a meta-atom's cell.
    """

    geometry: np.ndarray
    family: Family
    pitch: float
    height: float
    wavelength: float
    material: complex
    between: complex
    before: complex
    behind: complex
    samples: int = 64

    @property
    def deflection(self) -> float:
        """Sine of the angle by which the first order is deflected in air."""
        return self.wavelength / (len(self.geometry) * self.pitch)

    def densities(self) -> list[np.ndarray]:
        """``[u, v]`` of each meta-atom's cell."""
        return [cell_density(self.family, each, self.pitch, "square", self.samples) for each in self.geometry]


@dataclass(frozen=True)
class GratingOrders:
    """Light of one incidence behind a supercell.

    Attributes:
        amplitude: of the wanted order, |a|² its share of the incident power.
        shares: share of each order −3 to 3 in units of the lens' phase, 1 the wanted one and 0 the light that is not
            deflected.
        transmittance: of all orders.
    """

    amplitude: complex
    shares: np.ndarray
    transmittance: float


LENS_ORDERS = np.array(ORDERS)


def supercell_of(library: AtomLibrary, geometry: np.ndarray, wavelength: float, samples: int = 64) -> Supercell:
    """A row of a library's meta-atoms, with the refractive indices that the library was computed with.

    Args:
        library: computed by ``metalens library build``.
        geometry: ``[meta-atom, parameter]`` in metres, at least two.
        wavelength: in metres, within the library's.
        samples: along each side of a meta-atom's cell.

    Returns:
        The row, lengths in metres.

    Raises:
        InputError: the library does not know its refractive indices, or its lattice is hexagonal.
    """
    if library.lattice != "square":
        raise InputError(
            f"library {library.name}: is of a hexagonal lattice, and supercells are computed on square ones; "
            "neighbours cannot be taken into account for it."
        )
    if not family_of(library, 0).mirrored or len(library.families) > 1:
        raise InputError(
            f"library {library.name}: holds {told_shapes(library)}, and supercells are of one shape that is its own "
            "mirror image."
        )
    if library.material_index is None or library.substrate_index is None or library.surrounding_index is None:
        raise InputError(
            f"library {library.name}: does not tell its refractive indices, which a supercell needs; build it with "
            "`metalens library build`."
        )
    axis = library.wavelength
    material, substrate, surrounding = (
        complex(np.interp(wavelength, axis, table.real), np.interp(wavelength, axis, table.imag))
        for table in (library.material_index, library.substrate_index, library.surrounding_index)
    )
    before, behind = (substrate, surrounding) if library.light_from == "substrate" else (surrounding, substrate)
    return Supercell(
        geometry,
        family_of(library, 0),
        library.pitch,
        library.height,
        wavelength,
        material,
        surrounding,
        before,
        behind,
        samples,
    )


class SupercellSolver:
    """Solves a supercell for several incidences with one set of Fourier matrices.

    Args:
        cell: the supercell.
        orders_per_atom: Fourier orders for each meta-atom.
    """

    def __init__(self, cell: Supercell, orders_per_atom: int) -> None:
        self.cell = cell
        densities = np.stack(
            [cell_density(cell.family, each, cell.pitch, "square", cell.samples) for each in cell.geometry]
        )
        count = len(cell.geometry) * orders_per_atom
        self.layer = row_layer(densities, cell.material**2, cell.between**2, cell.pitch, count)

    def at(self, angle: float, azimuth: float, polarisation: str) -> GratingOrders:
        """The orders behind the supercell.

        Args:
            angle: of incidence in air in radians.
            azimuth: of the plane of incidence from the row's direction in radians, 0 to π. Light of the azimuth 0 comes
                with a wave vector along the row, along which the phase falls, and is bent back towards the normal.
            polarisation: ``"s"`` or ``"p"``, of the plane of incidence.

        Returns:
            Amplitude of the wanted order, and shares of the incident power of all.
        """
        return self._orders(self.scattered(angle, azimuth, polarisation))

    def scattered(self, angle: float, azimuth: float, polarisation: str) -> Scattered:
        """All orders behind the supercell; arguments as of :meth:`at`.

        Args:
            angle: of incidence in air in radians.
            azimuth: of the plane of incidence in radians, 0 to π.
            polarisation: ``"s"`` or ``"p"``.

        Returns:
            Amplitudes, and shares of the incident power in each order.
        """
        # A plane of incidence along the row keeps the mirror symmetry across it.
        along = abs(np.sin(azimuth)) < 1e-9 or angle == 0
        signed = angle * np.sign(np.cos(azimuth)) if along else angle
        return scatter_plane_wave(
            self.layer,
            height=self.cell.height,
            wavelength=self.cell.wavelength,
            angle=float(signed),
            polarisation=polarisation,
            before=self.cell.before,
            behind=self.cell.behind,
            azimuth=0.0 if along else azimuth,
            mirror_x=False,
        )

    def _orders(self, found: Scattered) -> GratingOrders:
        # The phase falls along x: the lens' order m is the grating's −m.
        place = {int(-i): number for number, (i, j) in enumerate(self.layer.coefficients) if j == 0}
        shares = np.array([found.order_shares[place[m]] if m in place else 0.0 for m in map(int, LENS_ORDERS)])
        wanted = place[1]
        amplitude = np.sqrt(max(found.order_shares[wanted], 0.0)) * np.exp(1j * found.order_phases[wanted])
        return GratingOrders(complex(amplitude), np.maximum(shares, 0.0), found.transmittance)


class ArraySolver:
    """The arrays of a supercell's meta-atoms, each by itself, with equally many Fourier orders for each meta-atom.

    What few Fourier orders do wrong is then nearly the same as in the supercell.

    Args:
        cell: the supercell.
        orders_per_atom: Fourier orders.
    """

    def __init__(self, cell: Supercell, orders_per_atom: int) -> None:
        self.cell = cell
        count = max(orders_per_atom, FEWEST_ORDERS)
        self.layers = [
            row_layer(each[None], cell.material**2, cell.between**2, cell.pitch, count) for each in cell.densities()
        ]

    def at(self, angle: float, polarisation: str) -> np.ndarray:
        """Transmission ``[meta-atom]`` of the zeroth order.

        Args:
            angle: of incidence in air in radians, in the plane along the row; shapes that a quarter turn leaves as they
                are have the same in the plane across.
            polarisation: ``"s"`` or ``"p"``.

        Returns:
            ``[meta-atom]`` complex.
        """
        found = [
            scatter_plane_wave(
                layer, height=self.cell.height, wavelength=self.cell.wavelength, angle=angle,
                polarisation=polarisation, before=self.cell.before, behind=self.cell.behind,
            )
            for layer in self.layers
        ]  # fmt: skip
        return np.array([each.transmission for each in found])


def local_amplitude(transmission: np.ndarray, order: int = 1) -> complex:
    """An order's amplitude by the local periodic approximation, with flat cells.

    Args:
        transmission: ``[meta-atom]`` t of each one's own array at this incidence.
        order: in units of the lens' phase; 1 is the wanted one.

    Returns:
        Of magnitude 1 at most.
    """
    count = len(transmission)
    # Counted from the first meta-atom, the phase that is wanted falls by a turn in a period.
    turn = np.exp(2j * np.pi * order * np.arange(count) / count)
    return complex(np.mean(transmission * turn) * np.sinc(order / count))
