"""A small DNG file as cameras write it (DNG 1.4), made by tifffile: its numbers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

BLACK, WHITE = 64, 1023
NEUTRAL = (0.5, 1.0, 0.8)
"""Camera values of a neutral object, AsShotNeutral: the balance is its reciprocal, 2, 1 and 1.25."""

_CFA, _LINEAR = 32803, 34892
_COLOURS = {"R": 0, "G": 1, "B": 2}


def write_dng(
    path: Path,
    mosaic: np.ndarray,
    bayer: str = "RGGB",
    *,
    black: int = BLACK,
    white: int = WHITE,
    neutral: tuple[float, float, float] = NEUTRAL,
    more: tuple[Any, ...] = (),
) -> Path:
    """Write a mosaic ``[y, x]`` uint16, or without a pattern a grey frame or a picture ``[y, x, 3]`` as linear raw."""
    tags: list[Any] = [
        (271, "s", 0, "Maker", True),
        (272, "s", 0, "Model X", True),
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50707, "B", 4, (1, 1, 0, 0), True),
        (50708, "s", 0, "Maker Model X", True),
        (50714, "H", 1, (black,), True),
        (50717, "I", 1, (white,), True),
        (50778, "H", 1, (21,), True),
        *more,
    ]
    if bayer or mosaic.ndim == 3:
        matrix, balance = _fractions(np.eye(3).ravel()), _fractions(neutral)
        tags += [(50721, "2i", 9, matrix, True), (50728, "2I", 3, balance, True)]
    if bayer:
        pattern = tuple(_COLOURS[letter] for letter in bayer)
        tags += [(33421, "H", 2, (2, 2), True), (33422, "B", 4, pattern, True), (50710, "B", 3, (0, 1, 2), True)]
    photometric = _CFA if bayer else _LINEAR
    tifffile.imwrite(path, mosaic, photometric=photometric, extratags=tags, metadata=None, planarconfig="contig")
    return path


def grey_mosaic(light: np.ndarray, bayer: str = "RGGB") -> np.ndarray:
    """The mosaic ``[y, x]`` of a grey scene of this light ``[y, x]``, 1 where green saturates."""
    tile = np.array([NEUTRAL[_COLOURS[letter]] for letter in bayer]).reshape(2, 2)
    rows, columns = light.shape
    response = np.tile(tile, (rows // 2 + 1, columns // 2 + 1))[:rows, :columns]
    return np.rint(BLACK + (WHITE - BLACK) * np.minimum(light * response, 1)).astype(np.uint16)


def _fractions(values: Any) -> tuple[int, ...]:
    return tuple(number for value in values for number in (round(1_000_000 * float(value)), 1_000_000))
