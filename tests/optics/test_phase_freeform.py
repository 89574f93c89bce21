"""Freeform maps: where their samples lie, what is between them, and beyond their rim."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.phase import FreeformPhase
from metalens.formats.files.errors import InputError
from metalens.optics import Cubic, Freeform, Hyperbolic, Quadratic, metalens_of
from metalens.psf import simulate_psf

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


def test_a_wrapped_map_is_interpolated_as_phasors():
    smooth = Quadratic(150e-6, 532e-9)
    place = 0.5e-6 * (jnp.arange(41) - 20)
    values = np.asarray(smooth.at(place[:, None], place))
    y, x = jnp.linspace(-9.9e-6, 9.9e-6, 31)[:, None], jnp.linspace(-9.7e-6, 9.9e-6, 37)
    found = evaluate(Freeform(values % (2 * np.pi), 0.5e-6, wrapped=True), y, x)
    turn = np.exp(1j * np.asarray(found)) - np.exp(1j * np.asarray(smooth.at(y, x)))
    assert np.abs(turn).max() < 2e-4


def wrapped_hyperbola(tmp_path, change, **keys):
    """A lens of NA 0.1 whose map, wrapped into 0 to 2π and changed, comes from a file."""
    place = 0.5e-6 * (np.arange(85) - 42)
    phase = -2 * np.pi / 532e-9 * (np.sqrt(place[:, None] ** 2 + place**2 + 200e-6**2) - 200e-6)
    np.save(tmp_path / "map.npy", change(phase % (2 * np.pi)))
    record = FreeformPhase(family="freeform", file="map.npy", pitch_um=0.5, **keys).in_folder(tmp_path)
    camera = read_camera("metacamera")
    lens = camera.lens.model_copy(update={"aperture_um": 40.0, "focal_length_um": 200.0, "phase": record})
    return metalens_of(camera.model_copy(update={"lens": lens}))


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (lambda phase: phase, {"wrapped": True}),
        (lambda phase: phase / (2 * np.pi), {"wrapped": True, "units": "turns"}),
        (lambda phase: phase * 128 / np.pi, {"wrapped": True, "units": "levels"}),
    ],
)
def test_a_wrapped_map_of_known_units_makes_the_same_image_as_the_lens(tmp_path, change, keys):
    """Read as it is, the wrapped map lost a tenth of the light, and the one in turns most of it."""
    found = wrapped_hyperbola(tmp_path, change, **keys)
    options = {"window": (31, 31), "pixel_pitch": 1e-6, "engine": "angular_spectrum"}
    expected = simulate_psf(replace(found, phase=Hyperbolic(200e-6, 532e-9)), 532e-9, 0.0, **options)
    psf = simulate_psf(found, 532e-9, 0.0, **options)
    assert psf.sum() == pytest.approx(expected.sum(), rel=2e-3)
    assert np.linalg.norm(psf - expected) < 2e-3 * np.linalg.norm(expected)


def smooth_turn(phase):
    """Numbers from 0 to 2π without a jump between neighbours, like a spiral's half or a map that was rescaled."""
    return np.broadcast_to(np.linspace(0, 2 * np.pi, phase.shape[1]), phase.shape)


@pytest.mark.parametrize("change", [smooth_turn, lambda phase: 0.995 * smooth_turn(phase) + 0.02])
def test_a_map_that_just_fills_a_turn_is_told_although_no_neighbours_jump(tmp_path, change):
    with pytest.raises(InputError, match=r"map.npy: its numbers just fill 0 to 2π, .* give wrapped = true, or false"):
        wrapped_hyperbola(tmp_path, change)


@pytest.mark.parametrize("keys", [{"wrapped": False}, {"wrapped": True}, {"interpolation": "nearest"}])
def test_a_map_that_fills_a_turn_is_read_once_it_is_said_what_is_meant(tmp_path, keys):
    assert wrapped_hyperbola(tmp_path, smooth_turn, **keys).phase.wrapped == keys.get("wrapped", False)


def test_a_smooth_map_of_another_range_needs_no_key(tmp_path):
    assert not wrapped_hyperbola(tmp_path, lambda phase: 1.1 * smooth_turn(phase)).phase.wrapped


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda phase: phase, "looks wrapped"),
        (lambda phase: phase / phase.max(), 'lie in 0 to 1, .* give units = "turns"'),
        (lambda phase: np.rint(255 * phase / phase.max()), 'lie in 0 to 255, .* give units = "levels"'),
    ],
)
def test_a_map_that_is_wrapped_or_of_other_units_is_told(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        wrapped_hyperbola(tmp_path, change)
