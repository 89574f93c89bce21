"""A camera's pictures and the light they stand for: there and back, whatever curve and matrix the camera has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor import Development, Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import decode_picture, encode_light, rounding_variance
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit

MATRIX = ((1.5, -0.4, -0.1), (-0.2, 1.4, -0.2), (0.0, -0.5, 1.5))


def sensor(**development: object) -> Sensor:
    settings = Development.model_validate(development) if development else None
    return read_camera("metacamera").sensor.model_copy(update={"development": settings})


CAMERAS = [sensor(), sensor(gamma=2.2), sensor(colour_matrix=MATRIX), sensor(gamma=1.8, colour_matrix=MATRIX)]


@given(st.integers(0, 2**32 - 1), st.sampled_from(CAMERAS))
def test_light_comes_back_from_the_picture(seed: int, camera: Sensor) -> None:
    # Colours that the matrix leaves within 0..1.
    light = np.random.default_rng(seed).uniform(0.3, 0.55, (4, 5, 3))
    np.testing.assert_allclose(decode_picture(camera, encode_light(camera, light)), light, atol=2e-5)


def test_without_a_development_of_its_own_it_is_srgb() -> None:
    light = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_array_equal(encode_light(sensor(), light), linear_to_srgb(light))


@pytest.mark.parametrize("camera", CAMERAS)
def test_grey_stays_grey(camera: Sensor) -> None:
    grey = np.full((1, 3), 0.4)
    assert np.ptp(encode_light(camera, grey)) == pytest.approx(0, abs=1e-6)


def test_a_gamma_is_a_power() -> None:
    np.testing.assert_allclose(encode_light(sensor(gamma=2.0), np.array([0.25, 0.04, 1.0])), [0.5, 0.2, 1.0])


@pytest.mark.parametrize("camera", CAMERAS)
def test_rounding_spreads_light_as_much_as_it_says(camera: Sensor) -> None:
    """Against the light of many values that one number of 8 bits stands for."""
    number = np.array([[120, 90, 200]], dtype=np.uint8)
    within = np.random.default_rng(1).uniform(-0.5, 0.5, (100_000, 3))
    light = decode_picture(camera, (number + within) / 255)
    np.testing.assert_allclose(rounding_variance(camera, number)[0], light.var(axis=0), rtol=0.02)


def test_8_bit_pictures_are_decoded_as_their_values() -> None:
    picture = to_8_bit(np.random.default_rng(2).random((4, 5, 3)))
    for camera in CAMERAS:
        np.testing.assert_allclose(decode_picture(camera, picture), decode_picture(camera, picture / 255), atol=1e-6)


def test_a_matrix_that_cannot_be_undone_is_refused() -> None:
    flat = sensor(colour_matrix=((0.3, 0.6, 0.1),) * 3)
    with pytest.raises(InputError, match=r"colour_matrix .* cannot be undone"):
        decode_picture(flat, np.zeros((2, 2, 3), dtype=np.uint8))
