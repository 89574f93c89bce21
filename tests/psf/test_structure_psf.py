"""Lenses that are simulated as they are built: a meta-atom at each site, or a geometry over the radius."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, read_camera
from metalens.formats.camera.structure import EMPTY, read_structure, write_structure
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, meta_atom_library, metalens_of, nano_optics_proxy
from metalens.optics.meta_atoms.library import is_duty_cycle
from metalens.optics.structure import (
    AtomKind,
    RadialGeometry,
    StructureOptions,
    choose_structure,
    control_of,
    fit_of,
    geometry_within,
    radial_geometry_of,
    with_structure,
)
from metalens.psf import psf_simulator, simulate_bank, simulate_psf
from metalens.psf.engines import grid
from metalens.psf.engines.flat_cells import fine_samples

GREEN, PITCH, RADIUS, FOCUS = 532e-9, 250e-9, 15e-6, 60e-6
LENS = Metalens(2 * RADIUS, FOCUS, Hyperbolic(FOCUS, GREEN))
SMALL = Metalens(14e-6, 28e-6, Hyperbolic(28e-6, GREEN))
"""Of the same numerical aperture, in a fifth of the time."""
WINDOW = {"window": (24, 24), "pixel_pitch": 0.4e-6}
KIND = AtomKind("round_pillar", 700e-9)


def turns_library(levels=201, turns=1.0):
    """Phase grows evenly over a turn, the same at every wavelength; an empty site lets all light through."""
    phase = 2 * np.pi * turns * np.linspace(0, 1, levels)
    table = np.exp(1j * phase)[:, None] * np.ones(2)
    return meta_atom_library(np.linspace(80e-9, 240e-9, levels), np.array([400e-9, 800e-9]), table, empty=np.ones(2))


def built(library, lattice="square", lens=LENS, **keys):
    structure = choose_structure(
        lens, library, StructureOptions(pitch=PITCH, lattice=lattice, wavelengths=[GREEN], kind=KIND, **keys)
    )
    return with_structure(lens, library, structure)


@functools.cache
def ideal(angle):
    return simulate_psf(LENS, GREEN, angle, engine="angular_spectrum", **WINDOW)


@functools.cache
def fine(lattice="square"):
    return built(turns_library(), lattice)


def flat_cells_share(lens=LENS, pitch=PITCH, wavelength=GREEN):
    """(⟨sinc(p sin θ_y/λ) sinc(p sin θ_x/λ)⟩)² of a lens that focuses on axis, over its area."""
    y, x = (each.ravel() for each in np.meshgrid(*[np.linspace(-RADIUS, RADIUS, 801)] * 2))
    y, x = y[np.hypot(y, x) < RADIUS], x[np.hypot(y, x) < RADIUS]
    away = np.sqrt(y**2 + x**2 + float(lens.focal_length) ** 2)
    return (np.sinc(pitch * y / away / wavelength) * np.sinc(pitch * x / away / wavelength)).mean() ** 2


# A second field or number of levels of what stands beside it.
LONG = pytest.mark.long


def relative_difference(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@LONG
@pytest.mark.parametrize("angle", [0.0, 0.15])
def test_a_fine_library_gives_the_psf_of_the_phase_less_what_flat_cells_lose(angle):
    """2 % of light lost by the slope in flat cells, evenly but for the rim; 10⁻³ by two samples a pitch."""
    found = simulate_psf(fine(), GREEN, angle, **WINDOW)
    assert found.max() / ideal(angle).max() == pytest.approx(flat_cells_share(), abs=3e-3)
    assert relative_difference(found / found.sum(), ideal(angle) / ideal(angle).sum()) < 0.01


# test_flat_pixels.py has hexagonal sites against a direct sum.
@pytest.mark.long
def test_square_and_hexagonal_sites_make_the_same_psf():
    square, hexagonal = (simulate_psf(fine(lattice), GREEN, 0.15, **WINDOW) for lattice in ("square", "hexagonal"))
    # The cell of a hexagonal site is smaller by √3/2 and loses less.
    assert relative_difference(hexagonal, square) < 0.01
    assert hexagonal.max() > square.max()


# test_flat_pixels.py compares both engines with a direct sum over hexagonal sites.
@pytest.mark.long
def test_both_engines_on_a_grid_agree():
    lens = built(turns_library(), "hexagonal", SMALL)
    fast, exact = (
        simulate_psf(lens, GREEN, 0.15, engine=engine, **WINDOW)
        for engine in ("angular_spectrum", "rayleigh_sommerfeld")
    )
    assert relative_difference(fast, exact) < 1e-3


# tests/optics/test_structure_choice.py has it of the efficiency that is told.
@pytest.mark.long
@pytest.mark.parametrize("levels", [4, 8])
def test_levels_of_phase_have_the_efficiency_of_a_staircase(levels):
    """sinc²(1/L): 0.9496 for eight levels."""
    steps = np.linspace(80e-9, 240e-9, 201)[np.round(200 * np.arange(levels) / levels).astype(int)]
    staircase = built(turns_library(), geometry=steps)
    peaks = [simulate_psf(lens, GREEN, 0.0, **WINDOW).max() for lens in (staircase, fine())]
    # A lens of four turns has no even share of all phases; the piston uses that.
    assert peaks[0] / peaks[1] == pytest.approx(np.sinc(1 / levels) ** 2, rel=0.015)


# tests/optics/test_structure_choice.py has it of the efficiency that is told.
@pytest.mark.long
def test_the_efficiency_is_that_of_the_response_to_the_phase():
    """Sites at 350 nm with the published fit: |c₁|² of its response, less what flat cells lose."""
    library = nano_optics_proxy()
    structure = choose_structure(LENS, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[511e-9]))
    lens = with_structure(LENS, library, structure)
    response = MetaAtoms(library, 511e-9)
    wavelengths = [511e-9, 580e-9]
    expected = np.abs(jax.jit(response.coefficients)(jnp.asarray(wavelengths))[:, 0]) ** 2
    peaks = [
        psf_simulator(each, wavelengths, [0.0], engine="angular_spectrum", **WINDOW)(each)[0].max(axis=(-2, -1))
        for each in (lens, replace(LENS, response=response))
    ]
    lost = np.array([flat_cells_share(pitch=350e-9, wavelength=each) for each in wavelengths])
    np.testing.assert_allclose(peaks[0] / peaks[1], lost, atol=0.015)
    np.testing.assert_allclose(fit_of(lens, np.array(wavelengths)).efficiency, expected * lost, atol=0.015)


# test_tolerance_evaluation.py has it of the mean over missing sites.
@pytest.mark.long
def test_missing_sites_lower_the_peak_by_the_square_of_those_that_are_left():
    lens, random = fine(), np.random.default_rng(0)
    share = 0.2
    index = np.array(lens.structure.site_index)
    index[random.random(index.shape) < share] = EMPTY
    # Nothing through empty sites: what they let through of itself reaches the focus too, in so small a lens.
    dark = replace(lens.structure, library=replace(lens.structure.library, empty=None))
    peaks = [
        simulate_psf(replace(lens, structure=each), GREEN, 0.0, **WINDOW).max()
        for each in (replace(dark, site_index=index), dark)
    ]
    # 11000 sites: the share that is missing is known to 0.4 %.
    assert peaks[0] / peaks[1] == pytest.approx((1 - share) ** 2, rel=0.02)


def test_errors_of_width_at_each_site_are_those_of_all_sites_where_they_are_equal():
    lens = fine()
    shape = lens.structure.site_index.shape
    shared = replace(lens, structure=replace(lens.structure, width_error=7e-9))
    each = replace(lens, structure=replace(lens.structure, width_error=np.full(shape, 7e-9)))
    y = x = jnp.linspace(-RADIUS, RADIUS, 333)
    found, expected = (jax.jit(lens.transmission)(y[:, None], x, GREEN) for lens in (each, shared))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_sample_between_two_sites_belongs_to_both():
    sites = fine().structure
    middle = sites.site_index.shape[0] // 2
    index = np.array(sites.site_index)
    index[middle, middle], index[middle, middle + 1] = 10, 60
    sites = replace(sites, site_index=index)
    at = [complex(sites.transmission(jnp.zeros(()), jnp.asarray(x * PITCH), jnp.asarray(GREEN))) for x in (0, 0.5, 1)]
    assert at[1] == pytest.approx(0.5 * (at[0] + at[2]), abs=1e-5)


@pytest.mark.long
def test_the_psf_of_sites_has_the_slope_of_finite_differences_in_their_geometry():
    tiny = Metalens(7e-6, 14e-6, Hyperbolic(14e-6, GREEN))
    lens = built(turns_library(), lens=tiny, geometry=np.linspace(80e-9, 240e-9, 9))
    simulator = psf_simulator(lens, [GREEN], [0.0], window=(8, 8), pixel_pitch=0.4e-6)

    @jax.jit
    @jax.value_and_grad
    def peak(shift):
        moved = jnp.asarray(lens.structure.geometry, dtype=jnp.float32).at[4].add(1e-9 * shift)
        return jnp.max(simulator(replace(lens, structure=replace(lens.structure, geometry=moved)))) * 1e3

    (lower, upper), slope = (peak(each)[0] for each in (1.0, 5.0)), peak(3.0)[1]
    assert float(slope) == pytest.approx(float(upper - lower) / 4, rel=0.03)


@pytest.fixture(scope="module")
def radial():
    return replace(LENS, structure=radial_geometry_of(LENS, turns_library(), spacing=PITCH, wavelengths=[GREEN]))


def test_a_radial_geometry_makes_the_psf_of_the_phase(radial):
    """Flat rings lose what flat cells do, to a part of the light of the ring in which each zone ends."""
    assert radial.rotationally_symmetric
    found = simulate_psf(radial, GREEN, 0.15, **WINDOW)
    assert found.max() / ideal(0.15).max() == pytest.approx(flat_cells_share(), abs=0.02)
    assert relative_difference(found / found.sum(), ideal(0.15) / ideal(0.15).sum()) < 0.03


# A second path of the slope in the geometry, which the sites have above.
@pytest.mark.long
def test_the_psf_of_a_radial_geometry_has_the_slope_of_finite_differences():
    library = turns_library()
    lens = replace(SMALL, structure=radial_geometry_of(SMALL, library, spacing=PITCH, wavelengths=[GREEN]))
    simulator = psf_simulator(lens, [GREEN], [0.1], **WINDOW)
    control = control_of(library, lens.structure.geometry)

    @jax.jit
    @jax.value_and_grad
    def peak(shift):
        geometry = geometry_within(library, control.at[10:15].add(shift))
        return jnp.max(simulator(replace(lens, structure=RadialGeometry(geometry, PITCH, library)))) * 1e3

    (lower, upper), slope = (peak(each)[0] for each in (0.25, 0.35)), peak(0.3)[1]
    assert float(slope) == pytest.approx(float(upper - lower) / 0.1, rel=0.03)


def test_control_and_geometry_are_each_others_inverse():
    library = turns_library()
    geometry = jnp.linspace(81e-9, 239e-9, 50)
    np.testing.assert_allclose(geometry_within(library, control_of(library, geometry)), geometry, rtol=1e-4)
    assert float(geometry_within(library, jnp.asarray(50.0))) == pytest.approx(240e-9, rel=1e-6)


def test_a_wavelength_outside_the_library_is_refused(radial):
    for lens in (fine(), radial):
        with pytest.raises(InputError, match="wavelength 900 nm lies outside the table"):
            simulate_psf(lens, 900e-9, 0.0, **WINDOW)


def test_the_direction_cosine_engine_is_refused():
    with pytest.raises(InputError, match="cannot simulate a structure of individual meta-atoms"):
        simulate_psf(fine(), GREEN, 0.0, engine="direction_cosine", **WINDOW)


CAMERA = """
schema = "metalens.camera"
version = 1
name = "built"

[lens]
aperture_um = 30
focal_length_um = 60

[lens.phase]
family = "hyperbolic"
wavelength_nm = 511

[lens.meta_atoms]
material = "Si3N4"
substrate = "SiO2"
pitch_nm = 350
height_nm = 705
diameter_nm = [105, 287]
{tables}
[sensor]
pixels = [16, 16]
pixel_pitch_um = 1.5
bit_depth = 8
full_well_e = 5000
read_noise_e = 3

[spectrum]
wavelengths_per_channel = 1
channels = [
  {{ name = "red", centre_nm = 606, fwhm_nm = 10 }},
  {{ name = "green", centre_nm = 511, fwhm_nm = 10 }},
  {{ name = "blue", centre_nm = 462, fwhm_nm = 10 }},
]
"""
STRUCTURE = '\n[lens.structure]\nfile = "structure.h5"\n'


def camera_in(folder, tables=STRUCTURE):
    (folder / "lens.toml").write_text(CAMERA.format(tables=tables))
    return read_camera(folder / "lens.toml")


def chosen_for(aperture, focal_length):
    lens = Metalens(aperture, focal_length, Hyperbolic(focal_length, 511e-9))
    return choose_structure(lens, "nano-optics-proxy", StructureOptions(pitch=350e-9, wavelengths=[511e-9], step=5e-9))


@pytest.fixture(scope="module")
def chosen():
    return chosen_for(30e-6, 60e-6)


@pytest.fixture
def folder(tmp_path, chosen):
    write_structure(tmp_path / "structure.h5", chosen)
    return tmp_path


@pytest.mark.long
def test_a_camera_of_a_structure_is_simulated_by_its_sites(tmp_path):
    write_structure(tmp_path / "structure.h5", chosen_for(16e-6, 32e-6))
    smaller = CAMERA.replace("aperture_um = 30", "aperture_um = 16").replace(
        "focal_length_um = 60", "focal_length_um = 32"
    )
    (tmp_path / "lens.toml").write_text(smaller.format(tables=STRUCTURE))
    camera = read_camera(tmp_path / "lens.toml")
    assert len(camera.lens.structure.sha256) == 64
    lens = metalens_of(camera)
    assert not lens.rotationally_symmetric
    bank = simulate_bank(camera, fields=(1, 1), window=(15, 15))
    assert bank.provenance["engine"] == "angular_spectrum"
    assert "structure of individual meta-atoms" in bank.provenance["engine_reason"]
    # All light of the first order is in the window: what is missing went elsewhere.
    efficiency = fit_of(lens, bank.wavelength).efficiency
    np.testing.assert_allclose(bank.intensity[0].sum(axis=(1, 2)), bank.channel_weight @ efficiency, atol=0.06)
    assert "structure" in dump_camera(bank.camera)


def test_a_changed_structure_is_another_camera(folder):
    camera = camera_in(folder)
    recorded = STRUCTURE + f'sha256 = "{camera.lens.structure.sha256}"\n'
    assert camera_in(folder, recorded).hash == camera.hash
    (folder / "structure.h5").write_bytes((folder / "structure.h5").read_bytes() + b"0")
    with pytest.raises(InputError, match=r"its SHA-256 is .*, but lens.structure.sha256 is .*; bring back that file"):
        camera_in(folder, recorded)


def test_a_camera_of_a_radial_geometry_is_read(tmp_path):
    values = ", ".join(f"{each:.1f}" for each in np.linspace(120, 280, 44))
    table = f'\n[lens.radial_geometry]\nlibrary = "nano-optics-proxy"\nspacing_nm = 350\ngeometry_nm = [{values}]\n'
    table += 'interpolation = "linear"\n'
    lens = metalens_of(camera_in(tmp_path, table))
    assert lens.rotationally_symmetric
    duty = float(lens.structure.geometry_at(jnp.zeros(()), jnp.asarray(10.5 * 350e-9)))
    assert 350 * duty == pytest.approx(120 + 10.5 * 160 / 43, rel=1e-3)
    with pytest.raises(InputError, match=r"44 values 300 nm apart reach 12\.9 µm from the centre, less than half of"):
        metalens_of(camera_in(tmp_path, table.replace("350", "300")))
    with pytest.raises(InputError, match="structure and radial_geometry both say what the lens is built of"):
        camera_in(tmp_path, table + STRUCTURE)


def test_a_geometry_without_steps_is_computed_on_the_grid_itself(monkeypatch):
    """Twice as fine a grid costs four times as much and changes it by 10⁻³ at most: nothing jumps between cells."""
    points = 90e-9 + 140e-9 * np.cos(np.linspace(0, np.pi / 2, 17)) ** 2
    linear = replace(LENS, structure=RadialGeometry(points, 1e-6, turns_library(), "linear"))
    nearest = replace(LENS, structure=replace(linear.structure, interpolation="nearest"))
    assert fine_samples(linear, 0.1e-6) == 1 < fine_samples(nearest, 0.1e-6)
    found = simulate_psf(linear, GREEN, 0.1, engine="angular_spectrum", **WINDOW)
    monkeypatch.setattr(grid, "fine_samples", lambda *_: 2)
    assert relative_difference(found, simulate_psf(linear, GREEN, 0.1, engine="angular_spectrum", **WINDOW)) < 1e-3


def test_errors_of_fabrication_are_done_to_all_meta_atoms_of_a_structure(folder):
    table = STRUCTURE + "\n[lens.fabrication]\nwidth_error_nm = 7\n"
    plain, wider = (metalens_of(camera_in(folder, text)) for text in (STRUCTURE, table))
    # In duty cycles of the structure's own pitch.
    unit = float(plain.structure.pitch) if is_duty_cycle(plain.structure.library) else 1.0
    assert float(wider.structure.width_error) == pytest.approx(7e-9 / unit)
    with pytest.raises(InputError, match="missing_share needs a library that knows what an empty site lets through"):
        metalens_of(camera_in(folder, table + "missing_share = 0.1\n"))


def test_empty_sites_need_a_library_that_knows_them(folder):
    structure = read_structure(folder / "structure.h5")
    index = structure.site_index.copy()
    index[40, 40:43] = EMPTY
    write_structure(folder / "structure.h5", replace(structure, site_index=index))
    with pytest.raises(InputError, match=r"structure.h5: 3 sites inside the opening are empty, and its library does"):
        metalens_of(camera_in(folder))


def test_a_structure_too_small_or_without_a_library_is_refused(folder):
    structure = read_structure(folder / "structure.h5")
    write_structure(folder / "structure.h5", replace(structure, site_index=structure.site_index[:50]))
    with pytest.raises(InputError, match=r"50 × \d+ sites 350 nm apart cover 17.5 × .* less than aperture_um 30"):
        metalens_of(camera_in(folder))
    write_structure(folder / "structure.h5", replace(structure, library_name=""))
    with pytest.raises(InputError, match="names no library that tells what its meta-atoms do to light; add the key"):
        metalens_of(camera_in(folder))
    write_structure(folder / "structure.h5", replace(structure, library_name="../../secret.h5"))
    with pytest.raises(InputError, match=r"must lie in the folder of the file that names it"):
        metalens_of(camera_in(folder))
    write_structure(folder / "structure.h5", replace(structure, library_name="other.h5"))
    with pytest.raises(InputError, match=r"other\.h5: no such library beside the lens\.toml, and none of this name"):
        metalens_of(camera_in(folder))


def test_a_camera_that_was_not_read_from_a_file_has_no_structure():
    camera = parse_camera(CAMERA.format(tables=STRUCTURE))
    with pytest.raises(InputError, match=r"lens.structure: where structure.h5 lies is not known"):
        metalens_of(camera)
