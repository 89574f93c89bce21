"""Supercells: closed forms, conserved energy, single cells, other implementations, and gratings of the literature."""

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.formats.meta_atoms.shapes import Family
from metalens.optics.rcwa.layer import fourier_layer, row_layer
from metalens.optics.rcwa.slab import slab_transmission
from metalens.optics.rcwa.solve import scatter_plane_wave
from metalens.optics.rcwa.supercell import LENS_ORDERS, ArraySolver, SupercellSolver, local_amplitude, supercell_of
from metalens.optics.rcwa.unit_cell import cell_density

LIGHT = 540e-9


@pytest.fixture(scope="module")
def library():
    return read_atom_library(library_path("si3n4-on-sio2"))


SAMPLES = 64
"""Along a cell, as verified lenses have: a second number would compile fmmax's tangents once more, for seconds."""


def row(library, *diameters):
    return supercell_of(library, 1e-9 * np.array(diameters)[:, None], LIGHT, SAMPLES)


@pytest.fixture(scope="module")
def solver(library):
    return SupercellSolver(row(library, 270, 205, 120), 9)


@pytest.mark.parametrize("azimuth", [0.0, np.pi / 2, np.pi])
@pytest.mark.parametrize("polarisation", ["s", "p"])
def test_no_more_light_goes_on_than_comes(solver, azimuth, polarisation):
    found = solver.at(np.radians(20), azimuth, polarisation)
    assert found.shares.sum() <= found.transmittance + 1e-9
    assert found.transmittance < 1.01
    assert abs(found.amplitude) ** 2 == pytest.approx(found.shares[LENS_ORDERS == 1][0])


@pytest.mark.parametrize("azimuth", [0.0, 0.7, np.pi / 2])
@pytest.mark.parametrize("polarisation", ["s", "p"])
def test_a_uniform_row_is_a_slab(library, azimuth, polarisation):
    given = {"wavelength": LIGHT, "angle": np.radians(25), "polarisation": polarisation, "height": library.height}
    cells = np.ones((2, SAMPLES, SAMPLES))
    found = scatter_plane_wave(
        row_layer(cells, 2.05**2, 1.0, library.pitch, 14),
        **given, before=1.46, behind=1.0, azimuth=azimuth, mirror_x=False,
    )  # fmt: skip
    expected = slab_transmission(before=1.46, slab=2.05, behind=1.0, **given)
    assert found.order_shares[0] == pytest.approx(abs(expected) ** 2, abs=1e-6)
    assert found.order_phases[0] == pytest.approx(np.angle(expected), abs=1e-6)


def test_a_row_of_one_is_the_single_cell(library):
    density = cell_density(Family("round_pillar"), np.array([200e-9]), library.pitch, "square", SAMPLES)
    given = {"height": library.height, "wavelength": LIGHT, "before": 1.46, "behind": 1.0}
    alone = fourier_layer(density, 2.05**2, 1.0, library.pitch * np.eye(2), 21)
    inside = row_layer(density[None], 2.05**2, 1.0, library.pitch, 21)
    for polarisation in "sp":
        light = {"angle": np.radians(20), "polarisation": polarisation, **given}
        first, second = (scatter_plane_wave(layer, **light).transmission for layer in (alone, inside))
        assert first == pytest.approx(second, abs=0.02)


@pytest.mark.parametrize(("number", "polarisation"), list(enumerate("sp")))
def test_arrays_by_themselves_are_the_librarys_but_for_their_fourier_orders(library, number, polarisation):
    atoms = [int(np.abs(library.geometry[:, 0] - 1e-9 * each).argmin()) for each in (130, 195)]
    colour = int(np.abs(library.wavelength - LIGHT).argmin())
    tilt = int(np.abs(library.angle - np.radians(20)).argmin())
    cell = row(library, *(1e9 * library.geometry[atoms, 0]))
    found = ArraySolver(cell, 21).at(float(library.angle[tilt]), polarisation)
    np.testing.assert_allclose(found, library.transmission[number, tilt, atoms, colour], atol=0.1)


def test_equal_meta_atoms_in_a_row_are_their_own_array(library):
    density = cell_density(Family("round_pillar"), np.array([200e-9]), library.pitch, "square", SAMPLES)
    given = {"height": library.height, "wavelength": LIGHT, "before": 1.46, "behind": 1.0, "angle": np.radians(20)}
    alone = row_layer(density[None], 2.05**2, 1.0, library.pitch, 21)
    pair = row_layer(np.stack([density, density]), 2.05**2, 1.0, library.pitch, 42)
    for polarisation in "sp":
        first = scatter_plane_wave(alone, **given, polarisation=polarisation)
        second = scatter_plane_wave(pair, **given, polarisation=polarisation, mirror_x=False)
        assert first.transmission == pytest.approx(second.transmission, abs=0.03)
        # Orders that two equal ones do not have.
        assert second.order_shares[np.abs(second.order_shares) > 0].sum() == pytest.approx(second.transmittance)


def test_without_symmetry_the_answer_is_that_with_it(library):
    density = cell_density(Family("round_pillar"), np.array([200e-9]), library.pitch, "square", SAMPLES)
    layer = fourier_layer(density, 2.05**2, 1.0, library.pitch * np.eye(2), 21)
    given = {"height": library.height, "wavelength": LIGHT, "before": 1.46, "behind": 1.0, "angle": np.radians(20)}
    for polarisation in "sp":
        with_mirror = scatter_plane_wave(layer, **given, polarisation=polarisation)
        # A quarter turn of the plane of incidence changes nothing for round pillars on a square lattice.
        without = scatter_plane_wave(layer, **given, polarisation=polarisation, azimuth=np.pi / 2)
        nearly = scatter_plane_wave(layer, **given, polarisation=polarisation, azimuth=1e-9)
        assert nearly.order_shares[0] == pytest.approx(with_mirror.order_shares[0], abs=1e-3)
        assert without.order_shares[0] == pytest.approx(with_mirror.order_shares[0], abs=1e-3)
        assert without.order_phases[0] == pytest.approx(np.angle(with_mirror.transmission), abs=1e-3)


def test_a_row_is_solved_alike_with_and_without_its_mirror_symmetry(library):
    # Samples that are off by half of one are not the mirror image that the faster solver takes.
    layer, cell = SupercellSolver(row(library, 270, 120), 21).layer, row(library, 270, 120)
    given = {
        "height": cell.height, "wavelength": LIGHT, "before": cell.before, "behind": cell.behind, "angle": 0.0,
        "mirror_x": False,
    }  # fmt: skip
    for polarisation in "sp":
        fast, full = (
            scatter_plane_wave(layer, **given, polarisation=polarisation, mirror_y=each) for each in (True, False)
        )
        np.testing.assert_allclose(fast.order_shares, full.order_shares, atol=1e-3)


def test_turned_by_half_the_light_comes_from_the_other_side(library, solver):
    mirrored = SupercellSolver(row(library, 270, 120, 205), 9)
    # Counted the other way round, the row's phase rises, and its order −1 is the other's 1.
    for polarisation in "sp":
        one, other = (each.at(0.3, turn, polarisation) for each, turn in ((solver, 0.0), (mirrored, np.pi)))
        assert one.shares == pytest.approx(other.shares[::-1], abs=5e-3)


def test_the_local_approximation_of_a_perfect_ramp_loses_to_flat_cells_alone():
    ramp = np.exp(-2j * np.pi * np.arange(5) / 5)
    # sinc²(1/5) = 0.875.
    assert abs(local_amplitude(ramp)) ** 2 == pytest.approx(0.875, abs=1e-3)


def test_what_a_supercell_needs_is_said(library):
    known = {name: getattr(library, name) for name in library.__dataclass_fields__}
    with pytest.raises(InputError, match="hexagonal lattice, and supercells are computed on square ones"):
        supercell_of(type(library)(**{**known, "lattice": "hexagonal"}), library.geometry[:2], LIGHT)
    with pytest.raises(InputError, match="does not tell its refractive indices"):
        supercell_of(type(library)(**{**known, "material_index": None}), library.geometry[:2], LIGHT)


def test_neighbours_cost_a_grating_half_of_its_light_at_20_degrees(library):
    """Five pillars that deflect by sin 0.31 at 540 nm."""
    cell = row(library, 275, 230, 195, 160, 100)
    assert cell.deflection == pytest.approx(0.309, abs=1e-3)
    atoms = [int(np.abs(library.geometry[:, 0] - each).argmin()) for each in cell.geometry[:, 0]]
    colour = int(np.abs(library.wavelength - LIGHT).argmin())
    assert abs(local_amplitude(library.transmission[0, 0, atoms, colour])) ** 2 == pytest.approx(0.852, abs=2e-3)
    solver = SupercellSolver(cell, 40)
    # An independent computation by supercells: 0.889 (s), 0.917 (p); 0.416 and 0.452 at 20°, before rounding.
    for angle, expected in ((0.0, (0.889, 0.917)), (20.0, (0.416, 0.452))):
        found = [
            min(abs(solver.at(np.radians(angle), turn, name).amplitude) ** 2 for turn in (0.0, np.pi)) for name in "sp"
        ]
        assert found == pytest.approx(expected, abs=0.05)
