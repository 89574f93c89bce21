"""A process of the benchmark: started, followed, stopped. It tells its progress on stdout, a JSON object a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from metalens.formats.files.interruption import stop_if_interrupted

Tell = Callable[[str, float, dict[str, float]], None]
"""Called with the stage, the share of it that is done, and the latest figures."""

_KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""glibc's allocator keeps what it was given back. By default it returns blocks of more than 32 MB to the system, which
clears their pages anew each time: on a processor, features of whole pictures are such blocks. Others ignore these."""

_BETWEEN_LINES = 0.5
_SECONDS_TO_STOP = 60


def start(
    module: str, arguments: Sequence[str], log: Path, *, offline: bool = False, sharing: int = 1
) -> subprocess.Popen[str]:
    """Start ``python -m module``.

    Args:
        module: by its whole name.
        arguments: of its command line.
        log: its stderr goes to the end of this file.
        offline: whether packages may not fetch anything.
        sharing: processes that share the machine; each has its part of the cores, unless ``OMP_NUM_THREADS`` says
            otherwise: threads of several would wait for each other.
    """
    environment = _KEEP_MEMORY | os.environ | {"PYTHONUNBUFFERED": "1"} | ({"HF_HUB_OFFLINE": "1"} if offline else {})
    if sharing > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // sharing)))
    with log.open("a", encoding="utf-8") as file:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=environment,
        )


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


def interrupt(processes: Iterable[subprocess.Popen[str]]) -> None:
    """Ask processes to stop, so that they keep their checkpoints; those that do not listen are ended.

    They are told by SIGTERM: in the background SIGINT is ignored.
    """
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    until = time.monotonic() + _SECONDS_TO_STOP
    for process in running:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
