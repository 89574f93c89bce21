"""Pruned transforms equal the whole ones where they are not zero."""

import jax.numpy as jnp
import numpy as np
import pytest

from metalens.psf.engines.band import (
    centred_transform,
    even_transform,
    even_window,
    fft_order,
    kept_frequencies,
    kept_of,
    unfolded,
    window_of,
)

CLOSE = 2e-6
"""Relative to the largest value: roundings of float32."""


def complex_field(*shape: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.normal(size=shape) + 1j * generator.normal(size=shape)


def far_from(found, expected) -> float:
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def on_grid(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Embedded in a grid, the middle sample at (0, 0)."""
    whole = np.zeros(size, dtype=complex)
    rows, columns = (np.arange(count) - count // 2 for count in field.shape)
    whole[np.ix_(rows % size[0], columns % size[1])] = field
    return whole


@pytest.mark.parametrize(("length", "highest"), [(8, 2), (8, 4), (8, 99), (9, 3), (9, 4)])
def test_frequencies_up_to_the_highest_are_kept_in_order(length, highest):
    every = np.fft.fftfreq(length, 1 / length)
    assert list(kept_frequencies(length, highest)) == [value for value in every if abs(value) <= highest]


@pytest.mark.parametrize("band", [(5, 7), (8, 10), (99, 99)])
@pytest.mark.parametrize("size", [(16, 21), (17, 20)])
def test_a_pruned_transform_has_the_kept_frequencies_of_the_whole(size, band):
    field = complex_field(9, 11)
    band = (min(band[0], size[0] // 2), min(band[1], size[1] // 2))
    rows, columns = (np.abs(fft_order(length)) <= most for length, most in zip(size, band, strict=True))
    whole = np.fft.fft2(on_grid(field, size))
    expected = whole[rows][:, columns]
    assert far_from(centred_transform(jnp.asarray(field), size, band), expected) < CLOSE
    assert far_from(kept_of(jnp.asarray(whole), band), expected) < CLOSE


@pytest.mark.parametrize("size", [(16, 21), (17, 20)])
@pytest.mark.parametrize("band", [(5, 7), (8, 10)])
def test_a_quarter_of_an_even_field_is_enough(size, band):
    quarter = complex_field(5, 6)
    whole = np.block([[quarter[:0:-1, :0:-1], quarter[:0:-1]], [quarter[:, :0:-1], quarter]])
    expected = np.asarray(centred_transform(jnp.asarray(whole), size, band))
    found = even_transform(jnp.asarray(quarter), size, band)
    assert found.shape == (band[0] + 1, band[1] + 1)
    for spectrum in (found, jnp.asarray(expected)):
        assert far_from(unfolded(spectrum, size, band, rows=True), expected) < CLOSE
        assert far_from(unfolded(spectrum, size, band, rows=False), expected[: band[0] + 1]) < CLOSE


@pytest.mark.parametrize("origin", [0, 4, 8])
@pytest.mark.parametrize("length", [30, 31])
def test_a_window_of_the_inverse_transform(length, origin):
    highest = 7
    spectrum = complex_field(3, 2 * highest + 1)
    sample = np.arange(9) - origin
    waves = np.exp(2j * np.pi / length * np.outer(kept_frequencies(length, highest), sample)) / length
    assert far_from(window_of(jnp.asarray(spectrum), length, origin, 9), spectrum @ waves) < CLOSE


@pytest.mark.parametrize(("length", "highest"), [(30, 7), (30, 15), (31, 15), (4000, 900)])
@pytest.mark.parametrize("window", [9, pytest.param(301, marks=pytest.mark.long)])
def test_a_window_of_an_even_spectrum(length, highest, window):
    half = complex_field(2, highest + 1)
    frequency = kept_frequencies(length, highest)
    origin = min(window // 2, length // 2 - 1)
    window = min(window, 2 * origin + 1)
    waves = np.exp(2j * np.pi / length * np.outer(frequency, np.arange(window) - origin)) / length
    expected = half[:, np.abs(frequency)] @ waves
    assert far_from(even_window(jnp.asarray(half), length, origin, window), expected) < CLOSE
