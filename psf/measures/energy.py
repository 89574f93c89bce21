"""Energy within a radius, and the radius that holds a share of it."""

from __future__ import annotations

import numpy as np

from metalens.psf.measures.moments import centroid, sample_positions

RINGS = 16
"""Rings per sample spacing into which the samples are sorted by their distance."""


def encircled_energy(
    intensity: np.ndarray,
    pixel_pitch: float,
    radius: float | np.ndarray,
    centre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Sum of the intensity within a radius.

    Args:
        intensity: ``[y, x]`` energy per sample.
        pixel_pitch: sample spacing in metres.
        radius: any shape, in metres.
        centre: (y, x) in metres from the middle sample.

    Returns:
        Energy, of the radius' shape; samples on the rim count by the share of a pitch that lies inside.
    """
    y, x = sample_positions(intensity.shape, pixel_pitch)
    distance = np.hypot(y - centre[0], x - centre[1])
    radii = np.asarray(radius, dtype=np.float64)
    found = [
        float((intensity * np.clip((limit - distance) / pixel_pitch + 0.5, 0, 1)).sum()) for limit in radii.ravel()
    ]
    return np.reshape(found, radii.shape)[()]


def energy_radius(intensity: np.ndarray, pixel_pitch: float, shares: tuple[float, ...]) -> np.ndarray:
    """Radii about the centroid that hold shares of the window's energy.

    Each sample is spread over a ring of one pitch's width, as in :func:`encircled_energy`.

    Args:
        intensity: ``[..., y, x]`` energy per sample.
        pixel_pitch: sample spacing in metres.
        shares: each between 0 and 1.

    Returns:
        ``[..., share]`` in metres.
    """
    images = np.asarray(intensity, dtype=np.float64)
    flat = images.reshape(-1, *images.shape[-2:])
    y, x = sample_positions(images.shape, 1.0)
    radii = []
    for image, middle in zip(flat, centroid(flat, 1.0), strict=True):
        ring = (RINGS * np.hypot(y - middle[0], x - middle[1])).astype(np.intp).ravel()
        inside = np.concatenate([[0.0], np.cumsum(np.bincount(ring, weights=image.ravel()))])
        radii.append(np.interp(np.array(shares) * inside[-1], *_softened(inside)))
    return pixel_pitch * np.reshape(radii, (*images.shape[:-2], len(shares)))


def _softened(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over one pitch of the energy inside each ring's edge: energies, ascending, and radii in samples."""
    half = RINGS // 2
    padded = np.pad(inside, (RINGS, RINGS), mode="edge")
    total = np.concatenate([[0.0], np.cumsum(0.5 * (padded[1:] + padded[:-1]))])
    energy = (total[2 * half :] - total[: -2 * half]) / (2 * half)
    radius = (np.arange(len(energy)) - RINGS + half) / RINGS
    outside = radius >= 0
    # Equal energies would make the inverse ambiguous; the smallest radius is meant.
    distinct = np.concatenate([[True], np.diff(energy[outside]) > 0])
    return energy[outside][distinct], radius[outside][distinct]


def half_energy_radius(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Radius about the centroid that holds half of the window's energy.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: of its samples in metres.

    Returns:
        ``[...]`` in metres.
    """
    return energy_radius(intensity, pixel_pitch, (0.5,))[..., 0]
