"""Sub-sample shifts of images: applying and estimating them.

A shift is a phase ramp in the Fourier domain: exact for what the samples resolve. Where a function is sharper than two
samples, single frames ring; the mean of many frames that lie at different fractions of a sample does not.
"""

from __future__ import annotations

import numpy as np

_ROUNDS = 8


def shift_images(images: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Images moved by fractions of a sample; their borders wrap around.

    Args:
        images: ``[..., y, x]``.
        shift: ``[..., (y, x)]`` in samples, towards higher indices.

    Returns:
        Of the images' shape, in double precision.
    """
    if not np.any(shift):
        return np.array(images, dtype=np.float64)
    frequency_y = np.fft.fftfreq(images.shape[-2])[:, None]
    frequency_x = np.fft.rfftfreq(images.shape[-1])
    turns = frequency_y * shift[..., 0, None, None] + frequency_x * shift[..., 1, None, None]
    spectrum = np.fft.rfft2(images) * np.exp(-2j * np.pi * turns)
    return np.fft.irfft2(spectrum, s=images.shape[-2:])


def find_shifts(images: np.ndarray) -> np.ndarray:
    """Shifts of several images of the same object relative to their mean position.

    Whole samples by the peak of the correlation with the first image, the fractions by Gauss–Newton steps against the
    mean of all (Lucas and Kanade).

    Args:
        images: ``[image, y, x]`` without background.

    Returns:
        ``[image, (y, x)]`` samples, whose mean is 0.
    """
    if len(images) == 1:
        return np.zeros((1, 2))
    shift = _whole_shifts(images)
    for _ in range(_ROUNDS):
        shift = shift - shift.mean(axis=0)
        aligned = shift_images(images, -shift)
        mean = aligned.mean(axis=0)
        slope = np.stack(_slopes(mean)).reshape(2, -1)
        # Of an image that lies too far down, values are below the mean where the mean increases downwards.
        step = np.linalg.solve(slope @ slope.T, slope @ (mean - aligned).reshape(len(images), -1).T).T
        shift = shift + step
        if np.abs(step).max() < 1e-3:
            break
    return shift - shift.mean(axis=0)


def _slopes(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    along_y, along_x = np.gradient(image)
    return along_y, along_x


def _whole_shifts(images: np.ndarray) -> np.ndarray:
    spectra = np.fft.rfft2(images)
    correlation = np.fft.irfft2(spectra * np.conj(spectra[0]), s=images.shape[-2:])
    size = np.array(images.shape[-2:])
    peak = np.stack(np.unravel_index(correlation.reshape(len(images), -1).argmax(axis=1), images.shape[-2:]), axis=-1)
    return np.where(peak > size // 2, peak - size, peak).astype(np.float64)
