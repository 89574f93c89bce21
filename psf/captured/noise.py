"""Noise of captured PSFs: background level, standard deviation, and negative samples."""

from __future__ import annotations

import numpy as np

RING = 2
"""Width in samples of the border from which a background is estimated, and of the rings that keep their light."""

MEDIAN_TO_SIGMA = 1.4826
"""Standard deviation of a Gaussian over the median of its absolute deviations."""


def border_level(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level ``[...]`` of the border of images ``[..., y, x]``, and the standard deviation of its samples.

    The mean of the samples within three standard deviations of the median: the median itself would be off by up to
    half a step of coarse numbers.
    """
    inside = np.zeros(images.shape[-2:], dtype=bool)
    inside[RING:-RING, RING:-RING] = True
    border = images[..., ~inside].astype(np.float64)
    median = np.median(border, axis=-1, keepdims=True)
    spread = MEDIAN_TO_SIGMA * np.median(np.abs(border - median), axis=-1, keepdims=True)
    # The spread of coarse numbers may be 0: deviations up to half a step are accepted then.
    usual = np.abs(border - median) <= np.maximum(3 * spread, 0.5)
    count = usual.sum(axis=-1)
    level = (border * usual).sum(axis=-1) / count
    return level, np.sqrt((np.square(border - level[..., None]) * usual).sum(axis=-1) / count)


def without_negatives(image: np.ndarray) -> np.ndarray:
    """The image without negative samples that holds the same light, on the whole and at every distance.

    Noise about zero is as often negative as positive. To cut the negative half off would add light, most of it far
    from the centre; so each ring about the middle sample is replaced by the nearest non-negative samples of the same
    sum (the projection onto a simplex). A ring whose sum is negative becomes zero, and the next one inwards makes up
    for it.

    Args:
        image: ``[y, x]`` with a positive sum.
    """
    height, width = image.shape
    distance = np.hypot(*np.ogrid[-(height // 2) : height - height // 2, -(width // 2) : width - width // 2])
    ring = (distance / RING).astype(int)
    found = np.zeros(image.shape)
    owed = 0.0
    for number in range(int(ring.max()), -1, -1):
        place = ring == number
        light = float(image[place].sum()) + owed
        owed = min(light, 0.0)
        found[place] = _project(image[place], max(light, 0.0))
    # A deficit that the innermost ring could not compensate is taken from all samples in proportion.
    return found * (float(image.sum()) / found.sum())


def _project(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest non-negative values of a given sum (Duchi and others, doi:10.1145/1390156.1390191)."""
    if total <= 0:
        return np.zeros_like(values)
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - total) / np.arange(1, len(values) + 1)
    return np.maximum(values - excess[ordered > excess][-1], 0.0)
