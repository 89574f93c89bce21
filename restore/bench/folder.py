"""Where in a benchmark's folder everything lies.

    plan.json                       what is compared
    psf.h5
    test/clean/NAME.png             the pictures that methods are judged on
    test/captured/NAME.png
    test/sets.json                  which set each is of
    test/chart/clean.png            a chart of edges, and how the camera sees it
    test/chart/captured.png
    test/scores.json                figures of the captures themselves
    methods/METHOD/seed-0/          one run: checkpoint or adapter while it trains
        result.json                 what it cost; written last, so that a run with it is finished
        restored/VARIANT/NAME.png   what it made
        chart/VARIANT.png           and what of the chart
        failure.txt                 why it did not finish
        scores.json                 figures of its pictures
    table.md, table.csv, bench.json, bench.html

Figures and page need nothing from elsewhere: they can be made on another machine than the pictures.
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
"""Folder of the pictures of a method with a single variant."""


@dataclass(frozen=True)
class Run:
    """One method with one seed."""

    folder: Path
    method: str
    seed: int

    @property
    def finished(self) -> bool:
        """Whether its pictures are all there."""
        return (self.folder / RESULT).is_file()

    def pictures(self, variant: str) -> Path:
        """The folder of a variant's pictures."""
        return self.folder / "restored" / (variant.replace(", ", "-").replace(" ", "").replace("α=", "alpha") or ONLY)

    def chart(self, variant: str) -> Path:
        """The file of a variant's chart."""
        return self.folder / "chart" / f"{self.pictures(variant).name}.png"

    def result(self) -> dict[str, Any]:
        """What the run cost.

        Raises:
            InputError: the file is damaged.
        """
        return read_json(self.folder / RESULT)

    def failure(self) -> str | None:
        """Why it did not finish, if it did not."""
        path = self.folder / FAILURE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def runs_of(folder: Path, plan: BenchPlan) -> list[Run]:
    """All runs of a benchmark, method by method."""
    return [run_of(folder, method, seed) for method in plan.methods for seed in plan.seeds]


def run_of(folder: Path, method: str, seed: int) -> Run:
    """The run of a method and a seed."""
    return Run(folder / "methods" / method / f"seed-{seed}", method, seed)


def judged_pictures(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, clean and captured picture of each test pair, in order."""
    for path in sorted((folder / "test" / "clean").glob("*.png")):
        yield path.stem, path, folder / "test" / "captured" / path.name


def chart_pictures(folder: Path) -> tuple[Path, Path] | None:
    """The chart, clean and captured, if the benchmark has one."""
    clean, captured = (folder / "test" / "chart" / f"{side}.png" for side in ("clean", "captured"))
    return (clean, captured) if clean.is_file() and captured.is_file() else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a benchmark.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    found: dict[str, Any] = json_file.read_json(path, "file of a benchmark", "remove it and go on with --resume")
    return found
