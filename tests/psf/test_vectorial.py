"""The vector field in the focus: Richards and Wolf's integrals, a published spot, the scalar limit, and energy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import j1

from metalens.formats.files.errors import InputError
from metalens.optics import Hyperbolic, Metalens, PlaneWave, Stop
from metalens.optics.geometric_phase import GeometricPhase
from metalens.optics.metalens import Plate
from metalens.optics.richards_wolf import focal_components
from metalens.psf import psf_simulator, simulate_psf
from metalens.psf.engines.vectorial import focal_field

LIGHT = 532e-9


def lens_of(aperture, focal_length=15e-6, **parts):
    diameter = 2 * focal_length * aperture / np.sqrt(1 - aperture**2)
    return Metalens(diameter, focal_length, Hyperbolic(focal_length, LIGHT), **parts)


def field_of(lens, polarisation, window=(25, 25), pitch=60e-9):
    simulator = psf_simulator(lens, [LIGHT], [0.0], window=window, pixel_pitch=pitch, engine="vectorial")
    grid = simulator.plan.grid
    found = focal_field(lens, PlaneWave(jnp.zeros(2)), jnp.asarray(LIGHT), None, polarisation, simulator.window, grid)
    origin = grid.origin(window)
    places = [grid.pitch(simulator.window) * (np.arange(n) - o) for n, o in zip(grid.window, origin, strict=True)]
    return np.asarray(found.electric), places


@pytest.mark.parametrize("aperture", [pytest.param(0.5, marks=pytest.mark.long), 0.9])
def test_linear_and_circular_light_focus_as_richards_and_wolf_say_with_a_flat_lens_apodisation(aperture):
    electric, (y, x) = field_of(lens_of(aperture), "p", window=(17, 17))
    expected = focal_components(y[:, None], x[None, :], aperture=aperture, wavelength=LIGHT, apodisation="flat")
    found, exact = (np.abs(field) ** 2 / (np.abs(field) ** 2).sum(axis=0).max() for field in (electric, expected))
    np.testing.assert_allclose(found, exact, atol=0.01)
    # Circular light is the mean of both linear polarisations.
    circular, round_ = (0.5 * (each.sum(axis=0) + each.sum(axis=0).T) for each in (found, exact))
    np.testing.assert_allclose(circular, round_, atol=0.005)


@pytest.mark.parametrize(("wavelength", "measured"), [(405, 280), (532, 375), (660, 450)])
def test_published_spots_lie_between_those_of_a_lossless_flat_lens_and_an_aplanatic_one(wavelength, measured):
    """Lenses of titanium dioxide nanofins, NA 0.8, in circular light: Khorasaninejad et al., Science 352, 1190, 2016.

    Nanofins convert less light where they deflect more, which takes the place of the aplanatic lens' √cos θ.
    """
    away = np.linspace(0, 0.5, 501)

    def width(apodisation):
        along, across = (
            (np.abs(focal_components(y, x, aperture=0.8, wavelength=1.0, apodisation=apodisation)) ** 2).sum(axis=0)
            for y, x in ((0 * away, away), (away, 0 * away))
        )
        total = along + across
        return 2 * wavelength * np.interp(-0.5, -total / total[0], away)

    assert width("flat") < measured < 1.04 * width("aplanatic")
    assert measured == pytest.approx(width("aplanatic"), rel=0.04)


def test_the_integrals_are_the_sum_of_turned_plane_waves():
    """The aplanatic focus by its definition: each ray's field turned about (−sin φ, cos φ, 0), weighted by √cos θ."""
    node, weight = np.polynomial.legendre.leggauss(60)
    angle = 0.5 * np.arcsin(0.9) * (node + 1)
    turn = 2 * np.pi * np.arange(64) / 64
    theta, phi = np.meshgrid(angle, turn, indexing="ij")
    share = (weight * np.sin(angle) * np.sqrt(np.cos(angle)))[:, None]
    outward = np.stack([np.cos(phi), np.sin(phi), 0 * phi])
    behind = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)])
    across = np.stack([-np.sin(phi), np.cos(phi), 0 * phi])
    light = outward[0] * behind + across[0] * across
    y, x = np.array([0.0, 0.3, 0.2]), np.array([0.0, 0.1, 0.7])
    # A converging wave comes from the ray's place towards the focus.
    path = -np.sin(theta) * (np.cos(phi) * x[:, None, None] + np.sin(phi) * y[:, None, None])
    total = (share * light[:, None] * np.exp(2j * np.pi * path)).sum(axis=(-2, -1))
    found = focal_components(y, x, aperture=0.9, wavelength=1.0, apodisation="aplanatic")
    expected = np.abs(total) ** 2 / np.abs(total[0, 0]) ** 2
    np.testing.assert_allclose(np.abs(found) ** 2, expected, atol=1e-6)


def test_at_a_low_aperture_the_focus_is_an_airy_pattern():
    away = np.linspace(0.1, 5, 20)
    argument = 2 * np.pi * 0.05 * away
    for apodisation in ("aplanatic", "flat"):
        field = focal_components(0.0, away, aperture=0.05, wavelength=1.0, apodisation=apodisation)
        energy = (np.abs(field) ** 2).sum(axis=0)
        np.testing.assert_allclose(energy, (2 * j1(argument) / argument) ** 2, atol=1e-3)


def test_of_light_on_the_axis_the_longitudinal_field_vanishes_and_the_focus_is_elongated_along_the_polarisation():
    y, x = np.array([0.0, 0.3, 0.0]), np.array([0.0, 0.0, 0.3])
    field = focal_components(y, x, aperture=0.9, wavelength=1.0, apodisation="flat")
    energy = (np.abs(field) ** 2).sum(axis=0)
    assert abs(field[2, 0]) < 1e-12
    assert energy[2] > 1.3 * energy[1]


WIDE = {"window": (64, 64), "pixel_pitch": 0.25e-6, "integrate_pixels": True}


def test_at_a_low_aperture_the_scalar_engine_agrees():
    lens = lens_of(0.15, 60e-6)
    vector, scalar = (
        simulate_psf(lens, LIGHT, 0.05, engine=name, **WIDE) for name in ("vectorial", "angular_spectrum")
    )
    np.testing.assert_allclose(vector, scalar, atol=0.02 * scalar.max())


@pytest.mark.parametrize(("aperture", "degrees"), [pytest.param(0.8, 0.0, marks=pytest.mark.long), (0.4, 15.0)])
def test_all_light_arrives(aperture, degrees):
    psf = simulate_psf(
        lens_of(aperture), LIGHT, np.radians(degrees), engine="vectorial", **{**WIDE, "window": (128, 128)}
    )
    assert 0.93 < psf.sum() < 1.005


def test_unpolarised_light_on_the_axis_has_a_round_focus():
    psf = np.asarray(simulate_psf(lens_of(0.9), LIGHT, 0.0, engine="vectorial", window=(17, 17), pixel_pitch=0.1e-6))
    np.testing.assert_allclose(psf, psf.T, atol=2e-3 * psf.max())
    np.testing.assert_allclose(psf, psf[::-1], atol=2e-3 * psf.max())


# A second engine of the slope that test_lenses.py compares with finite differences.
@pytest.mark.long
def test_it_has_derivatives():
    lens = lens_of(0.6, 10e-6)
    simulator = psf_simulator(lens, [LIGHT], [0.0], window=(9, 9), pixel_pitch=0.1e-6, engine="vectorial")

    @jax.jit
    @jax.value_and_grad
    def peak(focal_length):
        return simulator(replace(lens, phase=Hyperbolic(focal_length, LIGHT))).max()

    place, step = 10.2e-6, 0.03e-6
    lower, slope, upper = peak(place - step)[0], peak(place)[1], peak(place + step)[0]
    assert float(slope) == pytest.approx(float(upper - lower) / (2 * step), rel=0.05)


@pytest.mark.parametrize(
    ("parts", "options", "told"),
    [
        ({"cover_glass": Plate(5e-6, 1.5)}, {}, "not behind a cover glass"),
        ({}, {"object_distance": 1e-3}, "of plane waves"),
        ({"response": GeometricPhase(wavelength=LIGHT, light="left")}, {}, "circular light"),
    ],
)
def test_what_it_does_not_hold_is_refused(parts, options, told):
    with pytest.raises(InputError, match=told):
        simulate_psf(lens_of(0.5, **parts), LIGHT, 0.0, engine="vectorial", **WIDE, **options)


# A second path of the energy, below and above.
@pytest.mark.long
def test_behind_a_stop_the_energy_is_kept_too():
    lens = lens_of(0.6, stop=Stop(10e-6, 5e-6))
    psf = simulate_psf(lens, LIGHT, np.radians(10), engine="vectorial", **WIDE)
    assert 0.9 < psf.sum() < 1.005
