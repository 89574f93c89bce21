"""A training that is killed goes on to the same curve and the same weights, to the bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.restore.adapter.adapter_file import load_restorer
from metalens.restore.adapter.paths import PathShares
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.training.log import read_history
from metalens.restore.training.optimisation import Budget
from metalens.restore.training.train import TrainConfig, TrainingData, TrainingTask, train

from ..conftest import fresh_prior

SETTINGS = TrainConfig(
    adapter=AdapterConfig(unet_rank=4, encoder_rank=4),
    batch=2,
    crop=32,
    checkpoint_every=2,
    validation_batches=1,
    validation_pictures=1,
    judge="alex",
)
STEPS = 5

# The second checkpoint is being written when the process dies: half of it lies beside the first.
KILLED_WHILE_IT_SAVES = """
import os, signal, sys
import safetensors.torch
import torch
from metalens.cli import main

torch.set_num_threads(int(sys.argv.pop()))
save, saved = safetensors.torch.save_file, []

def save_and_die(tensors, path, **options):
    saved.append(path)
    if len(saved) < 2:
        return save(tensors, path, **options)
    path.write_bytes(b"half a checkpoint")
    os.kill(os.getpid(), signal.SIGKILL)

safetensors.torch.save_file = save_and_die
main()
"""


@pytest.fixture
def run(pairs, tmp_path, bank, prior_folder):
    def train_into(name, *, config=SETTINGS, **options):
        train(
            TrainingTask(TrainingData([pairs], bank, quality_metric="piqe"), fresh_prior(prior_folder), config),
            tmp_path / name,
            budget=Budget(steps=STEPS),
            **options,
        )
        return tmp_path / name

    return train_into


def stop_at(step):
    def report(share, figures):
        if share >= step / STEPS:
            raise KeyboardInterrupt

    return report


def curve(folder):
    rows = json.loads((folder / "training.json").read_text())["history"]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.mark.long
def test_a_killed_run_resumes_to_the_same_curve_and_weights(run, pairs, tmp_path, bank, prior_folder):
    write_psf_bank(tmp_path / "psf.h5", bank)
    (tmp_path / "recipe.toml").write_text(
        "[training]\nbatch = 2\ncrop = 32\ncheckpoint_every = 2\nvalidation_batches = 1\nvalidation_pictures = 1\n"
        'judge = "alex"\n'
        "[adapter]\nunet_rank = 4\nencoder_rank = 4\n"
    )
    killed = tmp_path / "killed"
    options = {"--psf": tmp_path / "psf.h5", "--prior": prior_folder, "--config": tmp_path / "recipe.toml"}
    words = [str(word) for option in options.items() for word in option]
    command = ["train", str(pairs.folder), "-o", str(killed), *words, "--steps", str(STEPS), "--quality", "piqe"]
    child = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_IT_SAVES, *command, str(torch.get_num_threads())],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    left = [entry.name for entry in killed.iterdir() if entry.name.endswith(".part")]
    assert len(left) == 1
    with pytest.raises(InputError, match="its training has not finished; run metalens train with --resume"):
        load_restorer(killed)
    run("killed", resume=True)
    whole = run("whole")
    assert curve(killed) == curve(whole)
    assert (killed / "adapter.safetensors").read_bytes() == (whole / "adapter.safetensors").read_bytes()
    assert sorted(entry.name for entry in killed.iterdir()) == sorted(entry.name for entry in whole.iterdir())


@pytest.mark.long
def test_an_adversarial_training_resumes_with_its_discriminator(run):
    config = replace(SETTINGS, adversarial_weight=0.1, shares=PathShares(1, 0, 0))
    with pytest.raises(KeyboardInterrupt):
        run("stopped", config=config, report=stop_at(3))
    stopped, whole = run("stopped", config=config, resume=True), run("whole", config=config)
    assert curve(stopped) == curve(whole)
    assert all(row["critic"] > 0 for row in curve(whole))
    assert (stopped / "adapter.safetensors").read_bytes() == (whole / "adapter.safetensors").read_bytes()
    assert not any("discriminator" in name for name in load_file(whole / "adapter.safetensors"))


def test_an_interrupted_run_is_saved_where_it_stopped(run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("adapter", report=stop_at(2))
    history = read_history(tmp_path / "adapter" / "history.jsonl", before=STEPS)
    assert [row["step"] for row in history] == [0, 1]
    assert (tmp_path / "adapter" / "checkpoint.safetensors").is_file()


def test_resuming_with_other_settings_or_a_finished_training_is_refused(run, tmp_path):
    def stop(share, figures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("adapter", report=stop)
    with pytest.raises(InputError, match=r"cannot be resumed, config\.batch was 2 and is now 3"):
        run("adapter", resume=True, config=replace(SETTINGS, batch=3))
    with pytest.raises(InputError, match="output folder is not empty"):
        run("adapter")
    (tmp_path / "finished").mkdir()
    (tmp_path / "finished" / "adapter.json").write_text("{}")
    with pytest.raises(InputError, match="its training has finished; go on from it with --init"):
        run("finished", resume=True)


def test_a_second_training_in_the_folder_is_refused_while_the_first_is_on(run):
    def second(share, figures):
        with pytest.raises(InputError, match="adapter: another run is writing here; wait for it"):
            run("adapter", resume=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("adapter", report=second)


def test_a_history_is_cut_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "history.jsonl"
    lines = [json.dumps({"step": step, "path": "positive", "loss": 1.0}) for step in range(4)]
    path.write_text("\n".join(lines) + '\n{"step": 4, "pa')
    assert [row["step"] for row in read_history(path, before=3)] == [0, 1, 2]
    assert [row["step"] for row in read_history(path, before=9)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "line",
    ["no history", "[]", "3", '{"step": "2"}', '{"step": true, "path": "positive", "loss": 1}', "[" * 100_000, "\xff"],
    ids=lambda line: line[:20],
)
def test_a_history_of_other_lines_is_refused(tmp_path, line):
    path = tmp_path / "history.jsonl"
    path.write_bytes(line.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match="not a readable training history"):
        read_history(path, before=3)
