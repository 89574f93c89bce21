"""One meta-atom at all wavelengths, angles and polarisations, with a converged number of Fourier orders."""

from __future__ import annotations

import numpy as np

from metalens.formats.meta_atoms.families import family_of, lengths_of
from metalens.formats.meta_atoms.library import lattice_vectors
from metalens.optics.rcwa.layer import FourierLayer, expansion_of, fourier_layer
from metalens.optics.rcwa.plan import LibraryPlan
from metalens.optics.rcwa.solve import scatter_plane_wave
from metalens.optics.rcwa.unit_cell import cell_density

FEWEST_ORDERS = 21
GROWTH = 1.8
"""Factor between successive numbers of Fourier orders."""

HEIGHT_STEP = 1e-5
INDEX_STEP = 1e-5
"""Relative and absolute steps of finite differences in double precision."""


def compute_atom(plan: LibraryPlan, atom: int) -> dict[str, np.ndarray]:
    """Compute all tables of one meta-atom.

    Args:
        plan: the checked specification.
        atom: index of its geometry.

    Returns:
        ``transmission``, ``transmittance``, ``reflectance``, ``height_slope`` and ``index_slope``, each
        ``[polarisation, angle, wavelength]``, and ``orders`` and ``error``, ``[wavelength]``.
    """
    density, mirrored = _cell(plan, atom)
    columns = [_at_wavelength(plan, density, place, mirrored=mirrored) for place in range(len(plan.wavelength))]
    return {name: np.stack([column[name] for column in columns], axis=-1) for name in columns[0]}


def at_wavelength(plan: LibraryPlan, atom: int, place: int) -> dict[str, np.ndarray]:
    """Compute the tables of one meta-atom at one wavelength.

    Args:
        plan: the checked specification.
        atom: index of its geometry.
        place: index of the wavelength.

    Returns:
        As :func:`compute_atom`, without the axis of wavelengths.
    """
    density, mirrored = _cell(plan, atom)
    return _at_wavelength(plan, density, place, mirrored=mirrored)


def _cell(plan: LibraryPlan, atom: int) -> tuple[np.ndarray, bool]:
    """Density of one meta-atom's cell, and whether it is its own mirror image."""
    family = family_of(plan, atom)
    return cell_density(family, lengths_of(plan, atom), plan.pitch, plan.spec.array.lattice), family.mirrored


def _at_wavelength(plan: LibraryPlan, density: np.ndarray, place: int, *, mirrored: bool) -> dict[str, np.ndarray]:
    steps = order_steps(plan.spec.array.lattice, plan.spec.accuracy.most_orders)
    before = steps[0]
    earlier = _scattered(plan, _layer(plan, density, place, before), place, mirrored=mirrored)
    for orders in steps[1:]:
        found = _scattered(plan, _layer(plan, density, place, orders), place, mirrored=mirrored)
        error = float(np.abs(found["transmission"] - earlier["transmission"]).max())
        if error <= plan.spec.accuracy.tolerance or orders == steps[-1]:
            break
        before, earlier = orders, found
    # A derivative needs less accuracy than t: its differences use the second largest number of orders.
    shifted = _scattered(plan, _layer(plan, density, place, before, INDEX_STEP), place, mirrored=mirrored)
    found["index_slope"] = np.log(shifted["transmission"] / earlier["transmission"]) / INDEX_STEP
    return found | {"orders": np.array(orders), "error": np.array(error)}


def order_steps(lattice: str, most: int) -> list[int]:
    """Increasing numbers of Fourier orders for the convergence test, at least two.

    Args:
        lattice: ``"square"`` or ``"hexagonal"``.
        most: largest number of orders.

    Returns:
        Each about 1.8 times the one before.
    """
    steps: list[int] = []
    wanted = float(FEWEST_ORDERS)
    while len(steps) < 2 or wanted <= most:
        steps.append(expansion_of(lattice_vectors(lattice), round(wanted)).num_terms)
        wanted *= GROWTH
    return steps


def _layer(plan: LibraryPlan, density: np.ndarray, place: int, orders: int, added: float = 0.0) -> FourierLayer:
    inside, outside = (plan.meta_atom[place] + added) ** 2, plan.surrounding[place] ** 2
    vectors = plan.pitch * lattice_vectors(plan.spec.array.lattice)
    return fourier_layer(density, inside, outside, vectors, orders)


def _scattered(plan: LibraryPlan, layer: FourierLayer, place: int, *, mirrored: bool) -> dict[str, np.ndarray]:
    step = HEIGHT_STEP * plan.height
    rows = [
        [
            scatter_plane_wave(
                layer,
                height=plan.height,
                wavelength=float(plan.wavelength[place]),
                angle=float(angle),
                polarisation=polarisation,
                before=complex(plan.before[place]),
                behind=complex(plan.behind[place]),
                steps=(-step, step),
                mirror_x=mirrored,
                mirror_y=mirrored,
            )
            for angle in plan.angle
        ]
        for polarisation in plan.spec.light.polarisations
    ]
    tables = {
        name: np.array([[getattr(each, name) for each in row] for row in rows])
        for name in ("transmission", "transmittance", "reflectance")
    }
    slopes = [[np.log(each.by_height[1] / each.by_height[0]) / (2 * step) for each in row] for row in rows]
    return tables | {"height_slope": np.array(slopes)}
