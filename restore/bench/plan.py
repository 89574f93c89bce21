"""Configuration of a benchmark: ``plan.json`` in its folder, which a resumed run follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as settings

from metalens.formats.files.claim import claimed_folder, write_note
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json
from metalens.formats.files.record import Positive, first_problem
from metalens.formats.files.schema_version import version_advice

SCHEMA = "metalens.bench"
VERSION = 1
PLAN = "plan.json"
INPUTS = "inputs"
"""Subfolder of the inputs generated for the benchmark."""

_ANEW = "start anew in another folder"

_MAY_CHANGE = ("methods", "metrics", "seeds", "parallel", "device", "pairs", "psf", "test", "chart", "prior")
"""Entries that a resumed run may change: more methods, metrics and seeds, paths and device of another machine."""


WholeNumber = Annotated[int, Field(strict=True, ge=1, le=2**40)]


@settings(frozen=True, config=ConfigDict(extra="forbid"))
class BenchPlan:
    """Configuration of a benchmark.

    Attributes:
        pairs: folder of training pairs.
        test: folders of test pairs.
        psf: the camera's ``psf.h5``.
        lens_hash: hash of that camera.
        prior: diffusion prior of the methods that use one.
        methods: names of the methods.
        seeds: training seeds; each is a run of its own.
        minutes: training time of each method and seed, in minutes.
        steps: training steps; training ends at whichever limit comes first.
        batch: crops per step.
        crop: side of a crop in pixels.
        precision: precision of forward passes in training and restoration.
        device: device name of torch.
        parallel: number of simultaneous processes.
        chart: folder of pairs with the edge chart, or ``None``.
        initial: adapter from which DMDiff starts, or ``None``.
        variants: variants to restore of methods that have several; ``None`` for all.
        metrics: keys of the metrics to compute; ``None`` for all.
    """

    pairs: str
    test: tuple[str, ...]
    psf: str
    lens_hash: str
    prior: str
    methods: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")], ...]
    seeds: tuple[Annotated[int, Field(strict=True, ge=0, lt=2**32)], ...] = (0,)
    minutes: Positive | None = None
    steps: WholeNumber | None = None
    batch: WholeNumber = 4
    crop: WholeNumber = 96
    precision: str = "fp32"
    device: str = "cpu"
    parallel: WholeNumber = 1
    chart: str | None = None
    initial: str | None = None
    variants: tuple[str, ...] | None = None
    metrics: tuple[str, ...] | None = None

    def wants(self, metric: str) -> bool:
        """Whether a metric is to be computed."""
        return self.metrics is None or metric in self.metrics

    def variants_of(self, all_variants: tuple[str, ...]) -> tuple[str, ...]:
        """The variants of a method that are to be restored, at least one."""
        wanted = tuple(each for each in all_variants if self.variants is None or each in self.variants)
        return wanted or all_variants


def write_plan(folder: Path, plan: BenchPlan) -> None:
    """Write ``plan.json`` atomically.

    Args:
        folder: folder of the benchmark.
        plan: its configuration.
    """
    write_note(folder / PLAN, _described(plan))


def _described(plan: BenchPlan) -> dict[str, Any]:
    return {"schema": SCHEMA, "version": VERSION, **asdict(plan)}


def read_plan(folder: Path) -> BenchPlan:
    """Read ``plan.json``.

    Raises:
        InputError: the file is missing or is not a plan.
    """
    path = folder / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: holds no benchmark ({PLAN} is missing); start one without --resume.")
    found: dict[str, Any] = read_json(path, "benchmark's plan", _ANEW)
    identity = found.pop("schema", None), found.pop("version", None)
    if identity != (SCHEMA, VERSION):
        advice = version_advice(identity[1], (VERSION,), _ANEW) if identity[0] == SCHEMA else _ANEW
        raise InputError(f"{path}: not a readable benchmark's plan (it is not {SCHEMA} version {VERSION}); {advice}.")
    try:
        return TypeAdapter(BenchPlan).validate_python(found)
    except ValidationError as error:
        problem = first_problem(error, BenchPlan).rstrip(".")
        raise InputError(f"{path}: not a readable benchmark's plan ({problem}); {_ANEW}.") from error


@contextmanager
def claim(folder: Path, plan: BenchPlan, *, resume: bool) -> Iterator[None]:
    """Lock a new folder, or that of the same benchmark to resume, until the block ends.

    Args:
        folder: folder of the benchmark.
        plan: its configuration.
        resume: whether an existing benchmark may be continued.

    Returns:
        A context manager that holds the lock.

    Raises:
        InputError: the folder holds something else or a benchmark with another configuration, or is in use.
    """
    with claimed_folder(
        folder, PLAN, _described(plan), resume=resume, may_differ=_MAY_CHANGE, beside=(INPUTS,)
    ) as found:
        if found is not None:
            before = read_plan(folder).methods
            methods = (*before, *(name for name in plan.methods if name not in before))
            write_plan(folder, replace(plan, methods=methods))
        yield
