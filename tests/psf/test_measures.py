"""Measures of point spread functions whose widths are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.psf import measures

PITCH = 0.5e-6


def gaussian(sigma_y: float, sigma_x: float, turn: float = 0.0, size: int = 81, at=(0.0, 0.0)) -> np.ndarray:
    """Unit sum; widths and position in samples, turned by an angle in radians."""
    y, x = measures.sample_positions((size, size), 1.0)
    y, x = y - at[0], x - at[1]
    along_y, along_x = np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x
    image = np.exp(-0.5 * ((along_y / sigma_y) ** 2 + (along_x / sigma_x) ** 2))
    return image / image.sum()


@settings(max_examples=20, deadline=None)
@given(first=st.floats(1.5, 6), second=st.floats(1.5, 6), turn=st.floats(0, np.pi), shift=st.floats(-5, 5))
def test_equation_2_reads_a_turned_gaussian(first, second, turn, shift):
    image = gaussian(first, second, turn, at=(shift, -shift / 2))
    expected = 2.35 * np.hypot(first, second) * PITCH
    assert measures.full_width_half_maximum(image, PITCH) == pytest.approx(expected, rel=1e-3)


def test_a_round_spot_reads_the_root_of_two_times_its_width():
    width = measures.full_width_half_maximum(gaussian(3, 3), PITCH)
    assert width == pytest.approx(np.sqrt(2) * 2.35 * 3 * PITCH, rel=1e-4)


def test_equation_2_settles_on_the_core_and_the_other_widths_see_the_halo():
    image = 0.3 * gaussian(1.5, 1.5) + 0.7 * gaussian(12, 12)
    assert measures.full_width_half_maximum(image, PITCH) < 2 * np.sqrt(2) * 2.35 * 1.5 * PITCH
    assert measures.rms_width(image, PITCH) > 10 * PITCH
    assert measures.half_energy_radius(image, PITCH) > 5 * PITCH


def test_rms_width_of_a_gaussian():
    assert measures.rms_width(gaussian(3, 4), PITCH) == pytest.approx(5 * PITCH, rel=1e-4)


def test_half_energy_radius_of_a_gaussian():
    """1 − exp(−r²/2σ²) = ½ at r = σ√(2 ln 2), about the centroid wherever it lies."""
    image = gaussian(4, 4, at=(6.0, -3.0))
    expected = 4 * PITCH * np.sqrt(2 * np.log(2))
    assert measures.half_energy_radius(image, PITCH) == pytest.approx(expected, rel=5e-3)
    assert measures.centroid(image, PITCH) == pytest.approx((6 * PITCH, -3 * PITCH), rel=1e-3)


def test_encircled_energy_grows_to_the_whole():
    image = gaussian(4, 4)
    energy = measures.encircled_energy(image, PITCH, PITCH * np.array([0.0, 4.0, 8.0, 100.0]))
    assert np.all(np.diff(energy) > 0)
    assert energy[-1] == pytest.approx(1.0)
    assert energy[1] == pytest.approx(1 - np.exp(-0.5), abs=5e-3)


def test_modulation_transfer_of_a_gaussian():
    """exp(−2π²σ²ν²) along each axis; off the axis in x, tangential is x."""
    frequency = np.linspace(0, 1 / PITCH / 2, 9)
    modulation = measures.modulation_transfer(gaussian(3, 2), PITCH, frequency, np.array([0.0, 1.0]))
    for direction, sigma in enumerate((2 * PITCH, 3 * PITCH)):
        np.testing.assert_allclose(modulation[direction], np.exp(-2 * (np.pi * sigma * frequency) ** 2), atol=1e-6)


def test_modulation_transfer_of_a_point_is_one():
    image = np.zeros((3, 33, 41))
    image[:, 16, 20] = 0.5
    modulation = measures.modulation_transfer(image, PITCH, np.array([0.0, 1e5, 9e5]), np.array([0.6, 0.8]))
    assert modulation.shape == (3, 2, 3)
    np.testing.assert_allclose(modulation, 1.0, atol=1e-12)
