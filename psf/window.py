"""How large a window has to be to hold the light of every field and channel."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.psf.rays import direction_to, plane_wave, pupil_points, ray_landing


def choose_window(
    lens: Metalens,
    wavelength: np.ndarray,
    channel_weight: np.ndarray,
    fields: list[tuple[float, float]],
    pixel_pitch: float,
    *,
    share: float,
) -> int:
    """Odd side in pixels of a window that holds a share of the light, by rays and the rim's diffraction.

    Args:
        lens: the metalens.
        wavelength: ``[wavelength]`` in metres.
        channel_weight: ``[channel, wavelength]``.
        fields: landing points (y, x) of chief rays in metres.
        pixel_pitch: in metres.
        share: between 0 and 1.
    """
    y, x = (points[:-1] for points in pupil_points(lens, 24, 48))
    distances = np.empty((len(fields), len(wavelength), y.size))
    for row, field in enumerate(fields):
        for column, value in enumerate(wavelength):
            source = plane_wave(direction_to(lens, float(value), *field))
            landing, _ = ray_landing(lens, source, jnp.asarray(value), y, x)
            distances[row, column] = np.abs(np.asarray(landing)).max(axis=-1).ravel()
    radius = 0.5 * float(lens.aperture_diameter)
    pixels = 3
    while True:
        half = 0.5 * pixels * pixel_pitch
        # An Airy pattern keeps 2/(πv) of its light beyond v = k a w/f.
        beyond = 2 / np.pi * wavelength * float(lens.focal_length) / (2 * np.pi * radius * half)
        held = (distances <= half).mean(axis=2) * (1 - np.minimum(beyond, 1))
        if (held @ channel_weight.T).min() >= share or half > 0.5 * float(lens.focal_length):
            return pixels
        pixels += 2
