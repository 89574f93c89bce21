"""A chart of slanted edges over the field, and the positions of its edges.

Dark squares on a light background, three by three over the frame, rotated by 5°: so their edges cross the pixel rows
and columns at all phases, as ISO 12233 requires. Both tones are mid-range (a contrast of 4 : 1 in linear light).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit

SQUARES = 3
"""Squares along each side of the frame."""

ANGLE = math.radians(5.0)
DARK, LIGHT = 0.16, 0.64
"""Levels in linear light."""

SMALLEST_SIDE = 180
"""Smallest side of a frame in pixels; in a smaller one the edges are too short to measure."""

_OVERSAMPLING = 8


@dataclass(frozen=True)
class EdgeRegion:
    """A rectangle that contains one edge.

    Attributes:
        rows: rows of the frame.
        columns: columns of the frame.
        upright: whether the edge is nearly vertical.
    """

    rows: slice
    columns: slice
    upright: bool

    def of(self, picture: np.ndarray) -> np.ndarray:
        """This part of a picture ``[y, x, …]``, transposed if necessary so that its edge is nearly vertical."""
        part = picture[self.rows, self.columns]
        return part if self.upright else part.swapaxes(0, 1)

    def middle(self) -> tuple[float, float]:
        """(row, column) of its centre."""
        return (self.rows.start + self.rows.stop - 1) / 2, (self.columns.start + self.columns.stop - 1) / 2


def edge_chart(pixels: tuple[int, int]) -> np.ndarray:
    """The chart for a frame of (rows, columns).

    Returns:
        ``[y, x, 3]`` uint8 sRGB; each pixel is the mean light of its area.

    Raises:
        InputError: the frame is too small.
    """
    _check(pixels)
    fine = (np.arange(_OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5
    y = (np.arange(pixels[0])[:, None] + fine).ravel()[:, None]
    x = (np.arange(pixels[1])[:, None] + fine).ravel()[None, :]
    half = _side(pixels) / 2
    covered = np.zeros((len(y), x.shape[1]), dtype=bool)
    for row, column in _middles(pixels):
        along = (x - column) * math.cos(ANGLE) + (y - row) * math.sin(ANGLE)
        across = (y - row) * math.cos(ANGLE) - (x - column) * math.sin(ANGLE)
        covered |= (np.abs(along) <= half) & (np.abs(across) <= half)
    share = covered.reshape(pixels[0], _OVERSAMPLING, pixels[1], _OVERSAMPLING).mean(axis=(1, 3))
    light = LIGHT + (DARK - LIGHT) * share
    return to_8_bit(linear_to_srgb(np.repeat(light[..., None], 3, axis=2)))


def edge_regions(pixels: tuple[int, int]) -> list[EdgeRegion]:
    """Regions of the four sides of every square; each region contains one edge only."""
    _check(pixels)
    side = _side(pixels)
    along, across = int(0.3 * side), int(0.42 * side)
    found = []
    for row, column in _middles(pixels):
        for sign in (-1, 1):
            y, x = row - sign * math.sin(-ANGLE) * side / 2, column + sign * math.cos(ANGLE) * side / 2
            found.append(EdgeRegion(_around(y, along), _around(x, across), upright=True))
            y, x = row + sign * math.cos(ANGLE) * side / 2, column - sign * math.sin(ANGLE) * side / 2
            found.append(EdgeRegion(_around(y, across), _around(x, along), upright=False))
    return found


def _check(pixels: tuple[int, int]) -> None:
    if min(pixels) < SMALLEST_SIDE:
        raise InputError(
            f"a chart of edges on {pixels[0]} × {pixels[1]} pixels: edges would be too short to be measured, each side "
            f"must have at least {SMALLEST_SIDE}."
        )


def _side(pixels: tuple[int, int]) -> float:
    return min(pixels) / SQUARES / 2


def _middles(pixels: tuple[int, int]) -> list[tuple[float, float]]:
    rows, columns = ([(k + 0.5) * length / SQUARES - 0.5 for k in range(SQUARES)] for length in pixels)
    return [(row, column) for row in rows for column in columns]


def _around(middle: float, reach: int) -> slice:
    return slice(round(middle) - reach, round(middle) + reach + 1)
