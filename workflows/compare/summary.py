"""All figures of a comparison: ``compare.json``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.files.json_file import read_record
from metalens.restore.bench.folder import SCORES
from metalens.restore.bench.page import picture_of
from metalens.restore.bench.summary import summarise as summarise_bench
from metalens.runners.processes import processor_name
from metalens.workflows.compare.photographs import ComparedPhotographs
from metalens.workflows.compare.stages import LensWork, efficiency
from metalens.workflows.compare.terms import ComparisonTerms

SCHEMA = "metalens.comparison.summary"
VERSION = 1

CLEAN, CAPTURED, JOINT = "clean", "captured", "Wiener, joint"

TOLERATED = {
    "restored_db": "restored, expected (dB)",
    "modulation_quarter": "contrast at a quarter of Nyquist",
    "strehl_ratio": "Strehl ratio",
}
"""Figures of ``metalens tolerance`` in the table, means over field and colour → their names."""

_Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Spread(BaseModel):
    as_drawn: _Finite
    quantile_50: _Finite | None
    quantile_5: _Finite | None


class _Distributions(BaseModel):
    mean_over_field_and_colour: _Spread


class _Tolerated(BaseModel):
    restored_db: _Distributions
    modulation_quarter: _Distributions
    strehl_ratio: _Distributions


class _ToleranceSummary(BaseModel):
    """What the table takes of ``tolerance.json``."""

    draws: int
    not_applied: dict[str, str]
    figures: _Tolerated


def summarise(
    folder: Path, works: Sequence[LensWork], photographs: ComparedPhotographs, terms: ComparisonTerms
) -> dict[str, Any]:
    """Compute the content of ``compare.json``.

    Args:
        folder: folder of the comparison; paths are relative to it.
        works: the lenses with their steps.
        photographs: the photographs.
        terms: the terms.

    Returns:
        JSON values: ``lenses``, each with its sizes, light, ``versions`` (title → figures), tolerances, seconds and
        failures.

    Raises:
        InputError: a file is damaged.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "metalens": version("metalens"),
        "machine": processor_name(),
        "terms": terms.described(),
        "sensor": works[0].lens.camera.sensor.model_dump(exclude_none=True),
        "photographs": {
            "training": [each.path.name for each in photographs.training],
            "test": [each.path.name for each in photographs.test],
            "left_out": photographs.left_out,
        },
        "lenses": [_lens(folder, work) for work in works],
    }


def _lens(folder: Path, work: LensWork) -> dict[str, Any]:
    versions: dict[str, Any] = {}
    for name in ("baselines", "restorer"):
        step = work.steps.get(name)
        if step is not None and (step.output / "test" / SCORES).is_file():
            versions |= _versions(folder, step.output)
    return {
        "name": work.lens.name,
        "source": work.lens.source,
        "description": work.lens.camera.description,
        "lens_hash": work.lens.camera.hash,
        **work.lens.described(),
        "light": _light(work),
        "versions": versions,
        "tolerance": _tolerance(work),
        "seconds": {name: step.seconds() for name, step in work.steps.items() if step.done},
        "files": {name: step.output.relative_to(folder).as_posix() for name, step in work.steps.items() if step.done},
        "failures": work.failures,
    }


def _light(work: LensWork) -> dict[str, Any] | None:
    """Efficiency of the channels, and light on the sensor relative to the first lens."""
    if work.bank is None:
        return None
    share = efficiency(work.bank)
    return {
        "efficiency": dict(zip(CHANNEL_NAMES, map(float, share), strict=True)) | {"mean": float(share.mean())},
        "relative": work.light,
    }


def _versions(folder: Path, bench: Path) -> dict[str, Any]:
    """Title → figures and pictures of what a benchmark restored; without its failed methods."""
    found = summarise_bench(bench)
    keys = [column["key"] for column in found["columns"]]
    # α before what is drawn towards the capture.
    rows = sorted(found["rows"], key=lambda row: row["variant"].startswith("consistent"))
    return {
        _title(row): {
            "figures": {key: row["figures"][key]["mean"] for key in keys},
            "zones": {key: zones for key, zones in row["zones"].items() if any(zones.values())},
            "seconds_per_picture": None if row["costs"] is None else row["costs"]["seconds_per_picture"],
            "steps": None if row["costs"] is None else row["costs"]["steps"],
            "pictures": {
                name: (bench / picture_of(bench, row, name)).relative_to(folder).as_posix()
                for name in found["pictures"]
            },
        }
        for row in rows
    }


def _title(row: dict[str, Any]) -> str:
    if row["method"].startswith("dmdiff"):
        return f"restored, {row['variant']}"
    return str(row["method"] if row["costs"] is None else row["title"])


def _tolerance(work: LensWork) -> dict[str, Any] | None:
    """Figures as drawn, and what half and 5 % of the drawn lenses fall below; None of too few lenses."""
    step = work.steps.get("tolerance")
    if step is None or not step.done:
        return None
    path, advice = step.output / "tolerance.json", "remove its folder and go on with --resume"
    told = read_record(path, _ToleranceSummary, "summary of tolerances", advice)
    means = {name: getattr(told.figures, name).mean_over_field_and_colour for name in TOLERATED}
    return {
        "draws": told.draws,
        "not_applied": told.not_applied,
        **{name: figures.model_dump() for name, figures in means.items()},
    }
