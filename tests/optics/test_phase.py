"""Phase profiles are what their formulas say, in float32, at every radius; and they can be differentiated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens, Quadratic, metalens_of

RADIUS = np.linspace(0, 250e-6, 101)


@pytest.mark.parametrize("focal_length", [1e-3, 10e-3, 1.0])
def test_hyperbolic_is_the_difference_of_two_paths_without_cancellation(focal_length):
    exact = -2 * np.pi / 532e-9 * (np.sqrt(RADIUS**2 + focal_length**2) - focal_length)
    found = Hyperbolic(focal_length, 532e-9).of_squared_radius(jnp.asarray(RADIUS**2))
    # At f = 1 m the two paths differ by 3e-8 of themselves, less than float32 tells apart.
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=1e-7)


def test_quadratic_is_the_lowest_order_of_hyperbolic():
    squared = jnp.asarray((RADIUS / 100) ** 2)
    np.testing.assert_allclose(
        Quadratic(1e-3, 532e-9).of_squared_radius(squared),
        Hyperbolic(1e-3, 532e-9).of_squared_radius(squared),
        rtol=1e-5,
    )


def test_even_polynomial_is_the_sum_of_its_terms():
    lens = EvenPolynomial(np.array([-300.0, 20.0, 5.0]), 250e-6)
    rho = RADIUS / 250e-6
    np.testing.assert_allclose(
        lens.of_squared_radius(jnp.asarray(RADIUS**2)),
        -300 * rho**2 + 20 * rho**4 + 5 * rho**6,
        rtol=1e-5,
    )


def test_phase_is_zero_at_the_centre_and_the_same_all_round():
    lens = Hyperbolic(1e-3, 532e-9)
    assert float(lens.at(jnp.zeros(()), jnp.zeros(()))) == 0
    around = lens.at(1e-4 * jnp.sin(jnp.arange(8.0)), 1e-4 * jnp.cos(jnp.arange(8.0)))
    np.testing.assert_allclose(around, around[0], rtol=1e-6)


def test_a_lens_survives_a_round_trip_through_its_leaves():
    lens = Metalens(0.5e-3, 1e-3, EvenPolynomial(jnp.arange(3.0), 250e-6))
    leaves, structure = jax.tree.flatten(lens)
    assert len(leaves) == 4
    assert type(jax.tree.unflatten(structure, leaves).phase) is EvenPolynomial


def test_gradient_of_the_phase_agrees_with_finite_differences():
    def phase(coefficients):
        return EvenPolynomial(coefficients, 250e-6).of_squared_radius(jnp.asarray(200e-6**2))

    start = jnp.array([-300.0, 20.0, 5.0])
    gradient = jax.grad(phase)(start)
    for index in range(3):
        step = jnp.zeros(3).at[index].set(1.0)
        assert float(gradient[index]) == pytest.approx(float(phase(start + step) - phase(start - step)) / 2, rel=1e-3)


def test_the_lens_of_a_camera_is_in_metres():
    camera = read_camera("hyperbolic")
    lens = metalens_of(camera)
    assert lens.aperture_diameter == pytest.approx(0.5e-3)
    assert lens.focal_length == pytest.approx(1e-3)
    assert float(lens.aperture_area) == pytest.approx(np.pi * 0.25e-3**2)
    assert isinstance(lens.phase, Hyperbolic)
