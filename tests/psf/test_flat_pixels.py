"""Lenses of flat pixels against a sum over their pixels in double precision."""

import numpy as np
import pytest

from metalens.optics import Freeform, Metalens
from metalens.psf import simulate_psf

FOCUS, WAVELENGTH = 50e-6, 532e-9
WINDOW = 12


def direct_sum(
    values: np.ndarray, pitch: float, diameter: float, angle: tuple[float, float], parts: int, spacing: float
) -> np.ndarray:
    """Energy per sample at their centres: the Rayleigh–Sommerfeld integral, each pixel cut into ``parts``² parts."""
    step, k = pitch / parts, 2 * np.pi / WAVELENGTH
    y, x = (step * (np.arange(length * parts) - 0.5 * (length * parts - 1)) for length in values.shape)
    inside = np.clip(0.5 - (np.hypot(y[:, None], x) - 0.5 * diameter) / step, 0, 1)
    q, p = np.sin(angle[0]) * np.sin(angle[1]), np.sin(angle[0]) * np.cos(angle[1])
    wave = np.exp(1j * (np.kron(values, np.ones((parts, parts))) + k * (q * y[:, None] + p * x)))
    light = (inside * wave)[inside > 0]
    pupil_y, pupil_x = (
        np.broadcast_to(y[:, None], inside.shape)[inside > 0],
        np.broadcast_to(x, inside.shape)[inside > 0],
    )
    chief = FOCUS * np.array([q, p]) / np.cos(angle[0])
    found = np.empty((WINDOW, WINDOW))
    for row in range(WINDOW):
        for column in range(WINDOW):
            away = chief + spacing * (np.array([row, column]) - WINDOW // 2)
            squared = (away[0] - pupil_y) ** 2 + (away[1] - pupil_x) ** 2 + FOCUS**2
            distance = np.sqrt(squared)
            kernel = FOCUS / squared / WAVELENGTH * (1 + 1j / (k * distance)) * np.exp(1j * k * distance)
            found[row, column] = abs((light * kernel).sum() * step**2) ** 2
    return found * spacing**2 / (np.pi * diameter**2 / 4)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def focusing(pitch: float, count: int) -> np.ndarray:
    """A hyperbolic phase, one value a pixel, wrapped."""
    place = pitch * (np.arange(count) - 0.5 * (count - 1))
    squared = place[:, None] ** 2 + place**2
    return np.mod(-2 * np.pi / WAVELENGTH * (np.sqrt(squared + FOCUS**2) - FOCUS), 2 * np.pi)


RANDOM = np.random.default_rng(4).uniform(0, 2 * np.pi, (20, 20))
MAPS = {
    "350 nm pixels that focus": (focusing(0.35e-6, 56), 0.35e-6, 14, 0.35e-6, 1e-3),
    "1 µm pixels of random phase": (RANDOM, 1e-6, 40, 0.8e-6, 1e-2),
}


@pytest.mark.parametrize("engine", ["angular_spectrum", "rayleigh_sommerfeld"])
@pytest.mark.parametrize("name", MAPS)
def test_flat_pixels_image_as_the_sum_over_them_says(name, engine):
    """To 0.1 % (root of squares) of an image; to 1 % of a speckle, whose rim cuts pixels that differ at random."""
    values, pitch, parts, spacing, tolerance = MAPS[name]
    lens = Metalens(18e-6, FOCUS, Freeform(values, pitch, "nearest"))
    angle = (np.radians(5), 0.5)
    expected = direct_sum(values, pitch, 18e-6, angle, parts, spacing)
    found = simulate_psf(
        lens, WAVELENGTH, angle, window=(WINDOW, WINDOW), pixel_pitch=spacing, engine=engine, integrate_pixels=False
    )
    assert relative_difference(found, expected) < tolerance
