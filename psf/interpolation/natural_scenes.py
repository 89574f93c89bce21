"""Error of a blurred natural scene from errors of the functions that blur it.

The power of natural scenes falls with the square of the frequency (Field 1987, 10.1364/JOSAA.4.002379).
"""

from __future__ import annotations

import numpy as np
from scipy.fft import rfft2

SCENE_VARIANCE = 0.06
"""Variance of the linear light of scenes in 0..1; that of evenly spread values is 1/12."""

LARGEST_SCALE = 400.0
"""Correlation length of natural scenes in pixels: the knee of their spectrum."""


def scene_power(kernel: tuple[int, int], scale: int = 1) -> np.ndarray:
    """Power spectrum of natural scenes, weighted for the error of the functions.

    Args:
        kernel: rows, columns of the functions.
        scale: pixels per sample.

    Returns:
        ``[frequency_y, frequency_x]`` on the half-plane of a transform of twice the kernel's size.
    """
    size = [2 * length for length in kernel]
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    # No finer than the transform resolves: its lowest sample would stand for all that lies below.
    knee = max(scale / LARGEST_SCALE, 0.5 / min(size))
    power = 1 / (y**2 + x**2 + knee**2)
    power[:, 1:-1] *= 2  # the half of the plane that a real signal's transform leaves out
    power = SCENE_VARIANCE * power / power.sum()
    if scale > 1:
        # Samples of a halo pass its spline twice, on the way to their grid and back.
        power = scale**4 * power * (np.sinc(y) * np.sinc(x)) ** 16
    return power.astype(np.float32)


def scene_error_power(difference: np.ndarray, weight: np.ndarray) -> float:
    """Mean square error of a blurred natural scene caused by errors of the functions.

    Args:
        difference: ``[function, y, x]`` errors.
        weight: of :func:`scene_power`.

    Returns:
        Mean over the functions.
    """
    total = 0.0
    size = (weight.shape[0], 2 * (weight.shape[1] - 1))
    for each in difference:
        spectrum = rfft2(each.astype(np.float32), size)
        total += float((weight * (spectrum.real**2 + spectrum.imag**2)).sum())
    return total / len(difference)
