"""Sampling of the direction-cosine engine: tiles of the window and samples of the pupil.

All estimates are geometric and run once, in float64 on the host, before the engine is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.sharp_edge import EDGE_REACH
from metalens.optics.source import Source
from metalens.psf.engines.grid import direction_spread
from metalens.psf.rays import chief_ray, pupil_points, ray_landing

LARGEST_PUPIL_SAMPLES = 2048
LARGEST_TILES = 63

TOLERANCE = 0.12
"""Largest phase error by curvature at a corner of a tile, in radians rms over the pupil.

Its first order is corrected, so that about half of its square remains, where the intensity is lowest."""


BRIGHTNESS_TOLERANCE = 0.006
"""Largest relative change of 1/R² that is neglected at a corner of a tile, rms over the pupil."""


@dataclass(frozen=True)
class Sampling:
    """Sampling of the direction-cosine engine.

    Attributes:
        tiles: tiles along each side of the window, each with its own reference sphere; odd, so that the chief ray
            lands in the middle of one.
        pupil_samples: samples along each side of the pupil's grid.
    """

    tiles: int
    pupil_samples: int


def choose_sampling(
    lens: Metalens,
    wavelength: float | np.ndarray,
    source: Source,
    half_window: float,
    *,
    refinement: float = 1.0,
) -> Sampling:
    """Tiles and pupil samples that limit both errors of the engine at all of some wavelengths.

    Args:
        lens: the metalens.
        wavelength: one or all wavelengths in metres.
        source: the light.
        half_window: half of the window's longer side in metres.
        refinement: factor by which the sampling is finer than necessary, for convergence tests.

    Returns:
        One sampling, which serves all of the wavelengths.

    Raises:
        InputError: the window or the lens' phase needs more samples than the engine allows.
    """
    ends = np.unique([np.min(wavelength), np.max(wavelength)])
    return finest(choose_samplings(lens, ends, source, half_window, refinement=refinement))


def finest(samplings: Sequence[Sampling]) -> Sampling:
    """A sampling as fine as each of some.

    Args:
        samplings: one or more.
    """
    return Sampling(max(each.tiles for each in samplings), max(each.pupil_samples for each in samplings))


def choose_samplings(
    lens: Metalens,
    wavelength: np.ndarray,
    source: Source,
    half_window: float,
    *,
    refinement: float = 1.0,
) -> list[Sampling]:
    """Tiles and pupil samples that limit both errors of the engine at each wavelength.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        source: the light.
        half_window: half of the window's longer side in metres.
        refinement: factor by which the sampling is finer than necessary, for convergence tests.

    Returns:
        A sampling for each wavelength.

    Raises:
        InputError: the window or the lens' phase needs more samples than the engine allows.
    """
    chief = np.asarray(chief_ray(lens, jnp.asarray(float(wavelength[0])), source.direction).landing, dtype=float)
    landing = (float(chief[0]), float(chief[1]))
    spread = direction_spread(lens, landing)
    near_horizon = _near_horizon(lens, landing, half_window, spread)
    errors: dict[int, tuple[float, float]] = {}

    def suffices(tiles: int, value: float) -> bool:
        if tiles not in errors:
            curvature = _curvature_error(lens, landing, half_window, tiles)
            errors[tiles] = (curvature, _brightness_error(lens, landing, half_window / tiles))
        path, brightness = errors[tiles]
        return 2 * np.pi / value * path <= TOLERANCE and brightness <= BRIGHTNESS_TOLERANCE

    chosen = []
    for value in wavelength.tolist():
        tiles = next((tiles for tiles in range(1, LARGEST_TILES + 1, 2) if suffices(tiles, value)), None)
        if tiles is None:
            raise InputError(
                f"psf: a window of {2e6 * half_window:.0f} µm needs more than {LARGEST_TILES} tiles along a side; "
                'ask for a smaller window or for engine="angular_spectrum".'
            )
        places, _ = ray_landing(lens, source, jnp.asarray(value), *pupil_points(lens), order=lens.response.orders[0])
        # Seen from a tile, the rim's light is a fringe of up to L/λ cycles per unit of direction cosine, L its
        # distance from where the rays land. The factor keeps 0.36 cycles a sample: no alias, and nine tenths of the
        # rim's diffraction at the far edge of the window.
        reach = max(float(np.abs(np.asarray(places)).max()), half_window) + half_window
        samples = max(near_horizon, 2.8 * spread * (reach + half_window / tiles) / value + 16)
        if not samples <= LARGEST_PUPIL_SAMPLES:
            raise InputError(
                f"psf: rays of the lens land up to {1e6 * (reach - half_window):.0f} µm from the chief ray, which "
                f"needs {samples:.0f} samples across the pupil, more than {LARGEST_PUPIL_SAMPLES}; use a gentler phase "
                'or engine="angular_spectrum".'
            )
        # More tiles in any case: an error estimate must not compare equal samplings.
        finer = 2 * int(np.ceil((refinement * tiles - 1) / 2)) + 1
        chosen.append(Sampling(finer, _round_up(refinement * samples)))
    return chosen


def _near_horizon(lens: Metalens, landing: tuple[float, float], half_window: float, spread: float) -> float:
    """Samples for which the smoothed edge of the aperture ends before 90°, the end of the pupil grid."""
    y, x = pupil_points(lens, 1, 64)
    radius = float(np.hypot(landing[0] - y, landing[1] - x).max()) + half_window
    sine = radius / np.hypot(radius, float(lens.focal_length))
    return float(2 * EDGE_REACH + EDGE_REACH * spread / (1 - sine))


def _round_up(samples: float) -> int:
    """Rounded to few values, because each is compiled separately."""
    step = 2 ** max(4, int(samples).bit_length() - 3)
    return max(64, step * int(np.ceil(samples / step)))


def _curvature_error(lens: Metalens, chief: tuple[float, float], half_window: float, tiles: int) -> float:
    """Path in metres (rms over the pupil) that R(δ) − R₀ − p·δ leaves at the worst tile's corners."""
    y, x = pupil_points(lens)
    edge = half_window / tiles
    worst = 0.0
    for side_y in (-1, 0, 1):
        for side_x in (-1, 0, 1):
            centre = (chief[0] + side_y * (half_window - edge), chief[1] + side_x * (half_window - edge))
            away = (centre[0] - y, centre[1] - x)
            distance = _distance(lens, away)
            for sign in (-1, 1):
                exact = _distance(lens, (away[0] + edge, away[1] + sign * edge))
                error = exact - distance - edge * (away[0] + sign * away[1]) / distance
                worst = max(worst, float(np.std(error)))
    return worst


def _brightness_error(lens: Metalens, chief: tuple[float, float], edge: float) -> float:
    """Relative change of 1/R² (rms over the pupil) from a tile's centre to its corner."""
    away = [place - points for place, points in zip(chief, pupil_points(lens), strict=True)]
    squared = _distance(lens, (away[0], away[1])) ** 2
    return max(float(np.std(2 * edge * (away[0] + sign * away[1]) / squared)) for sign in (-1, 1))


def _distance(lens: Metalens, away: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return np.sqrt(away[0] ** 2 + away[1] ** 2 + float(lens.focal_length) ** 2)
