"""Lenses of flat cells (pixels, hexagons, rings) against a sum over points of the cells in double precision."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

from metalens.optics import Freeform, Hyperbolic, Metalens, meta_atom_library
from metalens.optics.structure import RadialGeometry, Sites
from metalens.optics.structure.lattice import nearest_site
from metalens.psf import simulate_psf

FOCUS, WAVELENGTH, DIAMETER = 50e-6, 532e-9, 18e-6
ANGLE = (np.radians(5), 0.5)
WINDOW = 8
PLACES = np.arange(0, WINDOW, 2)
"""Rows and columns of the window at which the sum is taken."""
Phase = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of a lens at positions (y, x) in metres."""


def direct_sum(phase: Phase, step: float, spacing: float) -> np.ndarray:
    """Energy per sample at their centres: the Rayleigh–Sommerfeld integral over points of the lens."""
    k, half = 2 * np.pi / WAVELENGTH, int(0.5 * DIAMETER / step) + 2
    y, x = (each.ravel() for each in np.meshgrid(*[step * (np.arange(-half, half) + 0.5)] * 2, indexing="ij"))
    inside = np.clip(0.5 - (np.hypot(y, x) - 0.5 * DIAMETER) / step, 0, 1)
    y, x, inside = y[inside > 0], x[inside > 0], inside[inside > 0]
    q, p = np.sin(ANGLE[0]) * np.sin(ANGLE[1]), np.sin(ANGLE[0]) * np.cos(ANGLE[1])
    light = inside * np.exp(1j * (phase(y, x) + k * (q * y + p * x)))
    chief = FOCUS * np.array([q, p]) / np.cos(ANGLE[0])
    found = np.empty((len(PLACES), len(PLACES)))
    for row, column in np.ndindex(found.shape):
        away = chief + spacing * (PLACES[[row, column]] - WINDOW // 2)
        squared = (away[0] - y) ** 2 + (away[1] - x) ** 2 + FOCUS**2
        distance = np.sqrt(squared)
        kernel = FOCUS / squared / WAVELENGTH * (1 + 1j / (k * distance)) * np.exp(1j * k * distance)
        found[row, column] = abs((light * kernel).sum() * step**2) ** 2
    return found * spacing**2 / (np.pi * DIAMETER**2 / 4)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def focusing(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.mod(-2 * np.pi / WAVELENGTH * (np.sqrt(y**2 + x**2 + FOCUS**2) - FOCUS), 2 * np.pi)


def pixels_of(values: np.ndarray, pitch: float) -> Phase:
    def phase(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        row, column = (
            np.floor(place / pitch + 0.5 * length).astype(int)
            for place, length in zip((y, x), values.shape, strict=True)
        )
        return values[row, column]

    return phase


LEVELS = 64
PHASES = 2 * np.pi * np.arange(LEVELS) / LEVELS
LIBRARY = meta_atom_library(
    np.arange(1.0, LEVELS + 1), np.array([400e-9, 800e-9]), np.exp(1j * PHASES)[:, None] * np.ones(2), empty=np.ones(2)
)


def freeform(values: np.ndarray, pitch: float) -> tuple[Metalens, Phase]:
    return Metalens(DIAMETER, FOCUS, Freeform(values, pitch, "nearest")), pixels_of(values, pitch)


def focusing_pixels() -> tuple[Metalens, Phase]:
    place = 0.35e-6 * (np.arange(56) - 27.5)
    return freeform(focusing(place[:, None], place), 0.35e-6)


def random_pixels() -> tuple[Metalens, Phase]:
    return freeform(np.random.default_rng(4).uniform(0, 2 * np.pi, (20, 20)), 1e-6)


def sites(lattice: str) -> tuple[Metalens, Phase]:
    index = np.random.default_rng(5).integers(0, LEVELS, (27, 25))
    structure = Sites(index, np.arange(1.0, LEVELS + 1), LIBRARY, 1e-6, lattice)  # type: ignore[arg-type]

    def phase(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            row, column = nearest_site(lattice, 1e-6, index.shape, y, x)  # type: ignore[arg-type]
        return PHASES[index[np.asarray(row), np.asarray(column)]]

    return Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, WAVELENGTH), structure=structure), phase


def rings() -> tuple[Metalens, Phase]:
    level = np.random.default_rng(11).integers(0, LEVELS, 12)

    def phase(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return PHASES[level[np.floor(np.hypot(y, x) / 1e-6 + 0.5).astype(int)]]

    structure = RadialGeometry(level + 1.0, 1e-6, LIBRARY)
    return Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, WAVELENGTH), structure=structure), phase


CASES = {
    "350 nm pixels that focus": (focusing_pixels, 0.025e-6, 0.35e-6),
    "1 µm pixels of random phase": (random_pixels, 0.025e-6, 0.8e-6),
    "square sites of random phase": (lambda: sites("square"), 0.025e-6, 0.8e-6),
    # Across slanted and round edges the sum itself errs by 0.1 % in twice these steps.
    "hexagonal sites of random phase": (lambda: sites("hexagonal"), 0.0125e-6, 0.8e-6),
    "rings of random phase": (rings, 0.01e-6, 0.8e-6),
}


# Hexagons are the hardest to sample. test_lenses.py has square pixels that focus, test_structure_psf.py rings.
LONG = [name for name in CASES if not name.startswith("hexagonal")]


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.long] if each in LONG else []) for each in CASES]
)
def test_flat_cells_image_as_the_sum_over_their_points_says(name):
    """To 0.1 % (root of squares), though the rim cuts cells that differ at random."""
    make, step, spacing = CASES[name]
    lens, phase = make()
    expected = direct_sum(phase, step, spacing)
    for engine in ("angular_spectrum", "rayleigh_sommerfeld"):
        found = simulate_psf(
            lens, WAVELENGTH, ANGLE, window=(WINDOW, WINDOW), pixel_pitch=spacing, engine=engine, integrate_pixels=False
        )
        difference = relative_difference(found[np.ix_(PLACES, PLACES)], expected)
        assert difference < 1e-3, (engine, difference)
