"""A batch system's SIGTERM ends as Ctrl-C does, and neither ends what the other has begun to save."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import time
from metalens.formats.interruption import terminate_as_interrupt
terminate_as_interrupt()
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("saving", flush=True)
    sys.stdin.readline()
    print("saved", flush=True)
"""


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_what_an_interrupt_saves_a_termination_saves_and_does_not_disturb(first):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(first)
    assert process.stdout.readline() == "saving\n"
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate("go on\n", timeout=30)
    assert (told, process.returncode) == ("saved\n", 0)


def test_what_is_started_in_the_background_where_interrupts_are_ignored_still_ends_on_a_termination():
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + PROGRAM
    process = subprocess.Popen([sys.executable, "-c", ignoring], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate("go on\n", timeout=30)
    assert (told, process.returncode) == ("saving\nsaved\n", 0)
