"""A benchmark's job, with the floor of what must be computed and a peer that does the same; medians over turns."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Task = Callable[[], object]

LEAST_TURN = 0.25
"""Seconds for which a short task is repeated in its turn."""


@dataclass(frozen=True)
class Beside:
    """What a job is measured against, in the same turns.

    Attributes:
        what: it is, in a few words.
        build: makes the task.
        package: that it needs; without it, the job is measured alone.
    """

    what: str
    build: Callable[[], Task]
    package: str | None = None


@dataclass(frozen=True)
class Job:
    """One row of the table.

    Attributes:
        build: makes the task; what it does is not timed.
        floor: the part that any way to do this has to compute.
        peer: another package that does the same.
        count: of what the figures are for each, in one call of the task.
        warm: whether the task runs once before it is timed, so that compilation is not counted.
    """

    build: Callable[[], Task]
    floor: Beside | None = None
    peer: Beside | None = None
    count: int = 1
    warm: bool = True


@dataclass(frozen=True)
class Turn:
    """Seconds of a call in one turn: wall-clock time, and processor time of all threads and child processes."""

    wall: float
    processor: float


def processor_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measured(job: Job, rounds: int) -> dict[str, Any]:
    """Measure a job beside its floor and its peer, all in turn.

    Args:
        job: what to measure.
        rounds: turns of each; the medians count.

    Returns:
        ``wall_s``, ``processor_s`` and ``memory_mb`` of the job; for ``floor`` and ``peer``, ``what`` they are, their
        ``processor_s``, and the median ``ratio`` of processor times: job to floor, and peer to job.
    """
    task = job.build()
    if job.warm:
        _wait(task())
    tasks, memory = {"job": task}, _peak_megabytes()
    for name, beside in (("floor", job.floor), ("peer", job.peer)):
        if beside is not None and (beside.package is None or _is_installed(beside.package)):
            tasks[name] = beside.build()
            _wait(tasks[name]())
    turns: dict[str, list[Turn]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, each in tasks.items():
            turns[name].append(_turn(each, job.count))
    found: dict[str, Any] = {
        **{f"{key}_s": statistics.median(asdict(turn)[key] for turn in turns["job"]) for key in ("wall", "processor")},
        "memory_mb": max(memory, _peak_megabytes() if len(tasks) == 1 else 0.0),
    }
    for name, beside in (("floor", job.floor), ("peer", job.peer)):
        if beside is None or name not in turns:
            continue
        own, others = ([turn.processor for turn in turns[key]] for key in ("job", name))
        above, below = (own, others) if name == "floor" else (others, own)
        found[name] = {
            "what": beside.what,
            "processor_s": statistics.median(others),
            "ratio": statistics.median(high / low for high, low in zip(above, below, strict=True)),
        }
    return found


def _turn(task: Task, count: int) -> Turn:
    started, used = time.perf_counter(), processor_seconds()
    calls = 0
    while calls == 0 or time.perf_counter() - started < LEAST_TURN:
        _wait(task())
        calls += count
    return Turn((time.perf_counter() - started) / calls, (processor_seconds() - used) / calls)


def _wait(result: object) -> None:
    """JAX returns before it has computed."""
    if "jax" in sys.modules:
        import jax

        jax.block_until_ready(result)


def _peak_megabytes() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return (
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit / 1e6
    )


def _is_installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None
