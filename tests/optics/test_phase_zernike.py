"""Zernike polynomials: orthonormal on the disc, in float32 up to high orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import Zernike
from metalens.optics.phase.zernike import zernike_polynomial


def disc_quadrature(rings: int = 24, spokes: int = 64) -> tuple[np.ndarray, np.ndarray, float]:
    """Points (y, x) of the unit disc with weights that average polynomials up to the degree 2·rings exactly."""
    node, weight = np.polynomial.legendre.leggauss(rings)
    rho, angle = np.sqrt(0.5 * (1 + node)), 2 * np.pi * np.arange(spokes) / spokes
    points = rho[:, None] * np.sin(angle), rho[:, None] * np.cos(angle)
    return *points, np.broadcast_to(0.5 * weight[:, None] / spokes, points[0].shape)


def test_zernike_polynomials_are_orthonormal_on_the_disc():
    y, x, weight = disc_quadrature()
    all_of_them = jax.jit(lambda y, x: jnp.stack([zernike_polynomial(j, y, x) for j in range(66)]))
    values = np.asarray(all_of_them(y.ravel(), x.ravel()), dtype=float)
    np.testing.assert_allclose((values * weight.ravel()) @ values.T, np.eye(66), atol=2e-5)


def test_a_zernike_polynomial_of_high_order_holds_in_float32():
    """R_n⁰(1) = 1 at every order; its sum of powers would have terms of 10⁷ at n = 20."""
    rim = Zernike((20 * 22 // 2,), np.ones(1), 1.0).at(jnp.zeros(()), jnp.ones(()))
    assert float(rim) == pytest.approx(np.sqrt(21), rel=1e-4)


def test_the_coefficients_of_zernike_are_the_deviation_of_the_phase():
    y, x, weight = disc_quadrature()
    values = np.asarray(Zernike((4, 7, 12), np.array([0.3, -0.4, 1.2]), 1.0).at(jnp.asarray(y), jnp.asarray(x)))
    assert np.sqrt((weight * values**2).sum()) == pytest.approx(1.3, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zernike((-1,), np.ones(1), 1.0), r"indices \[-1\] must be one or more OSA/ANSI indices"),
        (lambda: Zernike((), np.ones(0), 1.0), "must be one or more"),
        (lambda: Zernike((4, 5), np.ones(3), 1.0).at(jnp.ones(1), jnp.ones(1)), "2 indices with coefficients of shape"),
    ],
)
def test_indices_and_coefficients_that_do_not_fit_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
