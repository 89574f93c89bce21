"""Responses: diffraction orders, and that they are the Fourier series of what the structure does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.optics import IdealPhase, Kinoform

DESIGN = 532e-9
WAVELENGTHS = jnp.asarray([450e-9, 532e-9, 650e-9])


def test_an_ideal_phase_sends_all_light_into_the_first_order_at_every_wavelength():
    response = IdealPhase()
    assert response.orders == (1,)
    assert response.achromatic
    np.testing.assert_array_equal(response.coefficients(WAVELENGTHS), np.ones((3, 1)))
    response.check([1e-9, 1.0])


def test_a_kinoform_is_perfect_at_its_design_wavelength_and_sends_the_rest_into_neighbouring_orders():
    efficiency = jnp.abs(Kinoform(DESIGN, (0, 1, 2)).coefficients(WAVELENGTHS)) ** 2
    np.testing.assert_allclose(efficiency[1], [0, 1, 0], atol=1e-12)
    # sinc²(λ₀/λ − m), from the closed form.
    detour = DESIGN / np.asarray(WAVELENGTHS)[:, None] - np.array([0, 1, 2])
    np.testing.assert_allclose(efficiency, np.sinc(detour) ** 2, atol=1e-6)
    # At half the design wavelength everything is in the second order.
    np.testing.assert_allclose(jnp.abs(Kinoform(DESIGN, (1, 2)).coefficients(DESIGN / 2)), [0, 1], atol=1e-6)


@given(st.floats(300e-9, 2e-6))
@settings(max_examples=20, deadline=None)
def test_the_energy_over_all_orders_of_a_kinoform_is_one(wavelength):
    """What lies beyond the order M is less than about 2/(π²M) of it."""
    reach = 400
    amplitudes = Kinoform(DESIGN, tuple(range(-reach, reach + 1))).coefficients(wavelength)
    assert float(jnp.sum(jnp.abs(amplitudes) ** 2)) == pytest.approx(1, abs=2 / (np.pi**2 * (reach - 3)))


def test_with_all_its_orders_a_kinoform_is_a_wrapped_relief():
    """exp(iαφ) with φ wrapped into 0…2π and α = λ₀/λ; a Fourier series misses it only near the flanks."""
    wavelength, reach = 480e-9, 60
    phase = jnp.linspace(-20.0, 20.0, 400)
    wrapped = np.mod(phase, 2 * np.pi)
    away = (wrapped > 0.8) & (wrapped < 2 * np.pi - 0.8)
    response = Kinoform(DESIGN, tuple(range(-reach, reach + 1)))
    found = jax.jit(response.transmission)(phase[away], jnp.asarray(wavelength))
    np.testing.assert_allclose(found, np.exp(1j * DESIGN / wavelength * wrapped[away]), atol=0.02)


def test_the_coefficients_of_a_kinoform_are_its_fourier_integrals():
    wavelength, steps = 600e-9, 20_000
    phase = 2 * np.pi * (np.arange(steps) + 0.5) / steps
    expected = [np.mean(np.exp(1j * (DESIGN / wavelength - m) * phase)) for m in (-1, 0, 1, 3)]
    np.testing.assert_allclose(Kinoform(DESIGN, (-1, 0, 1, 3)).coefficients(wavelength), expected, atol=1e-6)


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_a_staircase_of_n_levels_sends_sinc_squared_of_m_over_n_into_the_order(levels):
    """Swanson 1989, equation 3, at the wavelength for which it is made; 0.405 of two levels, 0.811 of four."""
    response = Kinoform(DESIGN, (1,), levels)
    np.testing.assert_allclose(jnp.abs(response.coefficients(DESIGN)) ** 2, [np.sinc(1 / levels) ** 2], atol=1e-6)


def test_the_coefficients_of_a_staircase_are_its_fourier_integrals():
    wavelength, steps, levels, orders = 480e-9, 12_000, 6, (-2, 0, 1, 5, 7)
    phase = 2 * np.pi * (np.arange(steps) + 0.5) / steps
    relief = np.exp(1j * DESIGN / wavelength * 2 * np.pi * np.floor(phase * levels / (2 * np.pi)) / levels)
    expected = [np.mean(relief * np.exp(-1j * m * phase)) for m in orders]
    np.testing.assert_allclose(Kinoform(DESIGN, orders, levels).coefficients(wavelength), expected, atol=1e-6)


def test_with_many_levels_a_staircase_is_the_blaze():
    smooth, fine = Kinoform(3.7e-6, (6, 7, 8)), Kinoform(3.7e-6, (6, 7, 8), 256)
    # sinc²(8/256) = 0.997, and half a step of phase.
    np.testing.assert_allclose(
        jnp.abs(fine.coefficients(WAVELENGTHS)), jnp.abs(smooth.coefficients(WAVELENGTHS)), atol=2e-3
    )


def test_a_multi_order_relief_sends_all_light_of_its_harmonics_into_the_order_that_images_them():
    """λ₀/m goes into the order m; between two harmonics the nearer order has the most (Faklis and Morris 1995)."""
    response = Kinoform(3.7e-6, (6, 7, 8))
    harmonics = 3.7e-6 / jnp.asarray([6, 7, 8])
    np.testing.assert_allclose(jnp.abs(response.coefficients(harmonics)) ** 2, np.eye(3), atol=1e-5)
    np.testing.assert_array_equal(response.image_order(harmonics), [6, 7, 8])
    np.testing.assert_allclose(response.image_efficiency(harmonics), 1, atol=1e-5)
    np.testing.assert_array_equal(response.image_order(jnp.asarray([455e-9, 530e-9, 620e-9])), [8, 7, 6])
    np.testing.assert_array_equal(Kinoform(DESIGN, (0, 1, 2)).image_order(jnp.asarray([200e-9])), [1])


@pytest.mark.parametrize("wavelength", [470e-9, DESIGN, 650e-9])
def test_the_gradient_in_the_design_wavelength_agrees_with_finite_differences(wavelength):
    weight = np.array([0.3 - 0.2j, 1.0 + 0.5j])

    def merit(design, numpy=jnp):
        detour = design / wavelength - np.array([0, 1])
        return (weight * np.exp(1j * np.pi * detour) * np.sinc(detour)).real.sum()

    found = jax.grad(lambda design: jnp.real(weight * Kinoform(design, (0, 1)).coefficients(wavelength)).sum())(DESIGN)
    step = 1e-6 * DESIGN
    assert float(found) == pytest.approx((merit(DESIGN + step) - merit(DESIGN - step)) / (2 * step), rel=1e-3)


@pytest.mark.parametrize("orders", [(), (1, 1), (2, 1)])
def test_orders_ascend(orders):
    with pytest.raises(InputError, match="must be one or more whole numbers that ascend; sort them"):
        Kinoform(DESIGN, orders)
