"""Choosing a setting on training pairs, for methods that do not learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.restore.methods.method import Capture, Fitted, Training
from metalens.restore.metrics.measures import psnr

PAIRS = 3
"""Training pairs that a setting is chosen on."""


def tuning_pairs(training: Training, count: int = PAIRS) -> list[tuple[np.ndarray, Capture]]:
    """The first training pairs: clean pictures and captures.

    Raises:
        InputError: there is none.
    """
    numbers = training.pairs.of_split("train")[:count]
    if not len(numbers):
        raise InputError(f"{training.pairs.folder}: has no pairs of the training side of its split; make more.")
    samples = [training.pairs.sample(int(number)) for number in numbers]
    return [(sample.clean, Capture(sample.degraded, sample.position)) for sample in samples]


def tuned(apply: Callable[[Capture], np.ndarray], **chosen: float) -> Fitted:
    """A method with the one setting that was chosen for it."""

    def restore(capture: Capture, variants: Sequence[str]) -> dict[str, np.ndarray]:
        return {variant: apply(capture) for variant in variants}

    return Fitted(restore, parameters=1, chosen=chosen)


def mean_psnr(pairs: Sequence[tuple[np.ndarray, Capture]], restore: Callable[[Capture], np.ndarray]) -> float:
    """Mean PSNR of restored captures in dB."""
    return float(np.mean([psnr(clean, restore(capture)) for clean, capture in pairs]))


def best_of(candidates: Sequence[float], score: Callable[[float], float]) -> float:
    """The candidate with the highest score, of a score that rises and then falls over the candidates' order.

    Each is tried once at most, and only those that a search by thirds comes to.
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
