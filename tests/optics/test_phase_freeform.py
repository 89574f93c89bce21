"""Freeform maps: where their samples lie, what is between them, and beyond their rim."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.optics import Cubic, Freeform, Quadratic

MAP = np.random.default_rng(0).normal(size=(9, 9))
evaluate = jax.jit(lambda phase, y, x: phase.at(y, x))


def test_a_map_of_a_quadratic_phase_is_the_quadratic_phase_up_to_its_rim():
    quadratic = Quadratic(150e-6, 532e-9)
    side, pitch = 31, 2e-6
    place = pitch * (jnp.arange(side) - 15)
    phase = Freeform(quadratic.at(place[:, None], place), pitch)
    y, x = jnp.linspace(-30e-6, 30e-6, 57)[:, None], jnp.linspace(-31e-6, 31e-6, 83)
    np.testing.assert_allclose(evaluate(phase, y, x), quadratic.at(y, x), atol=2e-4)


def test_a_map_lies_with_its_centre_on_the_lens_and_its_first_row_at_the_top():
    phase = Freeform(np.arange(12.0).reshape(3, 4), 1e-6, "nearest")
    place = 1e-6 * (jnp.arange(4) - 1.5)
    np.testing.assert_array_equal(evaluate(phase, jnp.full(4, -1e-6), place), [0, 1, 2, 3])
    np.testing.assert_array_equal(evaluate(phase, 1e-6 * jnp.arange(-1, 2), jnp.full(3, 1.5e-6)), [3, 7, 11])


def test_a_map_of_pixels_is_flat_on_each_pixel_and_says_so():
    phase = Freeform(MAP, 1e-6, "nearest")
    within = jnp.linspace(-0.499e-6, 0.499e-6, 11)
    np.testing.assert_array_equal(evaluate(phase, within, within), np.full(11, MAP[4, 4], dtype=np.float32))
    assert phase.flat_pixel == 1e-6
    assert float((Cubic(1.0, 1.0) + phase).flat_pixel) == pytest.approx(1e-6)
    assert Freeform(MAP, 1e-6).flat_pixel is None


@pytest.mark.parametrize("interpolation", ["cubic", "nearest"])
def test_beyond_its_rim_a_map_goes_on_with_the_same_value(interpolation):
    phase = Freeform(MAP, 1e-6, interpolation)
    far, rim = jnp.asarray([1.0, 4.5e-6]), jnp.zeros(2)
    for y, x in ((far, rim), (-far, rim), (rim, far)):
        beyond, at_the_rim = evaluate(phase, y, x)
        assert float(beyond) == pytest.approx(float(at_the_rim), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Freeform(MAP, 1e-6, "linear"), "interpolation 'linear' is not known; take one of cubic, nearest"),
        (lambda: Freeform(MAP[0], 1e-6).at(jnp.ones(1), jnp.ones(1)), r"expected \[y, x\] with at least 3 samples"),
    ],
)
def test_what_is_no_map_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
