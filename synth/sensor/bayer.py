"""The Bayer pattern: which colour a pixel sees, and filling in the two that it does not."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError

Demosaicing = Literal["malvar2004", "bilinear", "menon2007"]

_DEMOSAICING_BORDER = 8  # even, and wider than any method reaches

_CHANNEL = {"R": 0, "G": 1, "B": 2}


def bayer_channels(sensor: Sensor, shape: tuple[int, int]) -> np.ndarray:
    """Tell which colour channel each pixel sees.

    Args:
        sensor: its ``bayer`` names the first two pixels of the first row, then of the second.
        shape: rows, columns.

    Returns:
        ``[y, x]`` int32: 0 red, 1 green, 2 blue.
    """
    tile = np.array([_CHANNEL[letter] for letter in sensor.bayer], dtype=np.int32).reshape(2, 2)
    rows, columns = shape
    return np.tile(tile, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]


def demosaic(mosaic: np.ndarray, bayer: str, method: Demosaicing = "malvar2004") -> np.ndarray:
    """Fill in the two colours that each pixel did not see.

    Args:
        mosaic: ``[y, x]`` linear values.
        bayer: the pattern, such as ``RGGB``.
        method: see :func:`develop`.

    Returns:
        ``[y, x, 3]`` float64.

    Raises:
        InputError: the method is unknown.
    """
    with warnings.catch_warnings():
        # colour-demosaicing 0.2.6 imports SciPy's convolve by its old name.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*scipy.ndimage.*")
        import colour_demosaicing  # here, because it takes a second that no other stage should wait for

    methods = {
        "malvar2004": colour_demosaicing.demosaicing_CFA_Bayer_Malvar2004,
        "bilinear": colour_demosaicing.demosaicing_CFA_Bayer_bilinear,
        "menon2007": colour_demosaicing.demosaicing_CFA_Bayer_Menon2007,
    }
    if method not in methods:
        raise InputError(f"demosaicing {method!r}: expected one of {', '.join(methods)}.")
    # Mirrored about the border pixels, which keeps the pattern's phase; the library's own border repeats them,
    # which breaks it and leaves a dotted frame.
    border = _DEMOSAICING_BORDER
    continued = np.pad(mosaic, border, mode="reflect")
    return np.asarray(methods[method](continued, bayer))[border:-border, border:-border]
