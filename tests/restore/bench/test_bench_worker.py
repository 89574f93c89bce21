"""The workers of a benchmark: processes that train and restore with one method each."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.restore.bench.folder import RESULT, judged_pictures, runs_of
from metalens.restore.bench.plan import read_plan
from metalens.restore.bench.process import Program, start
from metalens.restore.bench.run import prepare, restore_with_all
from metalens.restore.bench.worker import main
from metalens.restore.training.checkpoint import CHECKPOINT

from .conftest import begin


def test_a_worker_fits_restores_and_tells_what_it_cost(tmp_path, make_plan, pairs, capsys):
    folder = tmp_path / "bench"
    begin(folder, make_plan(methods=("wiener-tiled",)), resume=False)
    prepare(folder, read_plan(folder))
    assert main([str(folder), "wiener-tiled", "0"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["stage"] for each in told} == {"start", "restore"}
    (run,) = runs_of(folder, read_plan(folder))
    assert run.finished
    result = run.result()
    assert result["chosen"]["noise_to_signal"] > 0
    assert result["seconds_per_picture"] > 0
    assert result["fitting_seconds"] >= result["training_seconds"]
    names = [name for name, _, _ in judged_pictures(folder)]
    assert len(names) == len(pairs)
    assert all(read_picture(run.pictures("") / f"{name}.png").shape == (64, 80, 3) for name in names)


@pytest.mark.long
def test_pictures_that_are_restored_are_not_restored_again_unless_the_method_is_trained_again(tmp_path, make_plan):
    folder = tmp_path / "bench"
    begin(folder, make_plan(methods=("psf-aware",)), resume=False)
    prepare(folder, read_plan(folder))
    assert main([str(folder), "psf-aware", "0"]) == 0
    (run,) = runs_of(folder, read_plan(folder))
    first, second = sorted(run.pictures("").iterdir())
    made = {path: path.read_bytes() for path in (first, second)}

    # Stopped after the first picture: that one stays, the other is made.
    (run.folder / RESULT).unlink()
    second.unlink()
    write_picture(first, np.zeros((64, 80, 3), np.uint8))
    marked = first.read_bytes()
    assert main([str(folder), "psf-aware", "0", "--resume"]) == 0
    assert (first.read_bytes(), second.read_bytes()) == (marked, made[second])
    assert run.result()["timed_pictures"] > 0
    assert run.result()["fitting_seconds"] is None  # the first process' time is not known to the second

    # Without its checkpoint it is trained again, and what other weights made does not count.
    (run.folder / RESULT).unlink()
    (run.folder / CHECKPOINT).unlink()
    assert main([str(folder), "psf-aware", "0", "--resume"]) == 0
    assert {path: path.read_bytes() for path in made} == made


def test_a_method_that_fails_says_why_and_ends_no_other(tmp_path, make_plan):
    folder = tmp_path / "bench"
    begin(folder, make_plan(methods=("osediff",), prior="nowhere"), resume=False)
    prepare(folder, read_plan(folder))
    assert main([str(folder), "osediff", "0"]) == 1
    (run,) = runs_of(folder, read_plan(folder))
    assert not run.finished
    assert run.failure().startswith("nowhere: no such prior")


def test_a_process_that_is_killed_is_told_as_such(tmp_path, make_plan, monkeypatch):
    folder = tmp_path / "bench"
    begin(folder, make_plan(), resume=False)
    words = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    start = "metalens.restore.bench.process.start"
    monkeypatch.setattr(start, lambda *given, **rest: subprocess.Popen(words, stdout=-1, text=True))
    (run,) = restore_with_all(folder, resume=False)
    assert not run.finished
    assert run.failure().startswith("its process was killed, as systems do where memory ends: lower --batch, --crop")


@pytest.mark.parametrize(
    ("given", "sharing", "threads"), [(None, 1, None), (None, 2, "4"), (None, 99, "1"), ("3", 2, "3")]
)
def test_processes_that_share_the_machine_share_its_cores(tmp_path, monkeypatch, given, sharing, threads):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    called = {}
    monkeypatch.setattr("subprocess.Popen", lambda words, env, **rest: called.update(env))
    start(Program("metalens.nothing", [], tmp_path / "log.txt"), sharing=sharing)
    assert called.get("OMP_NUM_THREADS") == threads
