"""The three paths: what each takes and aims at, and how often it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.paths import PathShares, source_and_target


def test_the_paths_are_the_papers():
    pictures = clean, neutral, captured = torch.rand(3, 1, 3, 32, 32).unbind()
    assert source_and_target("positive", *pictures) == (captured, clean)
    assert source_and_target("neutral", *pictures) == (captured, neutral)
    assert source_and_target("negative", *pictures) == (clean, captured)
    with pytest.raises(InputError, match="path 'upwards' is unknown"):
        source_and_target("upwards", *pictures)


def test_path_shares_must_sum_to_one():
    with pytest.raises(InputError, match="must be 0 or more and sum to 1"):
        PathShares(0.5, 0.5, 0.5)
    generator = torch.Generator().manual_seed(0)
    drawn = [PathShares().draw(generator) for _ in range(2000)]
    assert np.mean([path == "positive" for path in drawn]) == pytest.approx(0.7, abs=0.04)
    assert np.mean([path == "negative" for path in drawn]) == pytest.approx(0.1, abs=0.03)
