"""Layout of a benchmark's folder.

    plan.json                       configuration
    psf.h5
    test/clean/NAME.png             test pictures
    test/captured/NAME.png
    test/sets.json                  picture → set of pairs
    test/chart/clean.png            edge chart and its capture
    test/chart/captured.png
    test/scores.json                metrics of the captures
    methods/METHOD/seed-0/          one run: checkpoint or adapter during training
        result.json                 cost; written last, so it marks a finished run
        restored/VARIANT/NAME.png   restored pictures
        chart/VARIANT.png           restored edge chart
        failure.txt                 reason of a failure
        scores.json                 metrics of the restored pictures
    table.md, table.csv, bench.json, bench.html

Metrics and page need this folder only: they can be computed on another machine than the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalens.formats.files import json_file
from metalens.restore.bench.plan import BenchPlan

RESULT = "result.json"
FAILURE = "failure.txt"
LOG = "log.txt"
SCORES = "scores.json"

ONLY = "one"
"""Folder name for a method with a single variant."""


@dataclass(frozen=True)
class Run:
    """One method with one seed."""

    folder: Path
    method: str
    seed: int

    @property
    def finished(self) -> bool:
        """Whether the run is complete."""
        return (self.folder / RESULT).is_file()

    def pictures(self, variant: str) -> Path:
        """Folder of a variant's pictures."""
        return self.folder / "restored" / (variant.replace(", ", "-").replace(" ", "").replace("α=", "alpha") or ONLY)

    def chart(self, variant: str) -> Path:
        """File of a variant's restored chart."""
        return self.folder / "chart" / f"{self.pictures(variant).name}.png"

    def result(self) -> dict[str, Any]:
        """Read the cost of the run.

        Raises:
            InputError: the file is damaged.
        """
        return read_json(self.folder / RESULT)

    def failure(self) -> str | None:
        """The reason of its failure, or ``None``."""
        path = self.folder / FAILURE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def runs_of(folder: Path, plan: BenchPlan) -> list[Run]:
    """All runs of a benchmark, ordered by method, then seed.

    Args:
        folder: folder of the benchmark.
        plan: its configuration.

    Returns:
        One run for each method and seed.
    """
    return [run_of(folder, method, seed) for method in plan.methods for seed in plan.seeds]


def run_of(folder: Path, method: str, seed: int) -> Run:
    """The run of a method and a seed.

    Args:
        folder: folder of the benchmark.
        method: name of the method.
        seed: training seed.

    Returns:
        The run, which need not exist yet.
    """
    return Run(folder / "methods" / method / f"seed-{seed}", method, seed)


def judged_pictures(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, clean and captured file of each test pair, in order."""
    for path in sorted((folder / "test" / "clean").glob("*.png")):
        yield path.stem, path, folder / "test" / "captured" / path.name


def chart_pictures(folder: Path) -> tuple[Path, Path] | None:
    """Clean and captured file of the edge chart, if the benchmark has one."""
    clean, captured = (folder / "test" / "chart" / f"{side}.png" for side in ("clean", "captured"))
    return (clean, captured) if clean.is_file() and captured.is_file() else None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a benchmark.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    found: dict[str, Any] = json_file.read_json(path, "file of a benchmark", "remove it and go on with --resume")
    return found
