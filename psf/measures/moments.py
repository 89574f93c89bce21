"""Centroid and second moments of the light in a window."""

from __future__ import annotations

import numpy as np


def sample_positions(shape: tuple[int, ...], pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the samples; sample (ny // 2, nx // 2) is the origin.

    Args:
        shape: whose last two numbers are rows and columns.
        pixel_pitch: in metres.

    Returns:
        y ``[y, 1]`` and x ``[1, x]`` in metres.
    """
    y = pixel_pitch * (np.arange(shape[-2]) - shape[-2] // 2)
    x = pixel_pitch * (np.arange(shape[-1]) - shape[-1] // 2)
    return y[:, None], x[None, :]


def centroid(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Centroid of the intensity.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: of its samples in metres.

    Returns:
        ``[..., (y, x)]`` in metres from the middle sample.
    """
    y, x = sample_positions(intensity.shape, pixel_pitch)
    rows, columns = _profiles(intensity)
    return np.stack([rows @ y[:, 0], columns @ x[0]], axis=-1)


def second_moments(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Covariance matrix of the intensity about its centroid.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: of its samples in metres.

    Returns:
        ``[..., 2, 2]`` over (y, x) in m².
    """
    y, x = (positions.ravel() for positions in sample_positions(intensity.shape, pixel_pitch))
    rows, columns = _profiles(intensity)
    middle = centroid(intensity, pixel_pitch)
    away_y, away_x = y - middle[..., :1], x - middle[..., 1:]
    image = np.asarray(intensity, dtype=np.float64)
    mixed = ((image @ away_x[..., None])[..., 0] * away_y).sum(axis=-1) / image.sum(axis=(-2, -1))
    along_y, along_x = (rows * away_y**2).sum(axis=-1), (columns * away_x**2).sum(axis=-1)
    return np.stack([np.stack([along_y, mixed], axis=-1), np.stack([mixed, along_x], axis=-1)], axis=-2)


def rms_width(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Root-mean-square width √(σ₁² + σ₂²) of the intensity about its centroid.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: of its samples in metres.

    Returns:
        ``[...]`` in metres.
    """
    return np.sqrt(np.trace(second_moments(intensity, pixel_pitch), axis1=-2, axis2=-1))


def _profiles(intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the light in each row and in each column."""
    rows, columns = (np.sum(intensity, axis=axis, dtype=np.float64) for axis in (-1, -2))
    total = rows.sum(axis=-1, keepdims=True)
    return rows / total, columns / total
