"""Generic degradations, and the smooth target of the neutral path."""

from __future__ import annotations

import numpy as np
import torch

from metalens.formats.pairs.neutral_target import neutral_target
from metalens.restore.pretraining.degradation import degrade_generically, guided_filter


def test_the_neutral_target_is_the_one_that_pairs_store():
    picture = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    smooth = guided_filter(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
    # Both round in single precision, and the stored one to 8 bits.
    expected = torch.from_numpy(neutral_target(picture)).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(smooth, expected, atol=0.51 / 255, rtol=0)


def test_the_neutral_target_smooths_texture_and_keeps_edges():
    step = (torch.arange(64) >= 32).float().expand(1, 1, 64, 64)
    torch.testing.assert_close(guided_filter(step), step, atol=0.05, rtol=0)
    texture = 0.5 + 0.05 * torch.randn(1, 1, 64, 64)
    assert guided_filter(texture).std() < 0.3 * texture.std()
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(guided_filter(flat), flat)


def test_generic_degradations_differ_and_repeat_by_their_generator():
    pictures = torch.rand(2, 3, 48, 48)
    first, second, again = (degrade_generically(pictures, torch.Generator().manual_seed(seed)) for seed in (0, 1, 0))
    torch.testing.assert_close(first, again)
    assert (first - second).abs().mean() > 1e-3
    assert first.min() >= 0
    assert first.max() <= 1
    assert first.std() < pictures.std()
