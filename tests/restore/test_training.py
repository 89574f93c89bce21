"""Training: every path learns, a killed run goes on, and what is written is what was trained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from metalens.formats.errors import InputError
from metalens.formats.neutral import neutral_target
from metalens.restore.degradation import degrade_generically, guided_filter
from metalens.restore.optimisation import Budget, Optimisation
from metalens.restore.paths import PathShares, source_and_target
from metalens.restore.prior import PATHS, load_prior
from metalens.restore.restorer import AdapterConfig, load_restorer
from metalens.restore.train import TrainConfig, train


def config(**changes):
    base = {"batch": 2, "crop": 32, "checkpoint_every": 3, "learning_rate": 2e-3, "validation_batches": 1}
    return TrainConfig(adapter=AdapterConfig(unet_rank=4, encoder_rank=4), **(base | changes))


def run(pairs, output, bank, prior_folder, steps, **options):
    torch.manual_seed(0)
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


@pytest.mark.parametrize("path", PATHS)
def test_each_path_learns(pairs, tmp_path, bank, prior_folder, path):
    shares = PathShares(**{each: float(each == path) for each in PATHS})
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 20, config=config(shares=shares))
    assert summary["validation_after"][path]["loss"] < summary["validation_before"][path]["loss"]


def test_the_adapter_that_is_written_is_the_one_that_was_trained(pairs, tmp_path, bank, prior_folder, camera):
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 6)
    names = sorted(entry.name for entry in (tmp_path / "adapter").iterdir())
    assert names == ["README.md", "adapter.json", "adapter.safetensors", "training.json"]
    restorer = load_restorer(tmp_path / "adapter")
    assert restorer.camera == camera
    assert restorer.training["steps"] == summary["steps"] == 6
    history = json.loads((tmp_path / "adapter" / "training.json").read_text())["history"]
    assert [row["step"] for row in history] == list(range(6))
    assert {row["path"] for row in history} <= set(PATHS)


def test_an_interrupted_run_resumes_to_the_same_weights(pairs, tmp_path, bank, prior_folder):
    run(pairs, tmp_path / "whole", bank, prior_folder, 8)

    def stop(share, figures):
        if share >= 5 / 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, tmp_path / "halves", bank, prior_folder, 8, report=stop)
    assert not (tmp_path / "halves" / "adapter.json").exists()
    with pytest.raises(InputError, match="its training has not finished; run metalens train with --resume"):
        load_restorer(tmp_path / "halves")
    run(pairs, tmp_path / "halves", bank, prior_folder, 8, resume=True)
    whole, halves = (load_restorer(tmp_path / name).parameters() for name in ("whole", "halves"))
    for name in whole:
        torch.testing.assert_close(halves[name], whole[name], atol=2e-3, rtol=0, msg=name)
    histories = [json.loads((tmp_path / name / "training.json").read_text())["history"] for name in ("whole", "halves")]
    assert [row["loss"] for row in histories[1]] == pytest.approx([row["loss"] for row in histories[0]], rel=1e-3)


def test_resuming_with_other_settings_is_refused(pairs, tmp_path, bank, prior_folder):
    def stop(share, figures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 8, report=stop)
    with pytest.raises(InputError, match="its unfinished training has other settings"):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 8, resume=True, config=config(batch=3))
    with pytest.raises(InputError, match="output folder is not empty"):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 8)


def test_pseudo_pairs_and_an_initial_adapter_are_taken(pairs, tmp_path, bank, prior_folder):
    run(pairs, tmp_path / "first", bank, prior_folder, 4)
    summary = run(pairs, tmp_path / "second", bank, prior_folder, 6, pseudo=[pairs], initial=str(tmp_path / "first"))
    assert summary["pseudo"][0]["count"] == len(pairs)
    first = json.loads((tmp_path / "first" / "adapter.json").read_text())["training"]["validation_after"]
    for path in PATHS:
        assert summary["validation_before"][path]["loss"] == pytest.approx(first[path]["loss"], rel=0.02)


def test_steps_that_give_nan_are_skipped_and_stop_training_when_they_persist(
    pairs, tmp_path, bank, prior_folder, monkeypatch
):
    def not_a_number(self, first, second):
        return (first - second).square().mean() * float("nan")

    monkeypatch.setattr("metalens.restore.perceptual.ShiftTolerantLPIPS.forward", not_a_number)
    with pytest.raises(InputError, match="11 training steps in a row gave NaN"):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 30)


def test_a_bank_of_another_camera_is_refused(pairs, tmp_path, bank, prior_folder, camera):
    import dataclasses

    other = dataclasses.replace(bank, camera=camera.model_copy(update={"name": "another"}))
    with pytest.raises(InputError, match="give the bank that the pairs were made with"):
        run(pairs, tmp_path / "adapter", other, prior_folder, 2)
    assert not (tmp_path / "adapter").exists()


def test_crops_that_do_not_fit_are_refused(pairs, tmp_path, bank, prior_folder):
    with pytest.raises(InputError, match="smaller than the crop of 128"):
        run(pairs, tmp_path / "a", bank, prior_folder, 2, config=config(crop=128))
    with pytest.raises(InputError, match="crop 30 is no multiple of 4"):
        run(pairs, tmp_path / "a", bank, prior_folder, 2, config=config(crop=30))


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


def test_a_budget_counts_whichever_comes_first():
    assert Budget(steps=10, minutes=1).progress(5, 6) == 0.5
    assert Budget(steps=10, minutes=1).progress(1, 54) == 0.9
    with pytest.raises(InputError, match="training needs --steps or --minutes"):
        Budget()
    with pytest.raises(InputError, match="--minutes must be above 0, found nan"):
        Budget(minutes=float("nan"))


def test_the_optimiser_refuses_a_loss_that_is_not_finite_and_changes_nothing():
    parameter = nn.Parameter(torch.ones(2))
    optimisation = Optimisation({"w": parameter}, learning_rate=0.1, budget=Budget(steps=3))
    with pytest.raises(FloatingPointError, match="step 0"):
        optimisation.step((parameter * float("inf")).sum())
    assert parameter.tolist() == [1, 1]
    assert optimisation.step_number == 0


def test_a_checkpoint_of_another_model_or_stage_is_refused(tmp_path):
    def optimisation(size):
        return Optimisation({"w": nn.Parameter(torch.ones(size))}, learning_rate=0.1, budget=Budget(steps=3))

    optimisation(2).save(tmp_path / "c.safetensors", stage="adapter")
    with pytest.raises(InputError, match="does not fit this model"):
        optimisation(3).load(tmp_path / "c.safetensors", stage="adapter")
    with pytest.raises(InputError, match="is a checkpoint of 'adapter', expected 'denoiser'"):
        optimisation(2).load(tmp_path / "c.safetensors", stage="denoiser")
    (tmp_path / "c.safetensors").write_bytes(b"garbage")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        optimisation(2).load(tmp_path / "c.safetensors", stage="adapter")
