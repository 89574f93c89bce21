"""Where rays land: the geometric picture from which windows and samplings are chosen."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens


def pupil_points(lens: Metalens, rings: int = 16, spokes: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Points of equal area on the aperture, its rim included as a last ring of zero weight.

    Returns:
        (y, x), each ``[rings + 1, spokes]`` in metres.
    """
    radius = 0.5 * float(lens.aperture_diameter) * np.append(np.sqrt((np.arange(rings) + 0.5) / rings), 1.0)
    # Half a step off the axes, so that no two rings line up with the meridian's mirror.
    angle = 2 * np.pi * (np.arange(spokes) + 0.5) / spokes
    return radius[:, None] * np.sin(angle), radius[:, None] * np.cos(angle)


def phase_gradient(lens: Metalens, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope of the lens' phase in rad/m along y and x, at positions in metres."""
    total, back = jax.vjp(lens.phase.at, jnp.asarray(y), jnp.asarray(x))
    slope_y, slope_x = back(jnp.ones_like(total))
    return np.asarray(slope_y, dtype=float), np.asarray(slope_x, dtype=float)


def ray_landing(
    lens: Metalens, wavelength: float, direction: tuple[float, float], y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Landing points on the sensor of rays through pupil points, relative to the chief ray.

    Args:
        lens: the metalens.
        wavelength: in metres.
        direction: direction cosines (y, x) of the incoming plane wave.
        y: pupil positions in metres.
        x: pupil positions in metres.

    Returns:
        (y, x) in metres, of the shape of the pupil positions; infinity where a ray is evanescent.
    """
    slope_y, slope_x = phase_gradient(lens, y, x)
    scale = wavelength / (2 * np.pi)
    q, p = direction[0] + scale * slope_y, direction[1] + scale * slope_x
    squared_cosine = 1 - q**2 - p**2
    travels = squared_cosine > 1e-6
    reach = float(lens.focal_length) / np.sqrt(np.where(travels, squared_cosine, 1.0))
    chief = chief_ray(lens, direction)
    return (
        np.where(travels, y + reach * q - chief[0], np.inf),
        np.where(travels, x + reach * p - chief[1], np.inf),
    )


def chief_ray(lens: Metalens, direction: tuple[float, float]) -> tuple[float, float]:
    """Landing point (y, x) in metres of the ray through the lens' centre."""
    reach = float(lens.focal_length) / np.sqrt(1 - direction[0] ** 2 - direction[1] ** 2)
    return reach * direction[0], reach * direction[1]


def direction_to(lens: Metalens, y: float, x: float) -> tuple[float, float]:
    """Direction cosines (y, x) of the plane wave whose chief ray lands at (y, x) on the sensor, in metres."""
    length = float(np.sqrt(float(lens.focal_length) ** 2 + y**2 + x**2))
    return y / length, x / length
