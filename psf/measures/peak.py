"""The highest value of a point spread function between its samples."""

from __future__ import annotations

from functools import cache

import numpy as np

from metalens.psf.measures.interpolation import REACH, interpolation_weights

FINE = 8
"""Points of the search between two samples; a parabola through the best three refines it."""


def find_peak(intensity: np.ndarray, *, integrated: bool) -> tuple[np.ndarray, np.ndarray]:
    """Place and height of the peak next to the brightest sample.

    Args:
        intensity: ``[..., y, x]``; beyond the window it counts as dark.
        integrated: whether a sample holds the mean over its pixel, which is then undone; otherwise it is the value
            at its centre.

    Returns:
        ``[..., (y, x)]`` in samples from the first one, and ``[...]`` height in the unit of a sample. It is not below
        the brightest sample's, as far as the sampling resolves the function.
    """
    images = np.asarray(intensity, dtype=np.float64)
    flat = images.reshape(-1, *images.shape[-2:])
    brightest = np.stack(np.unravel_index(flat.reshape(len(flat), -1).argmax(axis=1), flat.shape[1:]), axis=-1)
    matrix = _interpolation(integrated)
    patches = np.stack([_patch(image, place) for image, place in zip(flat, brightest, strict=True)])
    fine = matrix @ patches @ matrix.T
    # Not the rim, so that the best point has neighbours.
    inner = fine[:, 1:-1, 1:-1]
    row, column = np.unravel_index(inner.reshape(len(fine), -1).argmax(axis=1), inner.shape[1:])
    offset, height = _parabolas(fine, row + 1, column + 1)
    place = brightest + (np.stack([row, column], axis=-1) + 1 + offset) / FINE - 1
    return place.reshape(*images.shape[:-2], 2), height.reshape(images.shape[:-2])[()]


@cache
def _interpolation(integrated: bool) -> np.ndarray:
    """``[point, sample]`` weights of the samples −REACH … REACH for points −1 … 1 at steps of 1/FINE."""
    point = np.arange(-FINE, FINE + 1) / FINE
    return interpolation_weights(point[:, None] - np.arange(-REACH, REACH + 1), integrated=integrated)


def _patch(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The samples around one, dark beyond the image."""
    side = 2 * REACH + 1
    patch = np.zeros((side, side))
    low = np.maximum(place - REACH, 0)
    found = image[low[0] : place[0] + REACH + 1, low[1] : place[1] + REACH + 1]
    start = low - place + REACH
    patch[start[0] : start[0] + found.shape[0], start[1] : start[1] + found.shape[1]] = found
    return patch


def _parabolas(fine: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertex ``[n, (y, x)]`` in fine steps and height ``[n]`` of the parabolas through a point's neighbours."""
    number = np.arange(len(fine))
    middle = fine[number, row, column]
    offsets, height = [], middle.copy()
    for step_y, step_x in ((1, 0), (0, 1)):
        before = fine[number, row - step_y, column - step_x]
        after = fine[number, row + step_y, column + step_x]
        curvature = 2 * middle - before - after
        slope = 0.5 * (after - before)
        offset = np.where(curvature > 0, np.clip(slope / np.where(curvature > 0, curvature, 1), -1, 1), 0)
        offsets.append(offset)
        height = height + 0.5 * slope * offset
    return np.stack(offsets, axis=-1), height
