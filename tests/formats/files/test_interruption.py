"""A batch system's SIGTERM ends as Ctrl-C does, and neither ends what the other has begun to save."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from metalens.formats.files.interruption import SAME_SIGNAL, between_steps, is_interrupted, stop_if_interrupted

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

HEAD = """
import ctypes, signal, sys, time
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.interruption import *
signal.signal(signal.SIGINT, signal.{interrupts})
terminate_as_interrupt()
"""

WRITING = (
    HEAD
    + """
with atomic_file({place!r}) as part:
    part.write_text("half")
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("saving", flush=True)
        time.sleep(60)
"""
)

HOLDING = (
    HEAD
    + """
from pathlib import Path
from metalens.formats.files.claim import held
with held(Path({place!r}), Path("out")):
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("saving", flush=True)
        time.sleep(60)
"""
)

DROPPING = (
    HEAD
    + """
def callback():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("dropped", flush=True)

sys.unraisablehook = lambda raised: None
ctypes.CFUNCTYPE(None)(callback)()
try:
    while True:
        stop_if_interrupted()
        time.sleep(0.01)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
)

STEPS = (
    HEAD
    + """
try:
    with between_steps():
        while True:
            stop_if_interrupted()
            print("begun", flush=True)
            sys.stdin.readline()
            print("step", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
)


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program, which does on interrupts what it is told to, and waits until it has begun."""
    started = []

    def start(interrupts: str, program: str = PROGRAM, **more: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", program.format(interrupts=interrupts, **more)]
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


@pytest.mark.parametrize(("program", "name", "suffix"), [(WRITING, "out", ".part"), (HOLDING, "out.lock", ".lock")])
def test_a_second_signal_ends_at_once_and_removes_what_is_half_written(begun, tmp_path, program, name, suffix):
    process = begun("default_int_handler", program, place=str(tmp_path / name))
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "saving\n"
    assert [path.suffix for path in tmp_path.iterdir()] == [suffix]
    time.sleep(SAME_SIGNAL + 0.2)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_a_callback_drops_stops_the_next_step(begun):
    process = begun("default_int_handler", DROPPING)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=30)
    assert (told, process.returncode) == ("dropped\nstopped\n", 0)


@pytest.mark.parametrize("interrupts", ["default_int_handler", "SIG_IGN"])
def test_a_step_is_whole_where_signals_are_held_back(begun, interrupts):
    process = begun(interrupts, STEPS)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    told, _ = process.communicate("go on\n", timeout=30)
    assert (told, process.returncode) == ("step\nstopped\n", 0)


def test_in_python_alone_a_step_is_whole_too_and_interrupts_are_pythons_own_again():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = []

    def work():
        with between_steps():
            while True:
                stop_if_interrupted()
                signal.raise_signal(signal.SIGINT)
                done.append("step")

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["step"]
    assert not is_interrupted()
