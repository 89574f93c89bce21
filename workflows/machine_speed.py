"""How fast this machine is, for estimates of runs that are too large to begin.

Times of ``metalens compare`` and ``metalens bench`` are constants, measured on one machine. A fixed job, done here and
there, tells by how much they are scaled: Fourier transforms, of which simulation and blur are made.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
from scipy import fft

JOB_SECONDS = 0.030
"""Seconds of the job on one core of an Intel Xeon with AMX, the shortest of many, on which the constants hold:
`compare` took 1 / 0.84 of what they say (docs/performance.md).
"""

ROUNDS = 3


def _job() -> None:
    picture = np.ones((3, 512, 512), np.float32)
    for _ in range(4):
        # By one thread: those of products of matrices would wait for other programs.
        fft.irfft2(fft.rfft2(picture, workers=1), picture.shape[-2:], workers=1)


@cache
def relative_time() -> float:
    """Seconds of a fixed job here, the shortest of three, over those on the machine of the constants."""
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        _job()
        seconds.append(time.perf_counter() - begun)
    return min(seconds) / JOB_SECONDS


def pace_told() -> str:
    """The speed of this machine, as the basis of an estimate tells it."""
    return f"times of another machine; Fourier transforms take {relative_time():.2g} times as long here"
