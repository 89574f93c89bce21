"""Sources: plane waves, spherical waves, and that one becomes the other far away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.optics import PlaneWave, PointSource

DIRECTION = jnp.asarray([0.2, -0.1])
Y, X = np.random.default_rng(0).uniform(-250e-6, 250e-6, size=(2, 50))


def test_the_path_of_a_plane_wave_is_its_direction_times_the_place():
    wave = PlaneWave(DIRECTION)
    np.testing.assert_allclose(wave.path(Y, X), 0.2 * Y - 0.1 * X, rtol=1e-5, atol=1e-11)
    np.testing.assert_array_equal(wave.amplitude(Y[:, None], X), np.ones((50, 50)))


@pytest.mark.parametrize("distance", [2e-3, 50e-3, 10.0])
def test_the_path_from_a_point_is_the_difference_of_two_distances_without_cancellation(distance):
    """To a thousandth of a wavelength, even when the distance itself is 2·10⁷ wavelengths."""
    reach = distance / np.sqrt(1 - 0.05)
    to_place = np.sqrt((Y + 0.2 * reach) ** 2 + (X - 0.1 * reach) ** 2 + distance**2)
    source = PointSource(DIRECTION, distance)
    # An exact form of the difference, in float64.
    exact = (Y**2 + X**2 + 2 * reach * (0.2 * Y - 0.1 * X)) / (to_place + reach)
    np.testing.assert_allclose(source.path(Y, X), exact, atol=0.5e-9)
    np.testing.assert_allclose(source.amplitude(Y, X), reach / to_place, rtol=1e-6)


def test_a_far_point_is_a_plane_wave():
    """What is left is the sag, at most r²/2z: a tenth of it ten times as far."""
    wave = PlaneWave(DIRECTION)
    sags = [np.abs(PointSource(DIRECTION, z).path(Y, X) - wave.path(Y, X)).max() for z in (0.1, 1.0, 10.0)]
    np.testing.assert_allclose(sags[0] / sags[1], 10, rtol=0.01)
    np.testing.assert_array_less(sags, (Y**2 + X**2).max() / (2 * np.array([0.1, 1.0, 10.0])))
    np.testing.assert_allclose(PointSource(DIRECTION, 1e3).amplitude(Y, X), 1, atol=1e-6)


def test_on_axis_the_phase_of_a_point_is_symmetric_and_zero_at_the_centre():
    source = PointSource(jnp.zeros(2), 5e-3)
    assert float(source.path(jnp.zeros(()), jnp.zeros(()))) == 0
    np.testing.assert_allclose(source.path(Y, X), source.path(-X, Y), rtol=1e-6)


def test_the_gradient_in_the_distance_agrees_with_finite_differences():
    distance, y, x = 5e-3, 100e-6, -200e-6

    def exact(distance):
        reach = distance / np.sqrt(1 - 0.05)
        return np.sqrt((y + 0.2 * reach) ** 2 + (x - 0.1 * reach) ** 2 + distance**2) - reach

    found = jax.grad(lambda distance: PointSource(DIRECTION, distance).path(y, x))(distance)
    step = 1e-3 * distance
    assert float(found) == pytest.approx((exact(distance + step) - exact(distance - step)) / (2 * step), rel=1e-3)
