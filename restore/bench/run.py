"""A benchmark as a whole: the test pictures, one process for each method and seed, then the judge."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.bench.folder import FAILURE, LOG, Run, runs_of
from metalens.restore.bench.inputs import check_inputs
from metalens.restore.bench.judged_sets import read_test_sets, store_test_pictures
from metalens.restore.bench.plan import BenchPlan, read_plan
from metalens.restore.bench.process import follow, interrupt, start

Report = Callable[[float, str], None]
"""Called with the share of the work that is done, and what is going on."""

WORKER, JUDGE = "metalens.restore.bench.worker", "metalens.restore.bench.judge"


def prepare(folder: Path, plan: BenchPlan) -> None:
    """Keep what figures and pages are made of in the folder, so that they can be made anywhere.

    Raises:
        InputError: the files cannot be used; see :func:`metalens.restore.bench.inputs.check_inputs`.
    """
    check_inputs(psf=plan.psf, pairs=plan.pairs, test=plan.test, crop=plan.crop)
    if not (folder / "psf.h5").is_file():
        with atomic_file(folder / "psf.h5") as part:
            shutil.copyfile(plan.psf, part)
    store_test_pictures(folder, read_test_sets(plan.test))
    if plan.chart is not None:
        _store_chart(folder, read_pairs(plan.chart))


def restore_with_all(folder: Path, *, resume: bool, report: Report = lambda share, text: None) -> list[Run]:
    """Fit and restore with every method that has not done so yet.

    Args:
        folder: of a benchmark with a plan.
        resume: take up checkpoints.
        report: told of progress.

    Returns:
        All runs; those that failed say why.

    Raises:
        InputError: nothing can be used.
    """
    plan = read_plan(folder)
    runs = runs_of(folder, plan)
    waiting = [run for run in runs if not run.finished]
    if waiting:
        prepare(folder, plan)
    for run in waiting:
        (run.folder / FAILURE).unlink(missing_ok=True)
    board = _Board(len(runs), len(runs) - len(waiting), report)
    workers = _Workers(folder, resume, plan.parallel, board)
    with ThreadPoolExecutor(max(1, plan.parallel)) as pool:
        try:
            list(pool.map(workers.one, waiting))
        except BaseException:
            workers.stop()
            raise
    return runs


def judge_all(folder: Path, device: str, report: Report = lambda share, text: None) -> None:
    """Compute the figures of all that was restored, in as many processes as the plan has at a time.

    Raises:
        InputError: one of them failed; what the others computed is kept.
    """
    parts = read_plan(folder).parallel
    # Weights that are not on this machine are named, not fetched.
    logs = [folder / (LOG if part == 0 else f"log-{part}.txt") for part in range(parts)]
    processes = [
        start(JUDGE, [str(folder), device, str(part), str(parts)], log, offline=True, sharing=parts)
        for part, log in enumerate(logs)
    ]
    shares = [0.0] * parts

    def one(part: int) -> int:
        def tell(stage: str, share: float, figures: dict[str, float]) -> None:
            del figures
            shares[part] = share
            report(sum(shares) / parts, stage)

        return follow(processes[part], logs[part], tell)

    with ThreadPoolExecutor(parts) as pool:
        try:
            statuses = list(pool.map(one, range(parts)))
        except BaseException:
            interrupt(processes)
            raise
    for status, log in zip(statuses, logs, strict=True):
        if status:
            last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise InputError(f"the figures could not be computed: {''.join(last)} ({log} tells more)")


def _store_chart(folder: Path, pairs: Pairs) -> None:
    (folder / "test" / "chart").mkdir(parents=True, exist_ok=True)
    for side, picture in zip(("clean", "captured"), pairs[0], strict=True):
        path = folder / "test" / "chart" / f"{side}.png"
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

    def __init__(self, folder: Path, resume: bool, parallel: int, board: _Board) -> None:
        self.folder = folder
        self.resume = resume
        self.parallel = parallel
        self.board = board
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.stopped = False

    def one(self, run: Run) -> None:
        """Start one and wait for it; what it printed goes into ``log.txt``."""
        if self.stopped:
            return
        name = f"{run.method} {run.seed}"
        run.folder.mkdir(parents=True, exist_ok=True)
        log = run.folder / LOG
        arguments = [str(self.folder), run.method, str(run.seed), *(["--resume"] if self.resume else [])]
        process = self.processes[name] = start(WORKER, arguments, log, sharing=self.parallel)
        status = follow(process, log, lambda stage, share, figures: self.board.tell(name, stage, share))
        if status and not self.stopped and run.failure() is None:
            (run.folder / FAILURE).write_text(f"{_ending(status)}; see {log}\n", "utf-8")
        self.board.finish(name)

    def stop(self) -> None:
        """End all processes; each keeps its checkpoint."""
        self.stopped = True
        interrupt(self.processes.values())


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "its process was killed, as systems do where memory ends: lower --batch, --crop or --parallel"
    return f"its process ended with status {status}"
