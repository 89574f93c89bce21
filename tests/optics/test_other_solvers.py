"""Single cells and supercells against torcwa, a rigorous coupled-wave analysis of other authors.

torcwa (Kim and Lee, Comput. Phys. Commun. 282, 108552, 2023) expands permittivities on rectangles of orders without
rules along outlines, so that its phases approach their limit as 1/N in the number N of orders along an axis: both are
compared by a + b/N through two of its results.
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


def amplitudes(density, orders, angle, asked):
    """Amplitude of an order, |a|² its share of the power, for s and p, by torcwa."""
    import torch
    import torcwa

    sides = [1e9 * PITCH * length / density.shape[1] for length in density.shape]
    solver = torcwa.rcwa(
        freq=1e-9 / LIGHT, order=list(orders), L=sides, dtype=torch.complex128, device=torch.device("cpu")
    )
    solver.add_input_layer(eps=GLASS**2)
    solver.add_output_layer(eps=1.0)
    solver.set_incident_angle(np.arcsin(np.sin(angle) / GLASS), 0.0)
    permittivity = 1 + (PILLAR**2 - 1) * density
    solver.add_layer(1e9 * HEIGHT, eps=torch.as_tensor(permittivity, dtype=torch.complex128))
    solver.solve_global_smatrix()
    return np.array([complex(solver.S_parameters([[asked, 0]], polarization=name + name)[0]) for name in "sp"])


def extrapolated(density, few, many, angle, asked):
    """The same in the limit of many orders; (few, many) are the numbers along x, their ratio that along y."""
    first, second = (amplitudes(density, each, angle, asked) for each in (few, many))
    n, m = few[0], many[0]
    limits = [(m * part(second) - n * part(first)) / (m - n) for part in (np.abs, lambda a: np.unwrap(np.angle(a)))]
    return limits[0] * np.exp(1j * limits[1])


@pytest.mark.parametrize("angle", [0.0, ANGLE])
@pytest.mark.parametrize("diameter", [130e-9, 200e-9])
def test_the_phase_of_a_pillar_is_that_of_torcwa(diameter, angle):
    density = cell_density(Family("round_pillar"), np.array([diameter]), PITCH, "square", 256)
    layer = fourier_layer(density, PILLAR**2, 1.0, PITCH * np.eye(2), 121)
    theirs = extrapolated(density, (5, 5), (7, 7), angle, 0)
    for number, polarisation in enumerate("sp"):
        ours = scatter_plane_wave(
            layer, height=HEIGHT, wavelength=LIGHT, angle=angle, polarisation=polarisation, before=GLASS, behind=1.0
        ).transmission
        assert abs(np.angle(ours / theirs[number])) < 0.03
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.02)


@pytest.mark.parametrize("angle", [0.0, ANGLE])
def test_the_first_order_of_a_supercell_is_that_of_torcwa(angle):
    library = read_atom_library(library_path("si3n4-on-sio2"))
    geometry = 1e-9 * np.array([[270.0], [205.0], [120.0]])
    cell = supercell_of(library, geometry, LIGHT)
    cell = type(cell)(**{**cell.__dict__, "material": PILLAR, "between": 1.0, "before": GLASS, "behind": 1.0})
    solver = SupercellSolver(cell, 40)
    density = joined_cells(
        np.stack([cell_density(Family("round_pillar"), each, PITCH, "square", 64) for each in geometry])
    )
    # The phase falls along the row: the lens' first order is the grating's −1.
    theirs = extrapolated(density, (12, 4), (18, 6), angle, -1)
    for number, polarisation in enumerate("sp"):
        ours = solver.at(angle, 0.0, polarisation).amplitude
        assert abs(ours) == pytest.approx(abs(theirs[number]), abs=0.03)
        # The direction in which an order's field counts as positive is each solver's own. At 20° so few orders of
        # torcwa are 0.08 rad off.
        turn = np.angle((ours / theirs[number]) ** 2) / 2
        assert abs(turn) < 0.1
