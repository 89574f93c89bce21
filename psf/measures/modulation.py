"""Modulation transfer function along the tangential and the sagittal direction."""

from __future__ import annotations

import numpy as np

from metalens.psf.measures.direction import sagittal_direction
from metalens.psf.measures.moments import sample_positions


def modulation_transfer(
    intensity: np.ndarray, pixel_pitch: float, frequency: np.ndarray, tangential: np.ndarray
) -> np.ndarray:
    """Contrast with which gratings are shown: |Fourier transform of the function| over its sum.

    Where a sample holds the energy of its pixel, the pixel's own transfer is part of the result.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: sample spacing in metres.
        frequency: ``[f]`` in cycles/m.
        tangential: ``[..., (y, x)]`` unit vectors, see :func:`metalens.psf.measures.tangential_direction`.

    Returns:
        ``[..., (tangential, sagittal), f]`` for gratings that vary along either direction, 1 at frequency 0.
    """
    images = np.asarray(intensity, dtype=np.float64)
    flat = images.reshape(-1, *images.shape[-2:])
    directions = np.broadcast_to(tangential, (*images.shape[:-2], 2)).reshape(-1, 2)
    positions = sample_positions(images.shape, pixel_pitch)
    found = np.empty((len(flat), 2, len(frequency)))
    for number, (image, direction) in enumerate(zip(flat, directions, strict=True)):
        waves = np.concatenate([np.outer(frequency, each) for each in (direction, sagittal_direction(direction))])
        turn_y, turn_x = (
            np.exp(-2j * np.pi * waves[:, axis, None] * place.ravel()) for axis, place in enumerate(positions)
        )
        # The image is real: two real products take a third of the time of a complex one.
        lines = (turn_y.real @ image) + 1j * (turn_y.imag @ image)
        found[number] = np.abs((lines * turn_x).sum(axis=1)).reshape(2, -1) / image.sum()
    return found.reshape(*images.shape[:-2], 2, len(frequency))
