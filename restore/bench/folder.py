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
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.json_file import Schema, read_record
from metalens.restore.bench.plan import BenchPlan

RESULT = "result.json"
FAILURE = "failure.txt"
LOG = "log.txt"
SCORES = "scores.json"

ONLY = "one"
"""Folder name for a method with a single variant."""

Figure = Annotated[float, Field(strict=True, allow_inf_nan=False)]

Figures = dict[str, dict[str, dict[str, dict[str, Figure | None]]]]
"""``scores.json``: variant → metric → picture → whole and zones → figure; ``None`` for a figure that is not finite."""

Cost = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class RunResult(BaseModel):
    """``result.json``: the method's description, its variants and what they cost; further keys are kept.

    A cost that is ``None`` was not measured: a resumed run does not know that of the process that was interrupted.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    title: str
    reference: str
    knows: str
    differs: str
    uses_prior: bool
    # A variant is the name of a folder, too.
    variants: list[Annotated[str, Field(pattern=r"^([^./\\\x00][^/\\\x00]{0,99})?$")]]
    parameters: Cost | None = None
    trainable_parameters: Cost | None = None
    steps: Cost | None = None
    training_seconds: Cost | None = None
    fitting_seconds: Cost | None = None
    seconds_per_picture: Cost | None = None
    training_peak_memory_mb: Cost | None = None
    restoring_peak_memory_mb: Cost | None = None
    chosen: dict[str, Any]
    losses: list[str] = []
    device: str
    machine: str
    precision: str
    parallel: int


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
        return read_part(self.folder / RESULT, RunResult).model_dump()

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


def read_scores(path: Path) -> Figures:
    """Read ``scores.json``; of pictures that were not judged yet there is none.

    Raises:
        InputError: the file is damaged.
    """
    return read_part(path, Figures) if path.is_file() else {}


def read_part(path: Path, schema: type[Schema]) -> Schema:
    """Read a JSON file of a benchmark.

    Args:
        path: the file.
        schema: as of :func:`metalens.formats.files.json_file.read_record`.

    Returns:
        Its content.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    return read_record(path, schema, "file of a benchmark", "remove it and go on with --resume")
