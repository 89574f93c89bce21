"""What a benchmark compares: ``plan.json`` in its folder, which a resumed run goes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from metalens.formats.files.claim import claimed_folder, write_note
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json

SCHEMA = "metalens.bench"
VERSION = 1
PLAN = "plan.json"
INPUTS = "inputs"
"""Folder, in the benchmark's, of what was made for it."""

_ANEW = "start anew in another folder"

_MAY_CHANGE = ("methods", "seeds", "parallel", "device", "pairs", "psf", "test", "chart", "prior")
"""What a resumed run may have otherwise: more methods and seeds, another machine's paths."""


@dataclass(frozen=True)
class BenchPlan:
    """A benchmark.

    Attributes:
        pairs: the folder of pairs that methods are fitted to.
        test: the folders of pairs that they are judged on.
        psf: the camera's ``psf.h5``.
        lens_hash: of that camera.
        prior: of the methods that stand on one.
        methods: their names.
        seeds: of training, each a run of its own.
        minutes: of training, each method and seed.
        steps: of training, or whichever comes first.
        batch: crops a step.
        crop: side in pixels.
        precision: of forward passes, in training and restoring.
        device: of torch.
        parallel: processes at a time.
        chart: pairs of one picture, the chart of edges, or ``None``.
    """

    pairs: str
    test: tuple[str, ...]
    psf: str
    lens_hash: str
    prior: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    minutes: float | None = None
    steps: int | None = None
    batch: int = 4
    crop: int = 96
    precision: str = "fp32"
    device: str = "cpu"
    parallel: int = 1
    chart: str | None = None


def write_plan(folder: Path, plan: BenchPlan) -> None:
    """Write ``plan.json``, whole or not at all."""
    write_note(folder / PLAN, _described(plan))


def _described(plan: BenchPlan) -> dict[str, Any]:
    return {"schema": SCHEMA, "version": VERSION, **asdict(plan)}


def read_plan(folder: Path) -> BenchPlan:
    """Read ``plan.json``.

    Raises:
        InputError: there is none, or it is not one.
    """
    path = folder / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: holds no benchmark ({PLAN} is missing); start one without --resume.")
    found: dict[str, Any] = read_json(path, "benchmark's plan", _ANEW)
    try:
        if (found.pop("schema"), found.pop("version")) != (SCHEMA, VERSION):
            raise ValueError(f"it is not {SCHEMA} version {VERSION}")
        plan = BenchPlan(**found)
        if isinstance(plan.test, str):
            raise ValueError("test is one folder, not a list")
        return replace(plan, test=tuple(plan.test), methods=tuple(plan.methods), seeds=tuple(plan.seeds))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a readable benchmark's plan ({error}); {_ANEW}.") from error


@contextmanager
def claim(folder: Path, plan: BenchPlan, *, resume: bool) -> Iterator[None]:
    """Hold a new folder for a benchmark, or one whose benchmark is this one to go on, until the block ends.

    Raises:
        InputError: the folder holds something else, or a benchmark of other terms, or is in use.
    """
    with claimed_folder(
        folder, PLAN, _described(plan), resume=resume, may_differ=_MAY_CHANGE, beside=(INPUTS,)
    ) as found:
        if found is not None:
            before = read_plan(folder).methods
            methods = (*before, *(name for name in plan.methods if name not in before))
            write_plan(folder, replace(plan, methods=methods))
        yield
