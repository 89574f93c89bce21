"""One zone at one wavelength: its supercell at all incidences, with a converged number of Fourier orders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from metalens.formats.meta_atoms.verification import VerifiedZone
from metalens.optics.fabrication import library_of
from metalens.optics.meta_atoms.library import MetaAtomLibrary, at_incidence
from metalens.optics.rcwa.supercell import (
    LENS_ORDERS,
    ArraySolver,
    GratingOrders,
    Supercell,
    SupercellSolver,
    local_amplitude,
    supercell_of,
)
from metalens.optics.verification.plan import VerificationPlan
from metalens.optics.verification.zones import Zone, zones_at


def verified_zone(plan: VerificationPlan, count: int, wavelength: float) -> list[VerifiedZone]:
    """All incidences of the zones of one width.

    The number of Fourier orders grows until the wanted order's share changes by no more than the tolerance, for s and p
    on the axis and at the farthest field, of the zone with the best constant phase. The wanted order's amplitude is the
    mean over all constant phases, as in a lens with many zones (grating averaging; Arbabi et al., Scientific Reports
    10, 7124, 2020): single ones may lie on a resonance.

    Args:
        plan: of the verification.
        count: meta-atoms of the zone.
        wavelength: in metres.

    Returns:
        A row for each incidence and polarisation.
    """
    library = library_of(plan.lens)
    assert library is not None
    zones = zones_at(plan.lens, plan.zones[count], count, plan.library.pitch, plan.wavelengths[0], plan.constant_phases)
    cells = [supercell_of(plan.library, zone.geometry[:, None], wavelength) for zone in zones]
    steps, change = _converged(plan, cells[0])
    solvers = [steps[-1].whole, *(SupercellSolver(cell, steps[-1].orders) for cell in cells[1:])]
    arrays = [steps[-1].alone, *(ArraySolver(cell, steps[-1].orders) for cell in cells[1:])]
    rows = []
    for field, turn in plan.incidences:
        for number, polarisation in enumerate("sp"):
            through = [local_transmission(library, number, field, zone.geometry, wavelength) for zone in zones]
            alike = [each.at(field, polarisation) for each in arrays]
            found = _Mean(zones, through, alike, [each.at(field, turn, polarisation) for each in solvers])
            last = [each.ratio(field, turn, polarisation) for each in steps]
            rows.append(
                VerifiedZone(
                    radius_um=1e6 * zones[0].radius,
                    pillars=count,
                    geometry_nm=tuple((round(1e9 * float(each), 3),) for each in zones[0].geometry),
                    deflection_sine=cells[0].deflection,
                    wavelength_nm=1e9 * wavelength,
                    field_deg=math.degrees(field),
                    azimuth_deg=math.degrees(turn),
                    polarisation="s" if polarisation == "s" else "p",
                    **found.row(),
                    uncertainty=math.hypot(found.standard_error, abs(last[1] - last[0])),
                    fourier_orders=len(steps[-1].whole.layer.coefficients),
                    change=change,
                    converged=change <= plan.tolerance,
                )
            )
    return rows


def converged_orders(plan: VerificationPlan, count: int, wavelength: float) -> int:
    """Fourier orders for each meta-atom with which the zones of one width converge; the most, if they do not.

    Args:
        plan: of the verification.
        count: meta-atoms of the zone.
        wavelength: in metres.

    Returns:
        The number for each meta-atom.
    """
    steps, _ = _converged(plan, _first_cell(plan, count, wavelength))
    return steps[-1].orders


def solve_once(plan: VerificationPlan, count: int, orders: int) -> None:
    """Solve the supercell of one zone at the first wavelength and one incidence.

    Args:
        plan: of the verification.
        count: meta-atoms of the zone.
        orders: Fourier orders for each meta-atom.
    """
    SupercellSolver(_first_cell(plan, count, plan.wavelengths[0]), orders).at(plan.fields[-1], 0.0, "s")


def _first_cell(plan: VerificationPlan, count: int, wavelength: float) -> Supercell:
    (zone,) = zones_at(plan.lens, plan.zones[count], count, plan.library.pitch, plan.wavelengths[0], 1)
    return supercell_of(plan.library, zone.geometry[:, None], wavelength)


class _Mean:
    """Light of one incidence behind zones that differ in their constant phase.

    Args:
        zones: with their constant phases.
        through: ``[meta-atom]`` each, by the library.
        alike: the same by arrays with as many Fourier orders as the supercells.
        found: behind the supercells.
    """

    def __init__(
        self, zones: list[Zone], through: list[np.ndarray], alike: list[np.ndarray], found: list[GratingOrders]
    ) -> None:
        back = np.exp(-1j * np.array([zone.constant_phase for zone in zones]))
        self.through, self.found = through, found
        self.each = np.array([orders.amplitude for orders in found]) * back
        self.alike = np.array([local_amplitude(each) for each in alike]) * back
        self.local = complex((np.array([local_amplitude(each) for each in through]) * back).mean())
        self.amplitude = complex(self.each.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over constant phases, relative to the local amplitude; 0 for a single one."""
        if len(self.each) < 2:
            return 0.0
        rest = self.each - self.amplitude / self.alike.mean() * self.alike
        return float(np.sqrt(np.mean(np.abs(rest) ** 2) / (len(rest) - 1)) / abs(self.alike.mean()))

    def row(self) -> dict[str, Any]:
        """Entries of a :class:`VerifiedZone`."""
        wanted, transmittance = abs(self.amplitude) ** 2, float(np.mean([each.transmittance for each in self.found]))
        shares = np.mean([each.shares for each in self.found], axis=0)
        undeflected = float(shares[LENS_ORDERS == 0][0])
        shares[LENS_ORDERS == 1] = wanted
        local = [
            float(np.mean([abs(local_amplitude(each, int(m))) ** 2 for each in self.through])) for m in LENS_ORDERS
        ]
        local[list(LENS_ORDERS).index(1)] = abs(self.local) ** 2
        return {
            "local": abs(self.local) ** 2,
            "supercell": wanted,
            "phase_error_rad": float(np.angle(self.amplitude * np.conj(self.alike.mean()))),
            "undeflected": undeflected,
            "other_orders": max(0.0, transmittance - wanted - undeflected),
            "transmittance": max(0.0, transmittance),
            "order_shares": tuple(float(each) for each in shares),
            "local_order_shares": tuple(float(each) for each in local),
            "constant_phases": len(self.each),
        }


@dataclass(frozen=True)
class _Step:
    """A supercell with a number of Fourier orders for each meta-atom, and its meta-atoms' arrays with as many."""

    orders: int
    whole: SupercellSolver
    alone: ArraySolver

    def ratio(self, field: float, turn: float, polarisation: str) -> complex:
        """The wanted order's amplitude over the local one."""
        return self.whole.at(field, turn, polarisation).amplitude / local_amplitude(self.alone.at(field, polarisation))


def _converged(plan: VerificationPlan, cell: Supercell) -> tuple[list[_Step], float]:
    """The last two numbers of Fourier orders: as many as it takes to converge, or the most; and the last change."""
    solved = [(plan.orders_per_atom[0], SupercellSolver(cell, plan.orders_per_atom[0]))]
    before, change = _shares(plan, solved[0][1]), math.inf
    for orders in plan.orders_per_atom[1:]:
        solved.append((orders, SupercellSolver(cell, orders)))
        found = _shares(plan, solved[-1][1])
        change, before = float(np.abs(found - before).max()), found
        if change <= plan.tolerance:
            break
    return [_Step(orders, whole, ArraySolver(cell, orders)) for orders, whole in solved[-2:]], change


def _shares(plan: VerificationPlan, solver: SupercellSolver) -> np.ndarray:
    fields = sorted({plan.fields[0], plan.fields[-1]})
    return np.array([abs(solver.at(field, 0.0, name).amplitude) ** 2 for field in fields for name in "sp"])


def local_transmission(
    library: MetaAtomLibrary, polarisation: int, field: float, geometry: np.ndarray, wavelength: float
) -> np.ndarray:
    """Transmission of meta-atoms by their library, each as in an array of its like.

    Args:
        library: of the lens.
        polarisation: 0 for s, 1 for p.
        field: angle of incidence in air in radians; a library without angles is taken at normal incidence.
        geometry: ``[meta-atom]`` in the library's unit.
        wavelength: in metres.

    Returns:
        ``[meta-atom]`` complex.
    """
    seen = library
    if library.oblique is not None:
        seen = at_incidence(library, polarisation, jnp.asarray(math.sin(field) ** 2))
    return np.asarray(seen.at(jnp.asarray(geometry), jnp.asarray(wavelength)))
