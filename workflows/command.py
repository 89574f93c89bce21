"""Run a command of metalens as a stage of a workflow: in a process of its own, with time and memory measured."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import before_ending, stop_if_interrupted


def run_command(name: str, arguments: Sequence[str], say: Callable[[str], None]) -> dict[str, float | str]:
    """Run one command in a process of its own and measure it.

    Args:
        name: name of the stage.
        arguments: command line after ``metalens``.
        say: called with the command before it runs.

    Returns:
        ``name``, ``command``, ``seconds`` and ``peak_memory_mb`` (largest resident set of the process).

    Raises:
        InputError: the command ended with another status than 0.
        KeyboardInterrupt: a signal asked this process to end; the command was told to end, too.
    """
    command = shlex.join(["metalens", *arguments])
    say(f"$ {command}")
    start = time.monotonic()
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "metalens.cli", *arguments],
        os.environ,
        # The commands' own results go to stderr: stdout is the demo's.
        file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)],
    )
    before_ending(partial(_tell_to_end, process))
    try:
        _, status, usage = os.wait4(process, 0)
    except KeyboardInterrupt:
        # The command saves its state for --resume; Ctrl-C in a terminal has reached it already.
        _tell_to_end(process)
        os.waitpid(process, 0)
        raise
    stop_if_interrupted()
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise InputError(f"metalens {name} ended with status {code}; its message stands above.")
    # Linux counts the largest resident set in KiB, macOS in bytes.
    unit = 2**10 if sys.platform == "darwin" else 1
    return {
        "name": name,
        "command": command,
        "seconds": round(time.monotonic() - start, 2),
        "peak_memory_mb": round(usage.ru_maxrss / unit / 2**10, 1),
    }


def _tell_to_end(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
