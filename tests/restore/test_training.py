"""Training: every path learns, only what should, and what is written is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.errors import InputError
from metalens.formats.neutral import neutral_target
from metalens.restore.degradation import degrade_generically, guided_filter
from metalens.restore.optimisation import Budget
from metalens.restore.paths import PathShares, source_and_target
from metalens.restore.prior import PATHS, load_prior
from metalens.restore.restorer import AdapterConfig, load_restorer
from metalens.restore.train import TrainConfig, train
from metalens.restore.training_loss import PathLoss

from .conftest import box_blur, textured, write_pairs


def config(**changes):
    base = {"batch": 2, "crop": 32, "checkpoint_every": 3, "learning_rate": 2e-3, "ema_decay": 0.9}
    few = {"validation_batches": 1, "validation_pictures": 1}
    return TrainConfig(adapter=AdapterConfig(unet_rank=4, encoder_rank=4), **(base | few | changes))


def run(pairs, output, bank, prior_folder, steps, **options):
    settings = options.pop("config", config())
    return train(
        [pairs],
        output,
        bank=bank,
        prior=load_prior(prior_folder),
        quality_metric="piqe",
        budget=Budget(steps=steps),
        config=settings,
        **options,
    )


def haze(picture):
    """A blur under a veil of light: much to restore, and quickly learned."""
    return (box_blur(picture) * 0.5 + 100).astype(np.uint8)


def test_training_lowers_every_loss_and_beats_the_captured_picture_on_held_out_ones(
    camera, tmp_path, bank, prior_folder
):
    pairs = write_pairs(tmp_path / "pairs", camera, textured(16), degrade=haze)
    shares = PathShares(0.4, 0.3, 0.3)
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 30, config=config(shares=shares, learning_rate=5e-3))
    for path in PATHS:
        before, after = summary["validation_before"][path], summary["validation_after"][path]
        print(path, before, after)
        assert after["loss"] < before["loss"]
    figures = summary["by_alpha"]
    print(figures, summary["seconds"])
    assert figures["held_out"]
    for restored in figures["restored"].values():
        assert restored["psnr"] > figures["captured"]["psnr"] + 1


@pytest.mark.parametrize("path", PATHS)
def test_each_path_overfits_one_pair(camera, tmp_path, bank, prior_folder, path):
    pair = write_pairs(tmp_path / "pair", camera, textured(1), sources=1, degrade=haze)
    shares = PathShares(**{each: float(each == path) for each in PATHS})
    settings = config(shares=shares, perceptual_weight=0.0, learning_rate=1e-2, batch=1)
    summary = run(pair, tmp_path / "adapter", bank, prior_folder, 25, config=settings)
    print(summary["validation_before"][path], summary["validation_after"][path], summary["seconds"])
    assert summary["validation_after"][path]["l2"] < 0.25 * summary["validation_before"][path]["l2"]
