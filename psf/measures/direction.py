"""Tangential and sagittal: away from the optical axis, and across."""

from __future__ import annotations

import numpy as np


def tangential_direction(position: np.ndarray) -> np.ndarray:
    """Unit vectors away from the optical axis.

    Args:
        position: ``[..., (y, x)]`` on the sensor in metres.

    Returns:
        ``[..., (y, x)]``; on the axis, where all directions are alike, that of x.
    """
    place = np.asarray(position, dtype=np.float64)
    distance = np.linalg.norm(place, axis=-1, keepdims=True)
    on_axis = distance == 0
    return np.where(on_axis, np.array([0.0, 1.0]), place / np.where(on_axis, 1.0, distance))


def sagittal_direction(tangential: np.ndarray) -> np.ndarray:
    """The tangential unit vectors ``[..., (y, x)]`` turned by a right angle."""
    return np.stack([tangential[..., 1], -tangential[..., 0]], axis=-1)
