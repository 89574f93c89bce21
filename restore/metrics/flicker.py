"""Flicker: how much consecutive frames change without the scene's doing.

At each pixel the deviation of a frame from the mean of its two neighbours,

    d_t = x_t − (x_{t−1} + x_{t+1}) / 2,    flicker² = median over pixels of mean over t and colours of d_t² / 1.5

In a static scene it is the standard deviation of what is independent between frames, such as noise: the variance of d
is 1.5 times that of x. A steady change of brightness has none. The median leaves out what moves over less than half of
the frame; a camera that moves counts as flicker, so restored frames are compared with their captures.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from metalens.formats.files.errors import InputError

FEWEST_FRAMES = 3

_VARIANCE_OF_SECOND_DIFFERENCE = 1.5


def flicker(frames: Iterable[np.ndarray]) -> float:
    """Flicker of a sequence.

    Args:
        frames: ``[y, x, 3]`` floats in display values of 0..1, in their order, all of one shape; three are held
            at once.

    Returns:
        In display values of 0..1.

    Raises:
        InputError: there are fewer than three frames, or their shapes differ.
    """
    before: list[np.ndarray] = []
    total: np.ndarray | None = None
    count = 0
    for frame in frames:
        if before and frame.shape != before[-1].shape:
            raise InputError(f"flicker: a frame of shape {frame.shape} after one of {before[-1].shape}.")
        before = [*before[-2:], frame]
        if len(before) == FEWEST_FRAMES:
            deviation = before[1] - (before[0] + before[2]) / 2
            squared = np.square(deviation, dtype=np.float64).mean(axis=-1)
            total = squared if total is None else total + squared
            count += 1
    if total is None:
        raise InputError(f"flicker: {len(before)} frames, at least {FEWEST_FRAMES} are needed.")
    return float(np.sqrt(np.median(total / count) / _VARIANCE_OF_SECOND_DIFFERENCE))
