"""Single cells and supercells against torcwa and meent, rigorous coupled-wave analyses of other authors.

torcwa (Kim and Lee, Comput. Phys. Commun. 282, 108552, 2023) and meent (Kim et al., arXiv:2406.12904, 2024) expand
permittivities on rectangles of orders without rules along outlines, so that their phases approach the limit as 1/N in
the number N of orders along an axis: they are compared by a + b/N through two of their results.
"""

import numpy as np
import pytest

from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.rcwa.layer import fourier_layer, joined_cells
from metalens.optics.rcwa.solve import scatter_plane_wave
from metalens.optics.rcwa.supercell import SupercellSolver, supercell_of
from metalens.optics.rcwa.unit_cell import cell_density

pytestmark = pytest.mark.long

LIGHT, PITCH, HEIGHT = 540e-9, 350e-9, 705e-9
PILLAR, GLASS = 2.05, 1.46
ANGLE = np.radians(20)


def sides_of(density):
    """Periods along x and y in nanometres."""
    return [1e9 * PITCH * length / density.shape[1] for length in density.shape]


def by_torcwa(density, orders, angle, asked):
    """Amplitude of an order, |a|² its share of the power, for s and p."""
    import torch
    import torcwa

    solver = torcwa.rcwa(
        freq=1e-9 / LIGHT, order=list(orders), L=sides_of(density), dtype=torch.complex128, device=torch.device("cpu")
    )
    solver.add_input_layer(eps=GLASS**2)
    solver.add_output_layer(eps=1.0)
    solver.set_incident_angle(np.arcsin(np.sin(angle) / GLASS), 0.0)
    permittivity = 1 + (PILLAR**2 - 1) * density
    solver.add_layer(1e9 * HEIGHT, eps=torch.as_tensor(permittivity, dtype=torch.complex128))
    solver.solve_global_smatrix()
    return np.array([complex(solver.S_parameters([[asked, 0]], polarization=name + name)[0]) for name in "sp"])


def by_meent(density, orders, angle, asked):
    """The same; its time runs the other way, and its p is a quarter of a turn ahead."""
    import meent

    found = []
    for psi, name, turn in ((np.pi / 2, "T_s", 1), (0.0, "T_p", 1j)):
        solver = meent.call_mee(
            psi=psi, theta=float(np.arcsin(np.sin(angle) / GLASS)), phi=0.0, n_top=GLASS, n_bot=1.0,
            period=sides_of(density), wavelength=1e9 * LIGHT, thickness=[1e9 * HEIGHT], fto=list(orders),
            ucell=np.sqrt(1 + (PILLAR**2 - 1) * density).T[None], fourier_type=1,
        )  # fmt: skip
        solved = solver.conv_solve().res
        place = (orders[1], orders[0] + asked)
        phase = np.angle(turn * np.conj(getattr(solved, name)[place]))
        found.append(np.sqrt(solved.de_ti[place]) * np.exp(1j * phase))
    return np.array(found)


SOLVERS = {"torcwa": by_torcwa, "meent": by_meent}


def extrapolated(solver, density, few, many, angle, asked):
    """The same in the limit of many orders; (few, many) are the numbers along x, their ratio that along y."""
    first, second = (SOLVERS[solver](density, each, angle, asked) for each in (few, many))
    n, m = few[0], many[0]
    limits = [(m * part(second) - n * part(first)) / (m - n) for part in (np.abs, lambda a: np.unwrap(np.angle(a)))]
    return limits[0] * np.exp(1j * limits[1])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("angle", [0.0, ANGLE])
@pytest.mark.parametrize("diameter", [130e-9, 200e-9])
def test_the_phase_of_a_pillar_is_that_of_another_solver(diameter, angle, solver):
    density = cell_density(Family("round_pillar"), np.array([diameter]), PITCH, "square", 256)
    layer = fourier_layer(density, PILLAR**2, 1.0, PITCH * np.eye(2), 121)
    theirs = extrapolated(solver, density, (5, 5), (7, 7), angle, 0)
    for number, polarisation in enumerate("sp"):
        ours = scatter_plane_wave(
            layer, height=HEIGHT, wavelength=LIGHT, angle=angle, polarisation=polarisation, before=GLASS, behind=1.0
        ).transmission
        assert abs(np.angle(ours / theirs[number])) < 0.03
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.02)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("angle", [0.0, ANGLE])
def test_the_first_order_of_a_supercell_is_that_of_another_solver(angle, solver):
    library = read_atom_library(library_path("si3n4-on-sio2"))
    geometry = 1e-9 * np.array([[270.0], [205.0], [120.0]])
    cell = supercell_of(library, geometry, LIGHT)
    cell = type(cell)(**{**cell.__dict__, "material": PILLAR, "between": 1.0, "before": GLASS, "behind": 1.0})
    ours_at = SupercellSolver(cell, 40)
    density = joined_cells(
        np.stack([cell_density(Family("round_pillar"), each, PITCH, "square", 64) for each in geometry])
    )
    # The phase falls along the row: the lens' first order is the grating's −1.
    theirs = extrapolated(solver, density, (12, 4), (18, 6), angle, -1)
    for number, polarisation in enumerate("sp"):
        ours = ours_at.at(angle, 0.0, polarisation).amplitude
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.03)
        # The direction in which an order's field counts as positive is each solver's own. At 20° so few orders of
        # torcwa are 0.08 rad off.
        turn = np.angle((ours / theirs[number]) ** 2) / 2
        assert abs(turn) < 0.1
