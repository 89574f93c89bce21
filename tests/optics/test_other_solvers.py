"""Single cells and supercells against torcwa and meent, rigorous coupled-wave analyses of other authors.

torcwa (Kim and Lee, Comput. Phys. Commun. 282, 108552, 2023) and meent (Kim et al., arXiv:2406.12904, 2024) expand
permittivities on rectangles of orders without rules along outlines, so that their phases approach the limit as 1/N in
the number N of orders along an axis: they are compared by a + b/N through two of their results.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.rcwa.layer import fourier_layer, joined_cells
from metalens.optics.rcwa.solve import scatter_plane_wave
from metalens.optics.rcwa.supercell import SupercellSolver, supercell_of
from metalens.optics.rcwa.unit_cell import cell_density

pytestmark = pytest.mark.long

ANGLE = np.radians(20)


class Pillars(NamedTuple):
    """Pillars without absorption on glass, in air; lengths in metres, refractive indices."""

    light: float
    pitch: float
    height: float
    pillar: float
    glass: float


NITRIDE = Pillars(540e-9, 350e-9, 705e-9, 2.05, 1.46)


def sides_of(pillars, density):
    """Periods along x and y in nanometres."""
    return [1e9 * pillars.pitch * length / density.shape[1] for length in density.shape]


def by_torcwa(pillars, density, orders, angle, asked):
    """Amplitude of an order, |a|² its share of the power, for s and p."""
    import torch
    import torcwa

    solver = torcwa.rcwa(
        freq=1e-9 / pillars.light, order=list(orders), L=sides_of(pillars, density), dtype=torch.complex128,
        device=torch.device("cpu"),
    )  # fmt: skip
    solver.add_input_layer(eps=pillars.glass**2)
    solver.add_output_layer(eps=1.0)
    solver.set_incident_angle(np.arcsin(np.sin(angle) / pillars.glass), 0.0)
    permittivity = 1 + (pillars.pillar**2 - 1) * density
    solver.add_layer(1e9 * pillars.height, eps=torch.as_tensor(permittivity, dtype=torch.complex128))
    solver.solve_global_smatrix()
    return np.array([complex(solver.S_parameters([[asked, 0]], polarization=name + name)[0]) for name in "sp"])


def by_meent(pillars, density, orders, angle, asked):
    """The same; its time runs the other way, and its p is a quarter of a turn ahead."""
    import meent

    found = []
    for psi, name, turn in ((np.pi / 2, "T_s", 1), (0.0, "T_p", 1j)):
        solver = meent.call_mee(
            psi=psi, theta=float(np.arcsin(np.sin(angle) / pillars.glass)), phi=0.0, n_top=pillars.glass, n_bot=1.0,
            period=sides_of(pillars, density), wavelength=1e9 * pillars.light, thickness=[1e9 * pillars.height],
            fto=list(orders), ucell=np.sqrt(1 + (pillars.pillar**2 - 1) * density).T[None], fourier_type=1,
        )  # fmt: skip
        solved = solver.conv_solve().res
        place = (orders[1], orders[0] + asked)
        phase = np.angle(turn * np.conj(getattr(solved, name)[place]))
        found.append(np.sqrt(solved.de_ti[place]) * np.exp(1j * phase))
    return np.array(found)


SOLVERS = {"torcwa": by_torcwa, "meent": by_meent}


def extrapolated(solver, pillars, density, few, many, angle, asked):
    """The same in the limit of many orders; (few, many) are the numbers along x, their ratio that along y."""
    first, second = (SOLVERS[solver](pillars, density, each, angle, asked) for each in (few, many))
    n, m = few[0], many[0]
    limits = [(m * part(second) - n * part(first)) / (m - n) for part in (np.abs, lambda a: np.unwrap(np.angle(a)))]
    return limits[0] * np.exp(1j * limits[1])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("angle", [0.0, ANGLE])
@pytest.mark.parametrize("diameter", [130e-9, 200e-9])
def test_the_phase_of_a_pillar_is_that_of_another_solver(diameter, angle, solver):
    density = cell_density(Family("round_pillar"), np.array([diameter]), NITRIDE.pitch, "square", 256)
    layer = fourier_layer(density, NITRIDE.pillar**2, 1.0, NITRIDE.pitch * np.eye(2), 121)
    theirs = extrapolated(solver, NITRIDE, density, (5, 5), (7, 7), angle, 0)
    for number, polarisation in enumerate("sp"):
        ours = scatter_plane_wave(
            layer, height=NITRIDE.height, wavelength=NITRIDE.light, angle=angle, polarisation=polarisation,
            before=NITRIDE.glass, behind=1.0,
        ).transmission  # fmt: skip
        assert abs(np.angle(ours / theirs[number])) < 0.03
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.02)


# A resonance of the silicon pillars in s converges beyond what meent computes in minutes.
GRATINGS = [
    ("si3n4-on-sio2", NITRIDE, (270, 205, 120), 0.0, "torcwa"),
    ("si3n4-on-sio2", NITRIDE, (270, 205, 120), 0.0, "meent"),
    ("si3n4-on-sio2", NITRIDE, (270, 205, 120), ANGLE, "torcwa"),
    ("si3n4-on-sio2", NITRIDE, (270, 205, 120), ANGLE, "meent"),
    ("tio2-on-sio2", Pillars(600e-9, 280e-9, 600e-9, 2.4049, 1.4580), (80, 220, 195, 165, 135), 0.0, "torcwa"),
    ("tio2-on-sio2", Pillars(600e-9, 280e-9, 600e-9, 2.4049, 1.4580), (80, 220, 195, 165, 135), ANGLE, "torcwa"),
    ("a-si-on-sio2", Pillars(1500e-9, 650e-9, 850e-9, 3.4858, 1.4446), (340, 280, 410), 0.0, "torcwa"),
]


@pytest.mark.parametrize(("name", "pillars", "diameters", "angle", "solver"), GRATINGS)
def test_the_first_order_of_a_supercell_is_that_of_another_solver(name, pillars, diameters, angle, solver):
    geometry = 1e-9 * np.array(diameters, dtype=float)[:, None]
    cell = supercell_of(read_atom_library(library_path(name)), geometry, pillars.light)
    plain = {"material": pillars.pillar, "between": 1.0, "before": pillars.glass, "behind": 1.0}
    ours_at = SupercellSolver(replace(cell, **plain), 120 if name == "a-si-on-sio2" else 40)
    density = joined_cells(
        np.stack([cell_density(Family("round_pillar"), each, pillars.pitch, "square", 64) for each in geometry])
    )
    # The phase falls along the row: the lens' first order is the grating's −1.
    theirs = extrapolated(solver, pillars, density, (12, 4), (18, 6), angle, -1)
    for number, polarisation in enumerate("sp"):
        ours = ours_at.at(angle, 0.0, polarisation).amplitude
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.03)
        # The direction in which an order's field counts as positive is each solver's own. At 20° so few orders of
        # torcwa are 0.08 rad off.
        turn = np.angle((ours / theirs[number]) ** 2) / 2
        assert abs(turn) < 0.1
