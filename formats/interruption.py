"""Ended as Ctrl-C ends it: what cleans up and keeps checkpoints on the one does so on the other."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn


def terminate_as_interrupt() -> None:
    """Let SIGTERM, by which batch systems end their jobs, raise ``KeyboardInterrupt`` in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    # A second one while the first is dealt with would leave half of that.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
