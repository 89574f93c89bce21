"""Choosing a setting on training pairs, for methods that do not learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.method import Fitted, Training
from metalens.restore.metrics.measures import psnr

PAIRS = 3
"""Number of training pairs on which a setting is chosen."""


def tuning_pairs(training: Training, count: int = PAIRS) -> list[tuple[np.ndarray, Capture]]:
    """Read the first training pairs, on which settings are chosen.

    Args:
        training: gives the pairs.
        count: pairs to read.

    Returns:
        (clean picture ``[y, x, 3]`` uint8, capture) of each pair.

    Raises:
        InputError: the training split is empty.
    """
    numbers = training.pairs.of_split("train")[:count]
    if not len(numbers):
        raise InputError(f"{training.pairs.folder}: has no pairs of the training side of its split; make more.")
    samples = [training.pairs.sample(int(number)) for number in numbers]
    return [(sample.clean, Capture(sample.degraded, sample.position)) for sample in samples]


def tuned(apply: Callable[[Capture], np.ndarray], **chosen: float) -> Fitted:
    """A fitted method with one chosen setting."""

    def restore(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        return {variant: apply(capture) for variant in variants}

    return Fitted(restore, parameters=1, chosen=chosen)


def mean_psnr(pairs: Sequence[tuple[np.ndarray, Capture]], restore: Callable[[Capture], np.ndarray]) -> float:
    """Mean PSNR of restored captures.

    Args:
        pairs: (clean picture ``[y, x, 3]`` uint8, capture).
        restore: maps a capture to a picture of the same shape.

    Returns:
        dB.
    """
    return float(np.mean([psnr(clean, restore(capture)) for clean, capture in pairs]))


def best_of(candidates: Sequence[float], score: Callable[[float], float]) -> float:
    """Find the candidate with the highest score by ternary search.

    Each candidate is scored at most once.

    Args:
        candidates: settings in order.
        score: higher is better; it must rise and then fall along the candidates.

    Returns:
        The best candidate.
    """
    known: dict[int, float] = {}

    def at(index: int) -> float:
        if index not in known:
            known[index] = score(candidates[index])
        return known[index]

    low, high = 0, len(candidates) - 1
    while high - low > 2:
        third = (high - low) // 3
        if at(low + third) < at(high - third):
            low = low + third
        else:
            high = high - third
    return candidates[max(range(low, high + 1), key=at)]
