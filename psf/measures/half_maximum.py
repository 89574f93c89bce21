"""Widths of the half-maximum contour along the tangential and the sagittal line through the peak."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from metalens.psf.measures.direction import sagittal_direction
from metalens.psf.measures.peak import find_peak

STEP = 0.125
"""Spacing in samples of the points along the line."""

FIRST_REACH = 12
"""Samples on each side of the peak that are looked at first; doubled until the contour is found."""

ORDER = 5
"""Degree of the interpolating splines."""


def half_maximum_widths(intensity: np.ndarray, pixel_pitch: float, tangential: np.ndarray) -> np.ndarray:
    """Full widths at half maximum along two lines through the peak.

    Each width is the distance between the first points on either side at which the function has fallen to half of
    its peak; quintic splines give it between the samples. Beyond the window the function counts as dark, so that a
    width ends there at the latest.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: sample spacing in metres.
        tangential: ``[..., (y, x)]`` unit vectors, see :func:`metalens.psf.measures.tangential_direction`.

    Returns:
        ``[..., (tangential, sagittal)]`` in metres.
    """
    images = np.asarray(intensity, dtype=np.float64)
    flat = images.reshape(-1, *images.shape[-2:])
    directions = np.broadcast_to(tangential, (*images.shape[:-2], 2)).reshape(-1, 2)
    lines = np.stack([directions, sagittal_direction(directions)], axis=1)
    places, heights = find_peak(flat, integrated=False)
    widths = [_widths(*each) for each in zip(flat, places, heights, lines, strict=True)]
    return pixel_pitch * np.reshape(widths, (*images.shape[:-2], 2))


def _widths(image: np.ndarray, place: np.ndarray, height: float, lines: np.ndarray) -> np.ndarray:
    """Widths ``[2]`` in samples along the lines ``[2, (y, x)]``."""
    reach = FIRST_REACH
    ends = np.full(4, np.inf)
    rays = np.concatenate([lines, -lines])
    while True:
        low = np.maximum(np.floor(place).astype(int) - reach - 2, 0)
        crop = image[low[0] : low[0] + 2 * reach + 6, low[1] : low[1] + 2 * reach + 6]
        # Two dark samples around it: a function that the window cuts off ends at the window.
        coefficients = spline_filter(np.pad(crop, 2), ORDER, mode="constant")
        steps = np.arange(0, reach + STEP / 2, STEP)
        points = (place - low + 2)[:, None, None] + rays.T[:, :, None] * steps
        profile = map_coordinates(coefficients, points, order=ORDER, mode="constant", prefilter=False)
        for ray in range(4):
            ends[ray] = _first_below(profile[ray], 0.5 * height)
        if np.isfinite(ends).all() or reach > 2 * max(image.shape):
            return (ends[:2] + ends[2:]) * STEP
        reach *= 2


def _first_below(profile: np.ndarray, level: float) -> float:
    """Index, between the samples, at which a profile first falls below a level; infinity if it does not."""
    below = np.flatnonzero(profile < level)
    if not len(below):
        return np.inf
    after = int(below[0])
    if after == 0:
        return 0.0
    drop = profile[after - 1] - profile[after]
    return after - 1 + float((profile[after - 1] - level) / drop)
