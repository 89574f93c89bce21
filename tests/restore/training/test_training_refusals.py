"""Trainings that cannot be begun, steps that give no number, and memory that ends."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.training.distributed import spoken_memory
from metalens.restore.training.train import TrainConfig, TrainingData, TrainingTask, untrained

from ..conftest import fresh_prior
from .short_training import config, run


def history_of(folder):
    return json.loads((folder / "training.json").read_text())["history"]


def test_an_initial_adapter_that_does_not_fit_is_refused(pairs, tmp_path, bank, prior_folder):
    run(pairs, tmp_path / "first", bank, prior_folder, 1)
    start = {"initial": str(tmp_path / "first")}
    larger = TrainConfig(adapter=AdapterConfig(unet_rank=8, encoder_rank=4), crop=32)
    with pytest.raises(InputError, match="this training asks for"):
        run(pairs, tmp_path / "second", bank, prior_folder, 1, config=larger, **start)
    weights = tmp_path / "first" / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"adapter\.safetensors"):
        run(pairs, tmp_path / "second", bank, prior_folder, 1, **start)
    note = tmp_path / "first" / "adapter.json"
    note.write_text(note.read_text().replace(fresh_prior(prior_folder).identity, "0" * 64))
    with pytest.raises(InputError, match="was trained on another prior"):
        run(pairs, tmp_path / "second", bank, prior_folder, 1, **start)
    assert not (tmp_path / "second").exists()


def test_a_step_that_gives_nan_is_skipped_and_counted(pairs, tmp_path, bank, prior_folder, monkeypatch):
    from metalens.restore.training.pairs import TrainingPairs

    draw, drawn = TrainingPairs.draw, []

    def sometimes_nan(self, among, size, **options):
        example = draw(self, among, size, **options)
        drawn.append(len(among))
        if among is self.training and drawn.count(len(self.training)) == 3:
            return example._replace(captured=example.captured * float("nan"))
        return example

    monkeypatch.setattr(TrainingPairs, "draw", sometimes_nan)
    summary = run(pairs, tmp_path / "adapter", bank, prior_folder, 3)
    assert (summary["steps"], summary["skipped_steps"]) == (3, 1)
    assert all(np.isfinite(row["loss"]) for row in history_of(tmp_path / "adapter"))
    assert "1 steps skipped for NaN" in (tmp_path / "adapter" / "README.md").read_text()


@pytest.mark.long
def test_steps_that_give_nan_stop_training_when_they_persist(pairs, tmp_path, bank, prior_folder, monkeypatch):
    def not_a_number(self, first, second):
        return (first - second).square().mean() * float("nan")

    monkeypatch.setattr("metalens.restore.metrics.shift_tolerant_lpips.ShiftTolerantLPIPS.forward", not_a_number)
    with pytest.raises(InputError, match="11 training steps in a row gave NaN"):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 30)


def test_running_out_of_memory_says_what_to_lower(pairs, tmp_path, bank, prior_folder, monkeypatch):
    def no_memory(self, *arguments):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("metalens.restore.training.loss.PathLoss.forward", no_memory)
    with pytest.raises(InputError, match=r"lower --batch and raise --accumulate.*\(now 2 × 1\); lower --crop"):
        run(pairs, tmp_path / "adapter", bank, prior_folder, 2)
    with pytest.raises(InputError, match="out of memory: all"), spoken_memory("all"):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    with pytest.raises(RuntimeError, match="another"), spoken_memory("all"):
        raise RuntimeError("another")


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


def test_a_device_that_is_not_there_is_refused(pairs, tmp_path, bank, prior_folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device cuda: torch finds no such device here"):
        run(pairs, tmp_path / "a", bank, prior_folder, 2, device="cuda")


@pytest.mark.parametrize(
    ("changes", "adapter", "sentence"),
    [
        ({"crop": 32}, {"consistency": "trained"}, "give --crop 37 or more"),
        ({"crop": 48, "cuda_graphs": True}, {"consistency": "trained"}, "train without --cuda-graphs"),
        ({"only": "consistency"}, {}, "add --consistency trained"),
        ({"crop": 48, "only": "consistency"}, {"consistency": "trained"}, "give --paths 0.5,0.5,0"),
        ({"only": "q"}, {"tuning": "full"}, "this adapter has no Q"),
    ],
)
def test_a_part_that_cannot_be_trained_is_refused(pairs, bank, prior_folder, changes, adapter, sentence):
    settings = replace(config(**changes), adapter=AdapterConfig(conditioning="optics", **adapter))
    data = TrainingData([pairs], bank, quality_metric="piqe")
    with pytest.raises(InputError, match=sentence):
        untrained(TrainingTask(data, fresh_prior(prior_folder), settings))
