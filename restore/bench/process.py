"""Run programs of the benchmark in parallel. Each reports its progress on stdout, one JSON object per line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from metalens.formats.files.interruption import stop_if_interrupted
from metalens.runners.processes import end, start_python

Tell = Callable[[str, float, dict[str, float]], None]
"""Progress callback: stage, fraction done in 0..1, latest figures."""

_KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""Settings of glibc's allocator: keep freed memory. By default it returns blocks above 32 MB to the system, which
zeroes their pages again at every allocation; on the CPU, features of whole pictures are such blocks. Other allocators
ignore these settings.
"""

_BETWEEN_LINES = 0.5
_SECONDS_TO_STOP = 60


@dataclass(frozen=True)
class Program:
    """A module that is run with ``python -m``, with its log in a file.

    Attributes:
        module: full name of the module.
        arguments: command-line arguments.
        log: file of its output, without the progress lines.
        offline: forbid packages to download anything.
    """

    module: str
    arguments: Sequence[str]
    log: Path
    offline: bool = False


def run_programs(
    programs: Sequence[Program], parallel: int, tell: Callable[[int, str, float], None]
) -> Generator[tuple[int, int], None, None]:
    """Run programs in parallel; closing the generator interrupts the running ones, which save their state.

    Args:
        programs: in the order of their start.
        parallel: number of simultaneous programs.
        tell: progress callback, called from threads: index of the program, stage, fraction done.

    Returns:
        Yields index and exit status of each program as it ends.
    """
    running: list[subprocess.Popen[str]] = []
    ended: SimpleQueue[tuple[int, int]] = SimpleQueue()
    waiting = list(enumerate(programs))[::-1]

    def begin() -> None:
        place, program = waiting.pop()
        process = start(program, sharing=parallel)
        running.append(process)

        def watch() -> None:
            ended.put((place, follow(process, program.log, lambda stage, share, figures: tell(place, stage, share))))

        threading.Thread(target=watch, daemon=True).start()

    try:
        for _ in range(min(max(1, parallel), len(programs))):
            begin()
        for _ in programs:
            yield ended.get()
            if waiting:
                begin()
    finally:
        end(running, seconds=_SECONDS_TO_STOP)


def start(program: Program, *, sharing: int = 1) -> subprocess.Popen[str]:
    """Start a program.

    Args:
        program: what to run.
        sharing: number of processes that share the machine. Each gets its part of the cores, since oversubscribed
            threads would wait for each other. ``OMP_NUM_THREADS`` overrides this.

    Returns:
        The running process.
    """
    environment = {name: os.environ.get(name, value) for name, value in _KEEP_MEMORY.items()} | {
        "PYTHONUNBUFFERED": "1"
    }
    if program.offline:
        environment["HF_HUB_OFFLINE"] = "1"
    if sharing > 1 and "OMP_NUM_THREADS" not in os.environ:
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // sharing))
    with program.log.open("a", encoding="utf-8") as file:
        return start_python(["-m", program.module, *program.arguments], environment, stderr=file)


def follow(process: subprocess.Popen[str], log: Path, tell: Tell) -> int:
    """Forward the progress of a process until it ends; its other output goes to the log.

    Args:
        process: a running program of the benchmark.
        log: file for its other output.
        tell: progress callback.

    Returns:
        The exit status.
    """
    assert process.stdout is not None
    with log.open("a", encoding="utf-8") as file, process.stdout as lines:
        for line in lines:
            try:
                told = json.loads(line)
                tell(str(told["stage"]), float(told["share"]), dict(told["figures"]))
            except (ValueError, KeyError, TypeError):
                file.write(line)
    return process.wait()


def teller() -> Tell:
    """Progress callback of the child process: writes to stdout, at most twice a second for each stage."""
    last: dict[str, float] = {}

    def tell(stage: str, share: float, figures: dict[str, float]) -> None:
        stop_if_interrupted()
        now = time.monotonic()
        if share < 1 and now - last.get(stage, -1.0) < _BETWEEN_LINES:
            return
        last[stage] = now
        print(json.dumps({"stage": stage, "share": share, "figures": figures}), flush=True)

    return tell


def ending_sentence(status: int) -> str:
    """How a process ended that said nothing itself, by its exit status."""
    if status == -signal.SIGKILL:
        return "its process was killed, as systems do where memory ends: lower --batch, --crop or --parallel"
    return f"its process ended with status {status}"
