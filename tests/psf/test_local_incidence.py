"""Point spread functions of meta-atoms that respond by the local angle of incidence and the polarisation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import library_path, read_atom_library
from metalens.optics import Hyperbolic, MetaAtoms, Metalens, library_named, metalens_of
from metalens.optics.structure import RadialGeometry
from metalens.psf import simulate_bank, simulate_psf

NAME, LIGHT = "si3n4-on-sio2", 540e-9
"""A library over 0, 10, 20 and 30°, and one of its wavelengths."""


def camera_of(**lens):
    response = {"kind": "library", "library": NAME, "wavelength_nm": 540.0}
    table = {"aperture_um": 20, "focal_length_um": 40, "response": response, **lens}
    return read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (24, 24), "pixel_pitch_um": 1.0})


def lens_of(incidence="local", built=False):
    library = library_named(NAME, incidence=incidence)
    phase = Hyperbolic(focal_length=30e-6, wavelength=LIGHT)
    lens = Metalens(aperture_diameter=12e-6, focal_length=30e-6, phase=phase, response=MetaAtoms(library, LIGHT))
    if built:
        geometry = lens.response.chosen_geometry(phase.at(0.0, jnp.arange(20) * 350e-9))
        lens = replace(lens, structure=RadialGeometry(geometry, 350e-9, library))
    return lens


WINDOW = {"window": (48, 48), "pixel_pitch": 0.5e-6, "integrate_pixels": True}


@pytest.mark.parametrize("degrees", [pytest.param(0.0, marks=pytest.mark.long), 20.0])
# All engines multiply by the same response.
@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("direction_cosine", marks=pytest.mark.long),
        "angular_spectrum",
        pytest.param("rayleigh_sommerfeld", marks=pytest.mark.long),
    ],
)
def test_the_light_in_a_window_falls_by_the_librarys_table(engine, degrees):
    table = read_atom_library(library_path(NAME))
    local, ideal = (
        simulate_psf(lens, LIGHT, np.radians(degrees), engine=engine, **WINDOW).sum()
        for lens in (lens_of(), replace(lens_of(), response=type(metalens_of(read_camera("hyperbolic")).response)()))
    )
    # The first order of the meta-atoms that are chosen for each phase, from the table itself.
    angle, colour = (
        int(np.argmin(np.abs(axis - at)))
        for axis, at in ((table.angle, np.radians(degrees)), (table.wavelength, LIGHT))
    )
    phase = 2 * np.pi * (np.arange(512) + 0.5) / 512
    chosen = np.asarray(lens_of().response.chosen_geometry(phase))
    power = []
    for number in range(2):
        t = table.transmission[number, angle, :, colour]
        size, turn = (
            np.interp(chosen, table.geometry[:, 0], np.abs(t)),
            np.interp(chosen, table.geometry[:, 0], np.unwrap(np.angle(t))),
        )
        power.append(abs(np.mean(size * np.exp(1j * (turn - phase)))) ** 2)
    assert local / ideal == pytest.approx(np.mean(power), rel=2e-3)


# tests/optics/test_incidence.py has it of the light behind the lens.
@pytest.mark.long
@pytest.mark.parametrize("built", [False, True])
def test_a_far_point_has_the_image_of_a_plane_wave(built):
    lens = lens_of(built=built)
    plane, far = (
        simulate_psf(lens, LIGHT, 0.3, engine="angular_spectrum", object_distance=distance, **WINDOW)
        for distance in (np.inf, 1.0)
    )
    np.testing.assert_allclose(far, plane, atol=3e-3 * plane.max())


@pytest.mark.long
def test_light_of_a_near_point_is_that_of_two_propagated_vectors():
    # Independent: the field behind the lens as vectors, one incident polarisation after the other, each component
    # propagated by the Rayleigh–Sommerfeld integral.
    from metalens.optics import PointSource, rayleigh_sommerfeld

    lens, distance, step = replace(lens_of(built=True), aperture_diameter=8e-6), 30e-6, 0.2e-6
    source = PointSource(jnp.asarray([0.0, 0.2]), distance)
    found = simulate_psf(
        lens,
        LIGHT,
        np.arcsin(0.2),
        window=(25, 25),
        pixel_pitch=step,
        object_distance=distance,
        engine="rayleigh_sommerfeld",
    )
    fine = step / 3
    place = fine * np.arange(-65, 66)
    y, x = place[:, None], place[None, :]
    away_y, away_x = y + 0 * x, x - float(source.place[1]) + 0 * y
    radial = np.hypot(away_y, away_x)
    sine2 = (radial / np.sqrt(radial**2 + distance**2)) ** 2
    table = library_named(NAME, incidence="local").oblique
    axis = np.asarray(lens.structure.library.geometry)
    colour = int(np.argmin(np.abs(np.asarray(lens.structure.library.wavelength) - LIGHT)))
    geometry = np.asarray(lens.structure.geometry_at(jnp.asarray(y), jnp.asarray(x)))
    both = []
    for number in range(2):
        t = np.asarray(table.transmission)[number, :, :, colour]
        turn = np.unwrap(np.angle(t), axis=0)
        at = [np.stack([np.interp(geometry, axis, part[k]) for k in range(4)]) for part in (np.abs(t), turn)]
        at = [_between(np.asarray(table.squared_sine), part, sine2) for part in at]
        both.append(at[0] * np.exp(1j * at[1]))
    p_y, p_x = away_y / radial, away_x / radial
    light = np.exp(2j * np.pi / LIGHT * np.asarray(source.path(y, x), dtype=float)) * np.asarray(source.amplitude(y, x))
    inside = np.clip((4e-6 - np.hypot(y, x)) / fine + 0.5, 0, 1)
    total = np.zeros((25, 25))
    for e_y, e_x in ((1.0, 0.0), (0.0, 1.0)):
        along_s, along_p = e_x * p_y - e_y * p_x, e_y * p_y + e_x * p_x
        out_s, out_p = both[0] * along_s, both[1] * along_p
        for out in (out_p * p_y - out_s * p_x, out_p * p_x + out_s * p_y):
            field = rayleigh_sommerfeld(
                inside * light * out,
                pitch=fine,
                wavelength=LIGHT,
                distance=30e-6,
                centre=(0.0, 30e-6 * 0.2 / np.sqrt(1 - 0.04)),
                shape=(75, 75),
            )
            total += 0.5 * np.abs(field[1::3, 1::3]) ** 2
    shape = found / found.max()
    np.testing.assert_allclose(shape, total / total.max(), atol=0.02)


def _between(nodes, values, at):
    place = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
    share = (at - nodes[place]) / (nodes[place + 1] - nodes[place])
    low, high = (np.take_along_axis(values, (place + step)[None], axis=0)[0] for step in (0, 1))
    return (1 - share) * low + share * high


# A bank asks the engine for the same at two fields.
@pytest.mark.long
def test_a_bank_darkens_to_its_corners_as_the_library_says():
    bank, plain = (
        simulate_bank(camera_of(incidence=incidence), radii=2, wavelengths=[LIGHT, 580e-9, 620e-9], window=(21, 21))
        for incidence in (None, "normal")
    )
    share, reference = (each.intensity.sum(axis=(-2, -1))[:, 1] for each in (bank, plain))
    assert share[0] == pytest.approx(reference[0], rel=2e-3)
    angle = np.arctan(np.hypot(12e-6, 12e-6) / 40e-6)
    assert np.degrees(angle) > 20
    assert share[1] < 0.97 * reference[1]


def test_the_key_changes_no_hash_unless_it_is_given():
    assert "incidence" not in read_camera("hyperbolic").model_dump_json(exclude_none=True)
    assert camera_of().hash != camera_of(incidence="normal").hash


def test_an_angle_beyond_the_librarys_is_told():
    with pytest.raises(InputError, match=r"light of the field at 35.0° falls on the meta-atoms at up to 35.0°, and"):
        simulate_psf(lens_of(), LIGHT, np.radians(35.0), **WINDOW)
    with pytest.raises(InputError, match='incidence = "normal"'):
        simulate_psf(lens_of(), LIGHT, 0.3, object_distance=12e-6, **WINDOW)
    assert simulate_psf(lens_of("normal"), LIGHT, np.radians(35.0), **WINDOW).sum() > 0


def test_local_incidence_without_a_library_is_refused():
    with pytest.raises(InputError, match='incidence "local" needs meta-atoms of a library with angles'):
        read_camera("hyperbolic").with_(lens={"incidence": "local"})


# A second path of the slope in the geometry, which test_structure_psf.py compares with finite differences.
@pytest.mark.long
def test_point_spread_functions_are_differentiable_at_local_incidence():
    from metalens.psf import psf_simulator

    lens = replace(lens_of(built=True), aperture_diameter=8e-6)
    simulator = psf_simulator(lens, [LIGHT], [0.3], window=(16, 16), pixel_pitch=0.5e-6)
    direction = np.cos(np.arange(20))

    def peak(step):
        # Halfway between the table's samples, 5 nm apart, where its slope jumps.
        middle = 5e-9 * jnp.floor(jnp.asarray(lens.structure.geometry) / 5e-9) + 2.5e-9
        geometry = middle + step * 1e-9 * direction
        return simulator(replace(lens, structure=replace(lens.structure, geometry=geometry))).max()

    peak = jax.jit(jax.value_and_grad(peak))
    slope = (peak(0.5)[0] - peak(-0.5)[0]) / 1.0
    assert float(peak(0.0)[1]) == pytest.approx(float(slope), rel=0.03)
