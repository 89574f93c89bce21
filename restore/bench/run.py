"""The whole benchmark: test pictures, one process for each method and seed, then the metrics."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from metalens.formats.files.atomic import atomic_file, write_text
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.bench.folder import FAILURE, LOG, Run, runs_of
from metalens.restore.bench.inputs import check_inputs
from metalens.restore.bench.judged_sets import read_test_sets, store_test_pictures
from metalens.restore.bench.plan import BenchPlan, read_plan
from metalens.restore.bench.process import Program, ending_sentence, run_programs

Report = Callable[[float, str], None]
"""Progress callback: fraction done in 0..1, and a description of the current work."""

WORKER, JUDGE = "metalens.restore.bench.worker", "metalens.restore.bench.judge"


def prepare(folder: Path, plan: BenchPlan) -> None:
    """Copy the inputs of metrics and pages to the folder, so that they can be computed on any machine.

    Args:
        folder: folder of the benchmark.
        plan: its configuration.

    Raises:
        InputError: the files do not fit together; see :func:`metalens.restore.bench.inputs.check_inputs`.
    """
    check_inputs(psf=plan.psf, pairs=plan.pairs, test=plan.test, crop=plan.crop)
    if not (folder / "psf.h5").is_file():
        with atomic_file(folder / "psf.h5") as part:
            shutil.copyfile(plan.psf, part)
    store_test_pictures(folder, read_test_sets(plan.test))
    if plan.chart is not None:
        _store_chart(folder, read_pairs(plan.chart))


def restore_with_all(folder: Path, *, resume: bool, report: Report = lambda share, text: None) -> list[Run]:
    """Fit and restore with every method that is not finished yet.

    Args:
        folder: folder of the benchmark; it holds a plan.
        resume: continue from checkpoints.
        report: progress callback.

    Returns:
        All runs; failed ones record their reason.

    Raises:
        InputError: the inputs cannot be used.
    """
    plan = read_plan(folder)
    runs = runs_of(folder, plan)
    waiting = [run for run in runs if not run.finished]
    if waiting:
        prepare(folder, plan)
    for run in waiting:
        (run.folder / FAILURE).unlink(missing_ok=True)
    board = _Board(len(runs), len(runs) - len(waiting), report)
    names = [f"{run.method} {run.seed}" for run in waiting]
    programs = [_program(folder, run, resume) for run in waiting]
    ending = run_programs(programs, plan.parallel, lambda place, stage, share: board.tell(names[place], stage, share))
    with closing(ending):
        for place, status in ending:
            run = waiting[place]
            if status and run.failure() is None:
                write_text(run.folder / FAILURE, f"{ending_sentence(status)}; see {run.folder / LOG}\n")
            board.finish(names[place])
    return runs


def judge_all(folder: Path, device: str, report: Report = lambda share, text: None) -> None:
    """Compute the metrics of all restored pictures, in as many processes as the plan allows.

    Args:
        folder: folder of the benchmark.
        device: device name of torch.
        report: progress callback.

    Raises:
        InputError: a process failed; the results of the others are kept.
    """
    parts = read_plan(folder).parallel
    # Weights missing on this machine are reported, never downloaded.
    logs = [folder / (LOG if part == 0 else f"log-{part}.txt") for part in range(parts)]
    programs = [
        Program(JUDGE, [str(folder), device, str(part), str(parts)], log, offline=True) for part, log in enumerate(logs)
    ]
    shares = [0.0] * parts

    def tell(part: int, stage: str, share: float) -> None:
        shares[part] = share
        report(sum(shares) / parts, stage)

    with closing(run_programs(programs, parts, tell)) as ending:
        statuses = dict(ending)
    for part, log in enumerate(logs):
        if statuses[part]:
            last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise InputError(f"the figures could not be computed: {''.join(last)} ({log} tells more)")


def _program(folder: Path, run: Run, resume: bool) -> Program:
    run.folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(folder), run.method, str(run.seed), *(["--resume"] if resume else [])]
    return Program(WORKER, arguments, run.folder / LOG)


def _store_chart(folder: Path, pairs: Pairs) -> None:
    (folder / "test" / "chart").mkdir(parents=True, exist_ok=True)
    for side, picture in zip(("clean", "captured"), pairs[0], strict=True):
        path = folder / "test" / "chart" / f"{side}.png"
        if not path.is_file():
            write_picture(path, picture)


class _Board:
    """Progress of all workers together, for one progress bar."""

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
