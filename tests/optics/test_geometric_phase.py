"""Geometric phase: Jones matrices in closed form, both handednesses, and the images of a lens of nanofins."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, Metalens, metalens_of
from metalens.optics.geometric_phase import GeometricPhase
from metalens.psf import simulate_psf

LIGHT = 540e-9
WINDOW = {"window": (24, 24), "pixel_pitch": 0.5e-6, "integrate_pixels": True, "engine": "angular_spectrum"}


def rotated_plate(retardance, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag(np.exp([0.5j * retardance, -0.5j * retardance])) @ turn.T


@pytest.mark.parametrize(("light", "sign"), [("left", 1), ("right", -1)])
@pytest.mark.parametrize("wavelength", [LIGHT, 430e-9, 650e-9])
def test_its_orders_are_those_of_a_rotated_plates_jones_matrix(light, sign, wavelength):
    response = GeometricPhase(wavelength=LIGHT, light=light)
    incident, other = (np.array([1, 1j * each]) / np.sqrt(2) for each in (sign, -sign))
    for phase in (0.0, 0.7, 2.5, -1.9):
        behind = rotated_plate(np.pi * LIGHT / wavelength, phase / 2) @ incident
        plain, converted = incident.conj() @ behind, other.conj() @ behind
        amplitudes = dict(zip(response.orders, np.asarray(response.coefficients(jnp.asarray(wavelength))), strict=True))
        assert amplitudes[0] == pytest.approx(plain, abs=1e-6)
        assert amplitudes[sign] * np.exp(1j * sign * phase) == pytest.approx(converted, abs=1e-6)


@pytest.mark.parametrize("light", ["left", "right", "unpolarised"])
def test_no_light_is_lost_or_made(light):
    response = GeometricPhase(wavelength=LIGHT, light=light, transmittance=0.8)
    power = np.abs(response.coefficients(jnp.asarray([430e-9, LIGHT, 650e-9]))) ** 2
    np.testing.assert_allclose(power.sum(axis=-1), 0.8, rtol=1e-6)


def test_at_another_wavelength_the_rest_passes_undeflected():
    found = GeometricPhase(wavelength=LIGHT, light="left").coefficients(jnp.asarray(650e-9))
    assert abs(found[1]) ** 2 == pytest.approx(np.sin(0.5 * np.pi * 540 / 650) ** 2, rel=1e-5)


def lens_of(light):
    phase = Hyperbolic(focal_length=20e-6, wavelength=LIGHT)
    return Metalens(
        aperture_diameter=12e-6, focal_length=20e-6, phase=phase, response=GeometricPhase(wavelength=LIGHT, light=light)
    )


def test_of_unpolarised_light_half_is_focused():
    left, both = (simulate_psf(lens_of(light), LIGHT, 0.1, **WINDOW) for light in ("left", "unpolarised"))
    # The half that diverges adds a veil of some thousandths of the peak.
    np.testing.assert_allclose(both, 0.5 * left, atol=0.01 * left.max())
    assert both.sum() > 0.5 * left.sum()


def test_converted_and_plain_light_do_not_interfere():
    lens = lens_of("left")
    whole, *parts = (
        simulate_psf(replace(lens, response=response), 650e-9, 0.1, **WINDOW)
        for response in (lens.response, *lens.response.separate())
    )
    np.testing.assert_allclose(whole, parts[0] + parts[1], atol=1e-5 * whole.max())


def camera_of(**response):
    table = {"aperture_um": 20, "focal_length_um": 40, "response": {"kind": "geometric", **response}}
    return read_camera("hyperbolic").with_(lens=table, sensor={"pixels": (16, 16)})


def test_a_lens_toml_tells_its_light():
    response = metalens_of(camera_of(wavelength_nm=540.0, light="right", transmittance=0.9)).response
    assert (response.light, response.wavelength, response.transmittance) == ("right", pytest.approx(LIGHT), 0.9)
    with pytest.raises(InputError, match="of it one half is focused and the other half diverges"):
        camera_of(wavelength_nm=540.0)
