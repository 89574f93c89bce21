"""A batch system's SIGTERM ends as Ctrl-C does, and neither ends what the other has begun to save."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

PROGRAM = """
import signal
import sys
import time
from metalens.formats.files.interruption import terminate_as_interrupt
signal.signal(signal.SIGINT, signal.{interrupts})
terminate_as_interrupt()
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("saving", flush=True)
    sys.stdin.readline()
    print("saved", flush=True)
"""


@pytest.fixture
def begun() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the program, which does on interrupts what it is told to, and waits until it has begun."""
    started = []

    def start(interrupts: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", PROGRAM.format(interrupts=interrupts)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_what_an_interrupt_saves_a_termination_saves_and_does_not_disturb(begun, first):
    process = begun("default_int_handler")
    process.send_signal(first)
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate("go on\n", timeout=30)
    assert (told, process.returncode) == ("saved\n", 0)


def test_what_is_started_in_the_background_where_interrupts_are_ignored_still_ends_on_a_termination(begun):
    process = begun("SIG_IGN")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate("go on\n", timeout=30)
    assert (told, process.returncode) == ("saving\nsaved\n", 0)
