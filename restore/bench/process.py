"""Programs of the benchmark: run so many at a time. Each tells its progress on stdout, a JSON object a line."""

from __future__ import annotations

import json
import os
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
"""Called with the stage, the share of it that is done, and the latest figures."""

_KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""glibc's allocator keeps what it was given back. By default it returns blocks of more than 32 MB to the system, which
clears their pages anew each time: on a processor, features of whole pictures are such blocks. Others ignore these."""

_BETWEEN_LINES = 0.5
_SECONDS_TO_STOP = 60


@dataclass(frozen=True)
class Program:
    """A module that is run with ``python -m``, and the end of whose log is a file.

    Attributes:
        module: by its whole name.
        arguments: of its command line.
        log: what it prints that is no progress.
        offline: whether packages may not fetch anything.
    """

    module: str
    arguments: Sequence[str]
    log: Path
    offline: bool = False


def run_programs(
    programs: Sequence[Program], parallel: int, tell: Callable[[int, str, float], None]
) -> Generator[tuple[int, int], None, None]:
    """Run programs, so many at a time; when the generator is closed, those that run are told to keep what they have.

    Args:
        programs: in the order in which they are begun.
        parallel: how many at a time.
        tell: is told the place of a program, its stage and its share, by threads.

    Returns:
        Place and exit status of each, as they end.
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
        sharing: processes that share the machine; each has its part of the cores, unless ``OMP_NUM_THREADS`` says
            otherwise: threads of several would wait for each other.
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
    """Pass on what a process tells until it ends; what else it prints goes to the file.

    Returns:
        Its exit status.
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
    """The other end: tells on stdout, not more than twice a second and stage."""
    last: dict[str, float] = {}

    def tell(stage: str, share: float, figures: dict[str, float]) -> None:
        stop_if_interrupted()
        now = time.monotonic()
        if share < 1 and now - last.get(stage, -1.0) < _BETWEEN_LINES:
            return
        last[stage] = now
        print(json.dumps({"stage": stage, "share": share, "figures": figures}), flush=True)

    return tell
