"""Pairs on which methods that do not learn choose their settings."""

from types import SimpleNamespace

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.methods.tuning import PAIRS, tuning_pairs


def pairs_of(count: int) -> SimpleNamespace:
    """Pairs whose clean pictures are their numbers; the odd ones are of the training side."""
    blank = np.zeros((1, 1, 3), np.uint8)

    def sample(number: int) -> SimpleNamespace:
        return SimpleNamespace(clean=number, degraded=blank, position=(0, 0))

    numbers = np.arange(1, count, 2)
    return SimpleNamespace(folder="pairs", of_split=lambda side: numbers, sample=sample)


def numbers_of(count: int) -> list[int]:
    return [clean for clean, _ in tuning_pairs(pairs_of(count))]


def test_they_are_spread_over_the_training_side():
    assert numbers_of(400) == [1, 57, 115, 171, 229, 285, 343, 399]
    assert len(numbers_of(400)) == PAIRS


def test_of_a_small_set_each_is_taken_once():
    assert numbers_of(6) == [1, 3, 5]


def test_a_set_without_a_training_side_is_refused():
    with pytest.raises(InputError, match="pairs: has no pairs of the training side"):
        tuning_pairs(pairs_of(1))
