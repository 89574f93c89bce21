"""Demosaicing: linear kernels of one size for all pixels, and directional filtering with a posteriori decision.

The results are those of the package colour-demosaicing 0.2.7 (BSD-3-Clause) to the last bit: its order of sums is kept.
Every method takes the mosaic ``[y, x]`` and its colour channels ``[y, x]``, 0 red, 1 green, 2 blue, and gives
``[y, x, 3]`` float64. At the border the mosaic is continued by SciPy's rules, which do not keep the pattern's phase:
:func:`metalens.formats.pictures.bayer.demosaic` adds a border that does, and cuts it off again.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve, convolve1d

_RED, _GREEN, _BLUE = range(3)

# Malvar et al., Fig. 2: green at red and blue; a colour at green with its neighbours left and right; red at blue.
_GREEN_KERNEL = np.array([[0, 0, -2, 0, 0], [0, 0, 4, 0, 0], [-2, 4, 8, 4, -2], [0, 0, 4, 0, 0], [0, 0, -2, 0, 0]]) / 16
_ROW_KERNEL = (
    np.array([[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]]) / 16
)
_DIAGONAL_KERNEL = (
    np.array([[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]) / 16
)

# Menon et al., eqs. 1 to 6: the mean of two neighbours, the correction by the pixel's own colour, and the window of the
# decision. The last one, of three pixels, smooths colour differences.
_NEIGHBOURS = np.array([0.5, 0.0, 0.5])
_WIDE_NEIGHBOURS = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
_CORRECTION = np.array([-0.25, 0.0, 0.5, 0.0, -0.25])
_DECISION = np.array([[0, 0, 1, 0, 1], [0, 0, 0, 1, 0], [0, 0, 3, 0, 3], [0, 0, 0, 1, 0], [0, 0, 1, 0, 1]], dtype=float)
_SMOOTHING = np.ones(3) / 3


def bilinear(mosaic: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Mean of the nearest neighbours of each colour.

    Args:
        mosaic: ``[y, x]`` linear values.
        channels: ``[y, x]`` colour of each pixel: 0 red, 1 green, 2 blue.

    Returns:
        ``[y, x, 3]`` float64.
    """
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    square = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    kernels = {_RED: square, _GREEN: cross, _BLUE: square}
    return np.stack([convolve(mosaic * (channels == each), kernel) for each, kernel in kernels.items()], axis=-1)


def malvar2004(mosaic: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Bilinear interpolation, corrected by the gradient of the pixel's own colour.

    Malvar, He and Cutler, ICASSP 2004, doi:10.1109/ICASSP.2004.1326587.

    Args:
        mosaic: ``[y, x]`` linear values.
        channels: ``[y, x]`` colour of each pixel: 0 red, 1 green, 2 blue.

    Returns:
        ``[y, x, 3]`` float64.
    """
    is_green = channels == _GREEN
    row, column = convolve(mosaic, _ROW_KERNEL), convolve(mosaic, _ROW_KERNEL.T)
    opposite = convolve(mosaic, _DIAGONAL_KERNEL)

    def filled(own: int) -> np.ndarray:
        at_green = np.where(_rows_of(own, channels), row, column)
        return np.where(channels == own, mosaic, np.where(is_green, at_green, opposite))

    green = np.where(is_green, mosaic, convolve(mosaic, _GREEN_KERNEL))
    return np.stack([filled(_RED), green, filled(_BLUE)], axis=-1)


def menon2007(mosaic: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Directional interpolation with an a posteriori decision, and refinement.

    Menon, Andriani and Calvagno, IEEE Transactions on Image Processing 16(1), 2007, doi:10.1109/TIP.2006.884928.

    Args:
        mosaic: ``[y, x]`` linear values.
        channels: ``[y, x]`` colour of each pixel: 0 red, 1 green, 2 blue.

    Returns:
        ``[y, x, 3]`` float64.
    """
    is_green = channels == _GREEN
    green, horizontal = _directional_green(mosaic, is_green)

    def at_green(own: int) -> np.ndarray:
        seen, rows = mosaic * (channels == own), _rows_of(own, channels)
        difference = green + _along(rows, seen, _NEIGHBOURS) - _along(rows, green, _NEIGHBOURS)
        return np.where(is_green, difference, seen)

    def at_other(own: np.ndarray, other: np.ndarray, place: int) -> np.ndarray:
        difference = other + _along(horizontal, own, _NEIGHBOURS) - _along(horizontal, other, _NEIGHBOURS)
        return np.where(channels == place, difference, own)

    red, blue = at_green(_RED), at_green(_BLUE)
    red, blue = at_other(red, blue, _BLUE), at_other(blue, red, _RED)
    return _refined(red, green, blue, channels, horizontal)


def _directional_green(mosaic: np.ndarray, is_green: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Green ``[y, x]``, filled in along the direction in which colours change less, and whether that is the row."""
    candidates, changes = [], []
    for axis, window in ((1, _DECISION), (0, _DECISION.T)):
        means = (convolve1d(mosaic, kernel, axis, mode="mirror") for kernel in (_WIDE_NEIGHBOURS, _CORRECTION))
        green = np.where(is_green, mosaic, sum(means))
        colour = np.where(is_green, 0.0, mosaic - green)
        ahead = np.pad(colour, [(0, 2 if each == axis else 0) for each in (0, 1)], mode="reflect")
        change = np.abs(colour - (ahead[:, 2:] if axis else ahead[2:]))
        candidates.append(green)
        changes.append(convolve(change, window, mode="constant"))
    horizontal = changes[1] >= changes[0]
    return np.where(horizontal, *candidates), horizontal


def _refined(
    red: np.ndarray, green: np.ndarray, blue: np.ndarray, channels: np.ndarray, horizontal: np.ndarray
) -> np.ndarray:
    """Menon et al., section IV: colour differences are smoothed along the chosen direction; ``[y, x, 3]``."""
    is_green = channels == _GREEN
    for place, colour in ((_RED, red), (_BLUE, blue)):
        smooth = _along(horizontal, colour - green, _SMOOTHING)
        green = np.where(channels == place, colour - smooth, green)

    def at_green(own: int, colour: np.ndarray) -> np.ndarray:
        difference = _along(_rows_of(own, channels), colour - green, _NEIGHBOURS)
        return np.where(is_green, green + difference, colour)

    red, blue = at_green(_RED, red), at_green(_BLUE, blue)
    smooth = _along(horizontal, red - blue, _SMOOTHING)
    last_red = np.where(channels == _BLUE, blue + smooth, red)
    last_blue = np.where(channels == _RED, red - smooth, blue)
    return np.stack([last_red, green, last_blue], axis=-1)


def _rows_of(own: int, channels: np.ndarray) -> np.ndarray:
    """Which rows hold a colour that every second row holds, ``[y, 1]``."""
    return np.asarray((channels == own).any(axis=1, keepdims=True))


def _along(horizontal: np.ndarray, values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve along the row where ``horizontal`` says so, along the column elsewhere."""
    row, column = (convolve1d(values, kernel, axis, mode="mirror") for axis in (1, 0))
    return np.where(horizontal, row, column)
