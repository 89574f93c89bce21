"""One zone at one wavelength: its supercell at all incidences, with a converged number of Fourier orders."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from metalens.formats.meta_atoms.verification import VerifiedZone
from metalens.optics.fabrication import library_of
from metalens.optics.meta_atoms.library import MetaAtomLibrary, at_incidence
from metalens.optics.rcwa.supercell import (
    LENS_ORDERS,
    Supercell,
    SupercellSolver,
    local_amplitude,
    supercell_of,
)
from metalens.optics.verification.plan import VerificationPlan
from metalens.optics.verification.zones import zone_at


def verified_zone(plan: VerificationPlan, count: int, wavelength: float) -> list[VerifiedZone]:
    """All incidences of one zone.

    The number of Fourier orders grows until the wanted order's share changes by no more than the tolerance, for s and p
    on the axis and at the farthest field.

    Args:
        plan: of the verification.
        count: meta-atoms of the zone.
        wavelength: in metres.

    Returns:
        A row for each incidence and polarisation.
    """
    library = library_of(plan.lens)
    assert library is not None
    zone = zone_at(plan.lens, plan.zones[count], count, plan.library.pitch, plan.wavelengths[0])
    cell = supercell_of(plan.library, zone.geometry[:, None], wavelength)
    solver, change = _converged(plan, cell)
    rows = []
    for field, turn in plan.incidences:
        for number, polarisation in enumerate("sp"):
            orders = solver.at(field, turn, polarisation)
            through = _transmission(library, number, field, zone.geometry, wavelength)
            local = local_amplitude(through)
            wanted = abs(orders.amplitude) ** 2
            undeflected = float(orders.shares[LENS_ORDERS == 0][0])
            rows.append(
                VerifiedZone(
                    radius_um=1e6 * zone.radius,
                    pillars=count,
                    geometry_nm=tuple((round(1e9 * float(each), 3),) for each in zone.geometry),
                    deflection_sine=cell.deflection,
                    wavelength_nm=1e9 * wavelength,
                    field_deg=math.degrees(field),
                    azimuth_deg=math.degrees(turn),
                    polarisation="s" if polarisation == "s" else "p",
                    local=abs(local) ** 2,
                    supercell=wanted,
                    phase_error_rad=float(np.angle(orders.amplitude * np.conj(local))),
                    undeflected=undeflected,
                    other_orders=max(0.0, orders.transmittance - wanted - undeflected),
                    transmittance=max(0.0, orders.transmittance),
                    fourier_orders=len(solver.layer.coefficients),
                    change=change,
                    converged=change <= plan.tolerance,
                    order_shares=tuple(float(each) for each in orders.shares),
                    local_order_shares=tuple(abs(local_amplitude(through, int(m))) ** 2 for m in LENS_ORDERS),
                )
            )
    return rows


def _converged(plan: VerificationPlan, cell: Supercell) -> tuple[SupercellSolver, float]:
    """A supercell with enough Fourier orders, or with the most, and the last change of the wanted order's share."""
    solver = SupercellSolver(cell, plan.orders_per_atom[0])
    before, change = _shares(plan, solver), math.inf
    for orders in plan.orders_per_atom[1:]:
        solver = SupercellSolver(cell, orders)
        found = _shares(plan, solver)
        change, before = float(np.abs(found - before).max()), found
        if change <= plan.tolerance:
            break
    return solver, change


def _shares(plan: VerificationPlan, solver: SupercellSolver) -> np.ndarray:
    fields = sorted({plan.fields[0], plan.fields[-1]})
    return np.array([abs(solver.at(field, 0.0, name).amplitude) ** 2 for field in fields for name in "sp"])


def _transmission(
    library: MetaAtomLibrary, polarisation: int, field: float, geometry: np.ndarray, wavelength: float
) -> np.ndarray:
    """``[meta-atom]`` by the library; without angles, at normal incidence."""
    seen = library
    if library.oblique is not None:
        seen = at_incidence(library, polarisation, jnp.asarray(math.sin(field) ** 2))
    return np.asarray(seen.at(jnp.asarray(geometry), jnp.asarray(wavelength)))
