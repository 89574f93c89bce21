"""Polynomials on a disc, fitted at fixed nodes."""

import jax
import numpy as np

from metalens.optics.refraction.disc_polynomial import DEGREE, disc_fit, polynomial_values

RADIUS = 250e-6
WAVELENGTH = 532e-9


def on_disc(count=400):
    """Places ``[2, count]`` in metres, evenly over the disc."""
    random = np.random.default_rng(0)
    radius, angle = RADIUS * np.sqrt(random.random(count)), 2 * np.pi * random.random(count)
    return radius * np.sin(angle), radius * np.cos(angle)


def path(y, x):
    """Optical path to a point 1 mm behind the disc and 0.4 mm beside its axis: 339 waves from rim to rim."""
    return np.sqrt((y - 0.4e-3) ** 2 + x**2 + 1e-6)


def test_a_wavefront_of_hundreds_of_waves_is_held_to_a_ten_thousandth_of_a_wave():
    """In single precision, as engines take it: what 24 bits of 339 waves leave; in double precision far better."""
    y, x = on_disc()
    for wide, most in ((True, 1e-11), (False, 1e-4)):
        with jax.enable_x64(wide):
            fit = disc_fit()
            at = RADIUS * fit.place
            waves = (path(at[:, 0], at[:, 1]) - path(0, 0)) / WAVELENGTH
            found = polynomial_values(fit(waves), y, x, RADIUS)[0]
        expected = (path(y, x) - path(0, 0)) / WAVELENGTH
        assert np.abs(np.asarray(found) - expected).max() < most


def test_polynomials_and_their_slopes_are_exact():
    fit = disc_fit()
    at = fit.place
    y, x = on_disc()
    value, slope_y, slope_x = polynomial_values(fit(at[:, 0] ** 3 * at[:, 1]), y, x, RADIUS)
    v, u = y / RADIUS, x / RADIUS
    np.testing.assert_allclose(value, v**3 * u, atol=1e-5)
    np.testing.assert_allclose(slope_y, 3 * v**2 * u / RADIUS, atol=1e-4 / RADIUS)
    np.testing.assert_allclose(slope_x, v**3 / RADIUS, atol=1e-4 / RADIUS)


def test_a_grid_is_what_its_places_are():
    y = np.linspace(-1, 1, 5)[:, None] * RADIUS
    x = np.linspace(-1, 1, 7) * RADIUS
    coefficients = np.random.default_rng(1).normal(size=(DEGREE + 1) ** 2).astype(np.float32)
    grid = polynomial_values(coefficients, y, x, RADIUS)
    places = polynomial_values(coefficients, *(each.ravel() for each in np.broadcast_arrays(y, x)), RADIUS)
    for one, other in zip(grid, places, strict=True):
        np.testing.assert_allclose(np.ravel(one), other, rtol=1e-4, atol=1e-4 * np.abs(other).max())
