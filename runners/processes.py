"""Processes of this machine: started afresh, followed, ended with the one that started them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from metalens.formats.files.interruption import before_ending

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NPROC": "1"}
"""One thread a worker: as many workers as cores keep them busy, and more threads would wait for each other."""

_XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false"

_STARTED: list[subprocess.Popen[str]] = []


def one_thread() -> dict[str, str]:
    """Variables of the environment with which a process computes on one thread, beside those that there are."""
    flags = os.environ.get("XLA_FLAGS", "").split()
    # A flag given twice would be another set of flags: nothing that this process compiled would be used again.
    return ONE_THREAD | {"XLA_FLAGS": " ".join(flags if _XLA_FLAGS in flags else [*flags, _XLA_FLAGS])}


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MODULES_BYTES = 3e8
"""Memory of a process that has loaded JAX or PyTorch, for systems that do not tell."""


def peak_memory() -> float:
    """Bytes of this process at its largest so far; :data:`MODULES_BYTES` on systems that do not tell."""
    try:
        import resource
    except ImportError:
        return MODULES_BYTES
    # Linux counts in KiB, macOS in bytes.
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 2**10)


def processor_name() -> str:
    """Name of the processor, if the system provides it, and the number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def start_python(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: int | None = None, stderr: IO[str] | None = None
) -> subprocess.Popen[str]:
    """Start Python, with its stdout in a pipe; it inherits nothing but the environment.

    An interrupt from the keyboard is for this process alone, which ends the others.

    Args:
        arguments: of Python.
        environment: beside the variables that there are.
        stdin: of ``subprocess``.
        stderr: a file; by default this process's.

    Returns:
        The process, started in a session of its own; its stdout is a text pipe in UTF-8.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        env=os.environ | environment,
        start_new_session=True,
    )
    _STARTED.append(process)
    return process


def end(processes: Iterable[subprocess.Popen[str]], *, seconds: float = 0.0) -> None:
    """End processes and close their pipes.

    Args:
        processes: those that have ended already are only closed.
        seconds: that they have, together, to keep their checkpoints after SIGTERM; then they are killed.
    """
    given = list(processes)
    running = [process for process in given if process.poll() is None]
    if seconds:
        for process in running:
            process.terminate()
        until = time.monotonic() + seconds
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
    for process in running:
        process.kill()
    for process in given:
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.close()
        if process in _STARTED:
            _STARTED.remove(process)


def _terminate_all() -> None:
    for process in _STARTED:
        process.terminate()


before_ending(_terminate_all)
