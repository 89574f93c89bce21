"""Choosing a setting on training pairs, for methods that do not learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.method import Fitted

PAIRS = 8
"""Number of training pairs on which a setting is chosen, spread over the set: a few neighbours may all be smooth."""


def tuning_pairs(pairs: Pairs, count: int = PAIRS) -> list[tuple[np.ndarray, Capture]]:
    """Read training pairs, spread over the set, on which the benchmark and the report choose settings.

    Args:
        pairs: of the camera.
        count: pairs to read.

    Returns:
        (clean picture ``[y, x, 3]`` uint8, capture) of each pair.

    Raises:
        InputError: the training split is empty.
    """
    every = pairs.of_split("train")
    if not len(every):
        raise InputError(f"{pairs.folder}: has no pairs of the training side of its split; make more.")
    numbers = every[np.unique(np.linspace(0, len(every) - 1, count).round().astype(int))]
    samples = [pairs.sample(int(number)) for number in numbers]
    return [(sample.clean, Capture(sample.degraded, sample.position)) for sample in samples]


def tuned(apply: Callable[[Capture], np.ndarray], **chosen: float) -> Fitted:
    """A fitted method with one chosen setting."""

    def restore(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        return {variant: apply(capture) for variant in variants}

    return Fitted(restore, parameters=1, chosen=chosen)
