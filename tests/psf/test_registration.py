"""Shifts of a fraction of a sample, made and found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.psf.captured.registration import find_shifts, shift_images


def spots(centre: np.ndarray, width: float = 1.5, side: int = 41) -> np.ndarray:
    """Gaussians ``[spot, y, x]`` about places (y, x) in samples from the middle."""
    at = np.arange(side) - side // 2
    y, x = centre[:, 0, None, None], centre[:, 1, None, None]
    return np.exp(-(np.square(at[:, None] - y) + np.square(at - x)) / (2 * width**2))


@settings(max_examples=20, deadline=None)
@given(y=st.floats(-3, 3), x=st.floats(-3, 3))
def test_a_shifted_function_is_the_function_at_the_other_place(y, x):
    place = np.array([[y, x]])
    np.testing.assert_allclose(shift_images(spots(np.zeros((1, 2))), place), spots(place), atol=1e-4)


def test_no_shift_changes_nothing():
    image = np.random.default_rng(0).normal(size=(2, 8, 9))
    np.testing.assert_array_equal(shift_images(image, np.zeros((2, 2))), image)


@pytest.mark.parametrize("reach", [0.4, 3.0])
def test_shifts_are_found_to_a_hundredth_of_a_sample_from_their_mean_place(reach):
    random = np.random.default_rng(1)
    place = random.uniform(-reach, reach, size=(6, 2))
    images = spots(place) + random.normal(scale=3e-3, size=(6, 41, 41))
    np.testing.assert_allclose(find_shifts(images), place - place.mean(axis=0), atol=1e-2)


def test_one_image_lies_at_its_own_place():
    np.testing.assert_array_equal(find_shifts(spots(np.array([[1.3, 0.2]]))), np.zeros((1, 2)))
