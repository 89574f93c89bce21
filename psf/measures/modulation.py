"""Modulation transfer function along the tangential and the sagittal direction.

It refers to all light that goes into the image, not to the light in the window: a function that is divided by its sum
over a small window shows a contrast that no image has. What lies outside the window counts as spread evenly, and adds
nothing to the transform. The result at frequency 0 is the share of the image's light in the window, and what is missing
to 1 bounds the error at every frequency.
"""

from __future__ import annotations

import warnings

import numpy as np

from metalens.formats.files.errors import InputWarning
from metalens.psf.measures.direction import sagittal_direction
from metalens.psf.measures.moments import sample_positions

SMALL_WINDOW_SHARE = 0.95
"""Share of the image's light in the window below which a warning is given."""


def modulation_transfer(
    intensity: np.ndarray,
    pixel_pitch: float,
    frequency: np.ndarray,
    tangential: np.ndarray,
    *,
    light: np.ndarray | float,
) -> np.ndarray:
    """Contrast with which gratings are shown: |Fourier transform of the function| over all light of the image.

    Where a sample holds the energy of its pixel, the pixel's own transfer is part of the result. A window that holds
    less than 95 % of the light is told by an :class:`~metalens.formats.files.errors.InputWarning`.

    Args:
        intensity: ``[..., y, x]`` energy per sample.
        pixel_pitch: sample spacing in metres.
        frequency: ``[f]`` in cycles/m.
        tangential: ``[..., (y, x)]`` unit vectors, see :func:`metalens.psf.measures.tangential_direction`.
        light: ``[...]`` all light that goes into the image, inside the window and outside, in the unit of the
            intensity; 1 for a lens of one diffraction order whose functions are shares of the light through it.

    Returns:
        ``[..., (tangential, sagittal), f]`` for gratings that vary along either direction; at frequency 0 the share of
        the light in the window, by whose difference from 1 the others may be wrong at most.
    """
    images = np.asarray(intensity, dtype=np.float64)
    inside = images.sum(axis=(-2, -1))
    whole = np.maximum(light, inside)
    warn_of_small_window(inside / whole, images.shape[-2:], pixel_pitch)
    return fourier_modulus(images, pixel_pitch, frequency, tangential) / whole[..., None, None]


def fourier_modulus(
    intensity: np.ndarray, pixel_pitch: float, frequency: np.ndarray, tangential: np.ndarray
) -> np.ndarray:
    """|Fourier transform| of point spread functions along the tangential and the sagittal direction.

    Args:
        intensity: ``[..., y, x]`` energy per sample.
        pixel_pitch: sample spacing in metres.
        frequency: ``[f]`` in cycles/m.
        tangential: ``[..., (y, x)]`` unit vectors.

    Returns:
        ``[..., (tangential, sagittal), f]`` in the unit of the intensity; at frequency 0 the sum over the window.
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
        found[number] = np.abs((lines * turn_x).sum(axis=1)).reshape(2, -1)
    return found.reshape(*images.shape[:-2], 2, len(frequency))


def warn_of_small_window(share: np.ndarray | float, window: tuple[int, ...], pixel_pitch: float) -> None:
    """Warn where a window holds too little of the image's light for figures of merit to be accurate.

    Args:
        share: of the image's light in the window, any shape, in 0..1.
        window: (rows, columns) in samples.
        pixel_pitch: sample spacing in metres.
    """
    least = float(np.min(share))
    if least >= SMALL_WINDOW_SHARE:
        return
    rows, columns = (1e6 * pixel_pitch * length for length in window)
    warnings.warn(
        f"psf: a window of {window[0]} × {window[1]} samples ({rows:.3g} × {columns:.3g} µm) holds {least:.1%} of the "
        f"light of the image, at least {SMALL_WINDOW_SHARE:.0%} was expected: modulation transfer may be wrong by "
        f"{1 - least:.2g}, and widths and energy radii are those of the light inside; use a larger window.",
        InputWarning,
        stacklevel=2,
    )
