"""A benchmark as a whole: the pictures that methods are judged on, then one process for each method and seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from metalens.formats.errors import InputError
from metalens.formats.pairs import Pairs, pair_names, read_pairs, require_same_camera
from metalens.formats.pictures import write_picture
from metalens.formats.psf_bank import read_psf_bank
from metalens.restore.bench.folder import FAILURE, Run, runs_of
from metalens.restore.bench.plan import Plan, claim, read_plan

Report = Callable[[float, str], None]
"""Called with the share of the runs that is done, and what is going on."""


def check(plan: Plan) -> None:
    """Refuse what no method could work with, before anything is begun.

    Raises:
        InputError: files of another camera, no test pictures, or pairs smaller than the crop.
    """
    bank = read_psf_bank(plan.psf)
    pairs, test = read_pairs(plan.pairs), read_pairs(plan.test)
    for each in (pairs, test):
        require_same_camera(each, bank)
    if test.manifest.pixels != bank.camera.sensor.pixels:
        raise InputError(
            f"{test.folder}: pictures of {' × '.join(map(str, test.manifest.pixels))} pixels, methods are judged on "
            f"whole frames of {' × '.join(map(str, bank.camera.sensor.pixels))}; make them with metalens synth --whole."
        )
    if min(pairs.manifest.pixels) < plan.crop:
        raise InputError(
            f"{pairs.folder}: pairs of {min(pairs.manifest.pixels)} pixels are smaller than the crop of {plan.crop}; "
            "lower --crop, or make larger pairs."
        )
    if not len(pairs.of_split("train")):
        raise InputError(f"{pairs.folder}: has no pairs of the training side of its split; make more.")


def run_methods(folder: Path, plan: Plan, *, resume: bool, report: Report = lambda share, text: None) -> list[Run]:
    """Fit and restore with every method that has not done so yet.

    Args:
        folder: the benchmark's.
        plan: what is compared.
        resume: go on in a folder that holds an equal benchmark.
        report: told of progress.

    Returns:
        All runs; those that failed say why.

    Raises:
        InputError: the folder holds another benchmark, or nothing can be used.
    """
    check(plan)
    claim(folder, plan, resume=resume)
    plan = read_plan(folder)
    store_test_pictures(folder, read_pairs(plan.test))
    runs = runs_of(folder, plan)
    waiting = [run for run in runs if not run.finished]
    for run in waiting:
        (run.folder / FAILURE).unlink(missing_ok=True)
    board = _Board(len(runs), len(runs) - len(waiting), report)
    workers = _Workers(folder, resume, board)
    with ThreadPoolExecutor(max(1, plan.parallel)) as pool:
        try:
            list(pool.map(workers.one, waiting))
        except BaseException:
            workers.stop()
            raise
    return runs


def store_test_pictures(folder: Path, test: Pairs) -> None:
    """Keep the test pictures as files, so that figures and pages need the benchmark's folder alone."""
    for side in ("clean", "captured"):
        (folder / "test" / side).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(pair_names(test)):
        for side, picture in zip(("clean", "captured"), test[number], strict=True):
            path = folder / "test" / side / f"{name}.png"
            if not path.is_file():
                write_picture(path, picture)


class _Board:
    """What all workers together have done, for one progress bar."""

    def __init__(self, total: int, done: int, report: Report) -> None:
        self.total = total
        self.done = done
        self.running: dict[str, tuple[str, float]] = {}
        self.report = report
        self.lock = threading.Lock()

    def tell(self, name: str, stage: str, share: float) -> None:
        with self.lock:
            self.running[name] = (stage, share)
            self._say()

    def finish(self, name: str) -> None:
        with self.lock:
            self.running.pop(name, None)
            self.done += 1
            self._say()

    def _say(self) -> None:
        parts = {"start": 0.0, "fit": 0.0, "restore": 0.7}
        lengths = {"start": 0.0, "fit": 0.7, "restore": 0.3}
        begun = sum(parts[stage] + lengths[stage] * share for stage, share in self.running.values())
        text = ", ".join(f"{name} {stage} {share:.0%}" for name, (stage, share) in self.running.items())
        self.report((self.done + begun) / max(1, self.total), text)


class _Workers:
    """Processes of methods."""

    def __init__(self, folder: Path, resume: bool, board: _Board) -> None:
        self.folder = folder
        self.resume = resume
        self.board = board
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.stopped = False

    def one(self, run: Run) -> None:
        """Start one and wait for it; what it printed goes into ``log.txt``."""
        if self.stopped:
            return
        name = f"{run.method} {run.seed}"
        run.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "metalens.restore.bench.worker", str(self.folder), run.method, str(run.seed)]
        with (run.folder / "log.txt").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command + (["--resume"] if self.resume else []),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
            self.processes[name] = process
            assert process.stdout is not None
            for line in process.stdout:
                try:
                    told = json.loads(line)
                    self.board.tell(name, told["stage"], told["share"])
                except (ValueError, KeyError, TypeError):
                    log.write(line)
            status = process.wait()
        if status and not self.stopped and run.failure() is None:
            (run.folder / FAILURE).write_text(f"its process ended with status {status}; see log.txt\n", "utf-8")
        self.board.finish(name)

    def stop(self) -> None:
        """End all processes; each keeps its checkpoint."""
        self.stopped = True
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(2)
        for process in self.processes.values():
            process.wait()
