"""What a benchmark compares: ``plan.json`` in its folder, which a resumed run goes by."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import atomic_file, require_new_directory
from metalens.formats.files.errors import InputError

SCHEMA = "metalens.bench"
VERSION = 1
PLAN = "plan.json"
INPUTS = "inputs"
"""Folder, in the benchmark's, of what was made for it."""

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
    described = {"schema": SCHEMA, "version": VERSION, **asdict(plan)}
    with atomic_file(folder / PLAN) as part:
        part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def read_plan(folder: Path) -> BenchPlan:
    """Read ``plan.json``.

    Raises:
        InputError: there is none, or it is not one.
    """
    path = folder / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: holds no benchmark ({PLAN} is missing); start one without --resume.")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if (found.pop("schema"), found.pop("version")) != (SCHEMA, VERSION):
            raise ValueError(f"it is not {SCHEMA} version {VERSION}")
        plan = BenchPlan(**found)
        if isinstance(plan.test, str):
            raise ValueError("test is one folder, not a list")
        return replace(plan, test=tuple(plan.test), methods=tuple(plan.methods), seeds=tuple(plan.seeds))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a benchmark's plan ({error}); start anew in another folder.") from error


def claim(folder: Path, plan: BenchPlan, *, resume: bool) -> None:
    """Begin a benchmark in a new folder, or check that the folder's is this one and go on.

    Raises:
        InputError: the folder holds something else, or a benchmark of other terms.
    """
    if resume and (folder / PLAN).is_file():
        before = read_plan(folder)
        for each in fields(BenchPlan):
            found, wanted = getattr(before, each.name), getattr(plan, each.name)
            if each.name not in _MAY_CHANGE and found != wanted:
                raise InputError(
                    f"{folder}: its benchmark has {each.name} {found!r}, now {wanted!r} is asked for; figures of both "
                    "cannot be compared: choose a new folder with -o."
                )
        methods = (*before.methods, *(name for name in plan.methods if name not in before.methods))
        write_plan(folder, replace(plan, methods=methods))
        return
    if any(entry.name != INPUTS for entry in (folder.iterdir() if folder.is_dir() else ())):
        require_new_directory(folder)
    if not folder.resolve().parent.is_dir():
        raise InputError(f"{folder}: its folder {folder.parent} does not exist; make it first.")
    folder.mkdir(exist_ok=True)
    write_plan(folder, plan)
