"""The displayed picture on the sensor's own grid, and the part of the sensor where that is known."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_fill_holes, map_coordinates
from scipy.spatial import cKDTree

from metalens.synth.alignment.frames import Region
from metalens.synth.alignment.mapping import SensorToDisplay

_REACH = 0.75
"""Largest distance to a dot, in spacings; inside the grid it is at most 0.71."""

_MOST_PARTS = 8
_BLOCK = 2**20


def clean_on_sensor(mapping: SensorToDisplay, light: np.ndarray, region: Region, *, outside: np.ndarray) -> np.ndarray:
    """Light on the pixels of a region through a perfect lens.

    Each pixel averages the light over its area: over parts of it that are no farther apart than the display's pixels,
    each interpolated linearly.

    Args:
        mapping: from the sensor to the display.
        light: ``[y, x, channel]`` linear light of the display.
        region: of the sensor.
        outside: ``[channel]`` light around the display.

    Returns:
        ``[y, x, channel]`` float32.
    """
    top, left, rows, columns = region
    parts = _parts(mapping, region)
    inside = (np.arange(parts) + 0.5) / parts - 0.5
    x = left + (np.arange(columns)[:, None] + inside).ravel()
    seen = np.empty((rows, columns, light.shape[2]), dtype=np.float32)
    block = max(1, _BLOCK // (columns * parts**2))
    for first in range(0, rows, block):
        count = min(block, rows - first)
        y = top + first + (np.arange(count)[:, None] + inside).ravel()
        at = np.moveaxis(mapping(np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)), -1, 0)
        for channel in range(light.shape[2]):
            fine = map_coordinates(
                light[..., channel], at, order=1, mode="constant", cval=float(outside[channel]), output=np.float32
            )
            seen[first : first + count, :, channel] = fine.reshape(count, parts, columns, parts).mean(axis=(1, 3))
    return seen


def _parts(mapping: SensorToDisplay, region: Region) -> int:
    """Parts of a pixel's side that are no farther apart than the display's pixels."""
    slope = mapping.slope(grid_of(region, 5))
    return min(max(math.ceil(float(np.linalg.norm(slope, axis=-2).max())), 1), _MOST_PARTS)


def grid_of(region: Region, count: int) -> np.ndarray:
    """A regular grid of positions over a region, corners included.

    Args:
        region: top, left, rows, columns on the sensor.
        count: positions along each side, at least 2.

    Returns:
        ``[count, count, (y, x)]`` in pixels.
    """
    top, left, rows, columns = region
    y, x = np.linspace(top, top + rows - 1, count), np.linspace(left, left + columns - 1, count)
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


def covered(
    mapping: SensorToDisplay, dots: np.ndarray, spacing: float, display: tuple[int, int], position: np.ndarray
) -> np.ndarray:
    """Mark positions on the sensor that see a part of the display covered by dots.

    Args:
        mapping: from the sensor to the display.
        dots: ``[dot, (y, x)]`` of the display that were found.
        spacing: of the dots.
        display: its rows, columns.
        position: on the sensor, on a grid.

    Returns:
        True at each position within reach of the dots or enclosed by such positions, without the last axis of
        ``position``.
    """
    seen = mapping(position)
    distance, _ = cKDTree(dots).query(seen)
    on_screen = ((seen > -0.5) & (seen < np.array(display) - 0.5)).all(axis=-1)
    return binary_fill_holes(distance <= _REACH * spacing) & on_screen


def largest_rectangle(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, rows, columns of the largest rectangle of true cells; all 0 if there is none."""
    best, area = (0, 0, 0, 0), 0
    height = np.zeros(mask.shape[1], dtype=int)
    for row, line in enumerate(mask):
        height = np.where(line, height + 1, 0)
        # A lower column closes the taller ones before it: their rectangles end here.
        open_cells: list[tuple[int, int]] = []
        for column, each in enumerate([*height.tolist(), 0]):
            start = column
            while open_cells and open_cells[-1][1] >= each:
                start, tall = open_cells.pop()
                if tall * (column - start) > area:
                    area = tall * (column - start)
                    best = (row - tall + 1, start, tall, column - start)
            open_cells.append((start, each))
    return best
