"""A batch system's SIGTERM ends as Ctrl-C does."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import time
from metalens.formats.interruption import terminate_as_interrupt
terminate_as_interrupt()
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("kept what there was", flush=True)
"""


def test_what_is_done_on_an_interrupt_is_done_on_a_termination_too():
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=30)
    assert (told, process.returncode) == ("kept what there was\n", 0)
