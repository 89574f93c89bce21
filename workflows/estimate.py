"""What a run will take: size on disk, time and memory, from a short measurement of its work on this machine.

One unit of the work, such as one pair, is done twice: the first time includes what is compiled or loaded, the second is
taken for every further unit. What the dry run did before that, such as loading JAX and reading the inputs, the run does
as well. Other programs on the machine change the time; it is right within a factor of two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec

_Given = ParamSpec("_Given")


@dataclass(frozen=True)
class Estimate:
    """Cost of a run.

    Attributes:
        disk_bytes: of all files of the run, the most at one time.
        seconds: of the whole run.
        memory_bytes: largest at one time, of all processes together.
        basis: what the figures are from, as it ends a sentence: ``one pair was made in 0.21 s``.
        measuring: seconds that the measurement took; None where nothing was measured, and the start is in the seconds.
        kept_bytes: of the files that stay when it has ended; None if all do.
    """

    disk_bytes: float
    seconds: float
    memory_bytes: float
    basis: str
    measuring: float | None = None
    kept_bytes: float | None = None

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
            "kept_bytes": round(self.disk_bytes if self.kept_bytes is None else self.kept_bytes),
            "seconds": round(self.seconds, 3),
            "memory_bytes": round(self.memory_bytes),
            "basis": self.basis,
        }

    def sentence(self) -> str:
        """The estimate in words: ``about 12 MB on disk, 3 min and 1.1 GB of memory (one pair was made in 0.21 s)``."""
        stays = "" if self.kept_bytes is None else f" ({spoken_bytes(self.kept_bytes)} of it stay)"
        return (
            f"about {spoken_bytes(self.disk_bytes)} on disk{stays}, {spoken_seconds(self.seconds)} and "
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

        Returns:
            Seconds of wall-clock time.
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
