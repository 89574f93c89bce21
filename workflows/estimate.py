"""What a run will take: size on disk, time and memory, from a short measurement of its work on this machine.

One unit of the work, such as one pair, is done twice: the first time includes what is compiled or loaded, the second is
taken for every further unit. What the dry run did before that, such as loading JAX and reading the inputs, the run does
as well. Other programs on the machine change the time; it is right within a factor of two.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec

_Given = ParamSpec("_Given")

MODULES_BYTES = 3e8
"""Memory of a process that has loaded JAX or PyTorch, where nothing was measured."""


@dataclass(frozen=True)
class Estimate:
    """Cost of a run.

    Attributes:
        disk_bytes: of all outputs.
        seconds: of the whole run.
        memory_bytes: largest at one time, of all processes together.
        basis: what the figures are from, as it ends a sentence: ``one pair was made in 0.21 s``.
        measuring: seconds that the measurement took; None where nothing was measured, and the start is in the seconds.
    """

    disk_bytes: float
    seconds: float
    memory_bytes: float
    basis: str
    measuring: float | None = None

    def begun(self, elapsed: float) -> Estimate:
        """The same with the start of the run: what the dry run did but measure.

        Args:
            elapsed: seconds since the dry run began.
        """
        if self.measuring is None:
            return self
        return replace(self, seconds=self.seconds + max(0.0, elapsed - self.measuring), measuring=None)

    def told(self) -> dict[str, float | str]:
        """Figures for JSON."""
        return {
            "disk_bytes": round(self.disk_bytes),
            "seconds": round(self.seconds, 3),
            "memory_bytes": round(self.memory_bytes),
            "basis": self.basis,
        }

    def sentence(self) -> str:
        """For people: ``about 12 MB on disk, 3 min and 1.1 GB of memory (one pair was made in 0.21 s)``."""
        return (
            f"about {spoken_bytes(self.disk_bytes)} on disk, {spoken_seconds(self.seconds)} and "
            f"{spoken_bytes(self.memory_bytes)} of memory ({self.basis})"
        )


@dataclass(frozen=True)
class Timing:
    """Seconds of the first unit of a work, and of each further one."""

    first: float
    further: float

    def of(self, units: float, workers: int = 1) -> float:
        """Seconds of so many units; each process compiles or loads for itself.

        Args:
            units: how many, 0 or more.
            workers: processes that share them.
        """
        return 0.0 if units <= 0 else self.first + max(0.0, units / max(workers, 1) - 1) * self.further


def measured(estimate: Callable[_Given, Estimate]) -> Callable[_Given, Estimate]:
    """Note how long a function that measures takes."""

    @wraps(estimate)
    def timed(*given: _Given.args, **named: _Given.kwargs) -> Estimate:
        begun = time.perf_counter()
        found = estimate(*given, **named)
        return replace(found, measuring=time.perf_counter() - begun)

    return timed


def timing(unit: Callable[[], object]) -> Timing:
    """Do one unit of a work twice."""
    begun = time.perf_counter()
    unit()
    between = time.perf_counter()
    unit()
    return Timing(between - begun, time.perf_counter() - between)


def peak_memory() -> float:
    """Bytes of this process at its largest so far; :data:`MODULES_BYTES` on systems that do not tell."""
    try:
        import resource
    except ImportError:
        return MODULES_BYTES
    # Linux counts in KiB, macOS in bytes.
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 2**10)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def spoken_bytes(size: float) -> str:
    """``12 MB``: two digits and a unit."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if size >= 9.95 or unit == "B" else f"{size:.1f} {unit}"


def spoken_seconds(seconds: float) -> str:
    """``3 min``: seconds below two minutes, minutes below two hours, else hours."""
    for most, divisor, unit in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{max(seconds / divisor, 1):.0f} {unit}"
    return f"{seconds / 3600:.1f} h"
