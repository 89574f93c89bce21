"""The target of the neutral path: an edge-preserving low-pass of the clean picture."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

RADIUS = 4
"""Half width of the window in pixels."""

EPSILON = 0.01
"""The variance that separates texture from edge, for values in 0..1."""


def neutral_target(picture: np.ndarray) -> np.ndarray:
    """Smooth a picture and keep its edges.

    DMDiff (arXiv 2506.22753, section 3.2) asks for an edge-preserving low-pass of the clean picture and names no
    filter. This is the guided filter with the picture as its own guide, channel by channel (He, Sun & Tang 2013,
    10.1109/TPAMI.2012.213, Eq. 5, 6 and 8): where the variance in the window is far below :data:`EPSILON` the
    window's mean is taken, where it is far above the picture passes.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.

    Returns:
        The same shape and type.
    """
    values = picture.astype(np.float32) / 255
    inside = _box_sum(np.ones((*picture.shape[:2], 1), dtype=np.float32))
    mean = _box_sum(values) / inside
    variance = np.maximum(_box_sum(values * values) / inside - mean * mean, 0)
    slope = variance / (variance + np.float32(EPSILON))
    offset = mean * (1 - slope)
    smooth = (_box_sum(slope) * values + _box_sum(offset)) / inside
    return np.rint(np.clip(smooth, 0, 1) * 255).astype(np.uint8)


def _box_sum(values: np.ndarray) -> np.ndarray:
    """Sum over the window, up to a constant factor; a window that reaches over the border sums what is inside."""
    side = 2 * RADIUS + 1
    return uniform_filter(values, size=(side, side, 1), mode="constant")
