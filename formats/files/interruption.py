"""Ctrl-C, and SIGTERM from batch systems: a resumable computation stops between two steps and keeps a checkpoint.

A signal is an exception in the middle of whatever runs. Libraries that call back into Python may drop it there, and in
the middle of a step it would leave half of a state. So it is remembered as well: loops hold it back and ask for it
between their steps, and so do progress bars.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from metalens.formats.files.atomic import remove_unfinished

STATUS = 130
"""Exit status of an interrupted process, by the convention of shells."""

SAME_SIGNAL = 1.0
"""Seconds. Whoever presses Ctrl-C interrupts all processes of a terminal, and those that started others pass it on:
what follows so soon is the same signal."""

_ENDING: list[Callable[[], None]] = [remove_unfinished]


class _State:
    """State of this process: whether it is ours, when the first signal came, and how many blocks hold it back."""

    ours = False
    first: float | None = None
    holding = 0


def terminate_as_interrupt() -> None:
    """Let SIGTERM raise ``KeyboardInterrupt`` in the main thread as Ctrl-C does; the second signal ends at once."""
    _State.ours = True
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, _interrupt)


def is_own_process() -> bool:
    """Whether a command or a service of this package runs here, so that nobody else uses the imported packages."""
    return _State.ours


def before_ending(end: Callable[[], None]) -> None:
    """Register a function, such as ending other processes, for a second signal, which ends this process at once."""
    _ENDING.append(end)


def is_interrupted() -> bool:
    """Whether a signal has arrived, even if its exception was lost."""
    return _State.first is not None


def stop_if_interrupted() -> None:
    """Stop if a signal has arrived; called in the main thread, between two steps of a long computation.

    Raises:
        KeyboardInterrupt: a signal has come.
    """
    if is_interrupted() and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt


@contextmanager
def between_steps() -> Iterator[None]:
    """Let a signal stop the block only where it calls :func:`stop_if_interrupted`."""
    given = signal.getsignal(signal.SIGINT)
    # In Python, without the command line, Ctrl-C is Python's own.
    ours = given is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, _interrupt)
    _State.holding += 1
    try:
        yield
    finally:
        _State.holding -= 1
        if ours:
            signal.signal(signal.SIGINT, given)
            _State.first = None


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    if _State.first is None:
        _State.first = time.monotonic()
        if not _State.holding:
            raise KeyboardInterrupt
    elif time.monotonic() - _State.first > SAME_SIGNAL:
        for end in _ENDING:
            with suppress(Exception):
                end()
        os._exit(STATUS)
