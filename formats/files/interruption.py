"""Being ended by SIGTERM, as batch systems do it, is like Ctrl-C: what keeps checkpoints on the one does so on both."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


def terminate_as_interrupt() -> None:
    """Let SIGTERM raise ``KeyboardInterrupt`` in the main thread as Ctrl-C does, and the first of both once only.

    Whoever presses Ctrl-C interrupts all processes of a terminal, and those that started others end these as well: the
    second signal must not end what the first has begun to save. A second Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    raise KeyboardInterrupt
