"""Zones of a lens as gratings: their places, their meta-atoms, and what is refused before the first supercell."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.optics import Cubic, metalens_of
from metalens.optics.structure import radial_geometry_of
from metalens.optics.verification import plan_verification
from metalens.optics.verification.plan import plan_of_json
from metalens.optics.verification.zones import zone_radii, zones_at

PITCH, LIGHT = 350e-9, 540e-9


def camera_of(**lens):
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": 540.0}
    phase = {"family": "hyperbolic", "wavelength_nm": 540.0}
    table = {"aperture_um": 30, "focal_length_um": 30, "phase": phase, "response": response, **lens}
    return read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (24, 24), "pixel_pitch_um": 1.0})


def test_a_zone_of_n_sites_deflects_by_the_wavelength_over_its_width():
    found = zone_radii(metalens_of(camera_of()), PITCH, 12)
    # The rim has sin α = 0.447, zones of 3.45 sites.
    assert list(found) == list(range(4, 13))
    for count, radius in found.items():
        assert radius / np.hypot(radius, 30e-6) == pytest.approx(LIGHT / (count * PITCH), rel=3e-3)


def test_the_meta_atoms_of_a_zone_have_a_falling_phase():
    lens = metalens_of(camera_of(incidence="normal"))
    zone = zones_at(lens, zone_radii(lens, PITCH, 8)[8], 8, PITCH, LIGHT, 1)[0]
    through = np.asarray(lens.response.library.at(jnp.asarray(zone.geometry), jnp.asarray(LIGHT)))
    # The best of all constant phases; si3n4 reaches 5.55 of 2π rad at 540 nm.
    assert abs(np.mean(through * np.exp(2j * np.pi * np.arange(8) / 8))) ** 2 > 0.93


def test_constant_phases_divide_the_step_from_site_to_site():
    lens = metalens_of(camera_of(incidence="normal"))
    zones = zones_at(lens, zone_radii(lens, PITCH, 5)[5], 5, PITCH, LIGHT, 3)
    step = np.diff([zone.constant_phase for zone in zones])
    np.testing.assert_allclose(step, 2 * np.pi / 15)
    for zone in zones:
        wanted = zone.constant_phase - 2 * np.pi * np.arange(5) / 5
        chosen = np.asarray(lens.response.chosen_geometry(jnp.asarray(wanted)))
        np.testing.assert_array_equal(zone.geometry, chosen)


def test_a_structure_is_verified_with_its_own_meta_atoms():
    lens = metalens_of(camera_of(incidence="normal"))
    built = radial_geometry_of(lens, lens.response.library, spacing=PITCH, wavelengths=np.array([LIGHT]))
    made = replace(lens, structure=built)
    zone = zones_at(made, zone_radii(lens, PITCH, 6)[6], 6, PITCH, LIGHT, 1)[0]
    assert np.isin(np.round(zone.geometry, 12), np.round(np.asarray(built.geometry, dtype=float), 12)).all()
    through = np.asarray(lens.response.library.at(jnp.asarray(zone.geometry), jnp.asarray(LIGHT)))
    assert abs(np.mean(through * np.exp(2j * np.pi * np.arange(6) / 6))) ** 2 > 0.85


def test_a_plan_survives_its_json():
    plan = plan_verification(camera_of(), zones=2, fields=[0.0, 0.2], wavelengths=[LIGHT, 580e-9])
    again = plan_of_json(plan.asked())
    assert again.asked() == plan.asked()
    assert plan.incidences == [(0.0, 0.0), (0.2, 0.0), (0.2, np.pi)]


@pytest.mark.parametrize(
    ("lens", "options", "told"),
    [
        ({"response": None}, {}, "has no meta-atoms of a computed library"),
        ({}, {"fields": [0.6]}, "falls on the meta-atoms at up to 34.4°, and their library goes from 0 to 30°"),
        ({}, {"wavelengths": [800e-9]}, "wavelength 800 nm lies outside the table"),
        ({"incidence": "normal"}, {"fields": [0.0, 0.2]}, "takes its library si3n4-on-sio2 at normal incidence"),
        ({"focal_length_um": 300}, {"fields": [0.0]}, "the narrowest zone of the lens is 30.9 meta-atoms wide"),
    ],
)
def test_what_cannot_be_verified_is_told_before_the_work(lens, options, told):
    with pytest.raises(InputError, match=told):
        plan_verification(camera_of(**lens), **options)


def test_zones_of_a_phase_without_symmetry_are_refused():
    lens = metalens_of(camera_of())
    with pytest.raises(InputError, match="not rotationally symmetric"):
        zone_radii(replace(lens, phase=Cubic(60.0, 15e-6)), PITCH, 8)
