"""The Bayer pattern: colour of each pixel, and demosaicing."""

from __future__ import annotations

from typing import Literal

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.demosaicing import bilinear, malvar2004, menon2007

Demosaicing = Literal["malvar2004", "bilinear", "menon2007"]

_METHODS = {"malvar2004": malvar2004, "bilinear": bilinear, "menon2007": menon2007}

_DEMOSAICING_BORDER = 8  # even, and wider than any method reaches

_CHANNEL = {"R": 0, "G": 1, "B": 2}


def bayer_channels(sensor: Sensor, shape: tuple[int, int]) -> np.ndarray:
    """Colour channel of each pixel.

    Args:
        sensor: its ``bayer`` names the first two pixels of the first row, then of the second.
        shape: rows, columns.

    Returns:
        ``[y, x]`` int32: 0 red, 1 green, 2 blue.
    """
    return pattern_channels(sensor.bayer, shape)


def demosaic(mosaic: np.ndarray, bayer: str, method: Demosaicing = "malvar2004") -> np.ndarray:
    """Interpolate the two missing colours of each pixel.

    Args:
        mosaic: ``[y, x]`` linear values.
        bayer: the pattern, such as ``RGGB``.
        method: ``malvar2004`` (10.1109/ICASSP.2004.1326587), ``bilinear`` or ``menon2007`` (10.1109/TIP.2006.884928).

    Returns:
        ``[y, x, 3]`` float64.

    Raises:
        InputError: the method is unknown.
    """
    if method not in _METHODS:
        raise InputError(f"demosaicing {method!r}: expected one of {', '.join(_METHODS)}.")
    # Mirrored about the border pixels, which keeps the pattern's phase; a border that repeats them breaks it and leaves
    # a dotted frame.
    border = _DEMOSAICING_BORDER
    continued = np.pad(np.asarray(mosaic, dtype=float), border, mode="reflect")
    filled = _METHODS[method](continued, pattern_channels(bayer, continued.shape))
    return filled[border:-border, border:-border]


def pattern_channels(bayer: str, shape: tuple[int, ...]) -> np.ndarray:
    """Colour channel of each pixel of a pattern.

    Args:
        bayer: the pattern, such as ``RGGB``.
        shape: rows, columns.

    Returns:
        ``[y, x]`` int32: 0 red, 1 green, 2 blue.
    """
    tile = np.array([_CHANNEL[letter] for letter in bayer], dtype=np.int32).reshape(2, 2)
    rows, columns = shape
    return np.tile(tile, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]
