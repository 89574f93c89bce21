"""Silence for libraries that print about damaged files themselves, beside the error that they raise."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """What is written to stdout and stderr goes nowhere while the block runs.

    A command's stdout holds one JSON object and nothing else, so that what a library writes there is no nuisance
    but a fault. It is for the whole process: keep the block short.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    kept: dict[int, int] = {}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            try:
                kept[number] = os.dup(number)
            except OSError:  # closed by whoever started this process
                continue
            os.dup2(nowhere, number)
        # Some print by Python's own streams.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
