"""Summary of a benchmark: means over test pictures and seeds, costs, and the gaps that DMDiff's paper claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from metalens.restore.bench.folder import SCORES, Figures, Run, judged_pictures, read_part, runs_of
from metalens.restore.bench.judge import CONSISTENCY, RESOLUTION
from metalens.restore.bench.judged_sets import sets_of
from metalens.restore.bench.plan import BenchPlan, read_plan
from metalens.restore.metrics.catalogue import METRICS
from metalens.restore.metrics.measures import ZONES
from metalens.restore.metrics.metric import WHOLE

SCHEMA = "metalens.bench.summary"
VERSION = 1

COLUMNS = (
    *({"key": m.key, "heading": m.heading, "better": m.better, "digits": m.digits, "about": m.about} for m in METRICS),
    {
        "key": CONSISTENCY,
        "heading": "blurred again (dB)",
        "better": "higher",
        "digits": 2,
        "about": "PSNR between the capture and the picture blurred again by the bank; the clean picture has the most",
    },
    {
        "key": RESOLUTION,
        "heading": "MTF50 (cycles/pixel)",
        "better": "higher",
        "digits": 3,
        "about": "of slanted edges over the field, ISO 12233",
    },
)
"""Metrics of a row, in the order of the tables."""

COSTS = (
    "parameters",
    "trainable_parameters",
    "steps",
    "training_seconds",
    "fitting_seconds",
    "seconds_per_picture",
    "training_peak_memory_mb",
    "restoring_peak_memory_mb",
)

ZONED = ("psnr", "ssim", "delta_e", "st_lpips", RESOLUTION)


def summarise(folder: Path) -> dict[str, Any]:
    """Compute the content of ``bench.json``.

    Raises:
        InputError: a file is missing or damaged.
    """
    plan = read_plan(folder)
    runs = runs_of(folder, plan)
    reference = read_part(folder / "test" / SCORES, Figures)
    sets = sets_of(folder)
    rows = [
        _row("clean", "", "clean (the scene)", [reference.get("clean", {})], [], sets),
        _row("captured", "", "captured", [reference.get("captured", {})], [], sets),
    ]
    for method in plan.methods:
        rows += _rows_of(method, [run for run in runs if run.method == method and run.finished], sets)
    path = folder / "missing.json"
    missing = read_part(path, dict[str, str]) if path.is_file() else {}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "metalens": version("metalens"),
        "plan": asdict(plan),
        "pictures": [name for name, _, _ in judged_pictures(folder)],
        "sets": sets,
        "columns": [column for column in COLUMNS if plan.wants(str(column["key"]))],
        "missing": missing,
        "failed": {f"{run.method}, seed {run.seed}": _why(run) for run in runs if not run.finished},
        "rows": rows,
        "aims": aims(rows, plan),
    }


def _why(run: Run) -> str:
    return run.failure() or "did not finish; go on with --resume"


def _rows_of(method: str, runs: Sequence[Run], sets: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """One row for each variant of a method."""
    if not runs:
        return []
    results = [run.result() for run in runs]
    scores = [read_part(run.folder / SCORES, Figures) for run in runs]
    rows = []
    for variant in results[0]["variants"]:
        label = f"{results[0]['title']}, {variant}" if variant else results[0]["title"]
        rows.append(_row(method, variant, label, [each.get(variant, {}) for each in scores], results, sets))
    return rows


def _row(
    method: str,
    variant: str,
    label: str,
    scores: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    sets: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    figures, zones = {}, {}
    by_set: dict[str, dict[str, float | None]] = {name: {} for name in sets}
    for column in COLUMNS:
        key = str(column["key"])
        # First the mean over the pictures of each seed, then over the seeds: every seed weighs the same.
        means = [mean for each in scores if (mean := _mean(each.get(key, {}), WHOLE)) is not None]
        figures[key] = {"mean": float(np.mean(means)) if means else None, "deviation": _deviation(means)}
        if key in ZONED:
            zones[key] = {zone: _finite_mean(_mean(each.get(key, {}), zone) for each in scores) for zone in ZONES}
        if key != RESOLUTION:
            for name, pictures in sets.items():
                parts = [_of_set(each.get(key, {}), pictures) for each in scores]
                by_set[name][key] = _finite_mean(_mean(part, WHOLE) for part in parts)
    costs = {key: _finite_mean(result.get(key) for result in results) for key in COSTS} if results else None
    told = {key: results[0][key] for key in ("title", "reference", "knows", "differs", "uses_prior")} if results else {}
    machine = {key: results[0][key] for key in ("device", "machine", "precision", "parallel")} if results else {}
    chosen = [result["chosen"] for result in results]
    return {
        "method": method,
        "variant": variant,
        "label": label,
        "seeds": len(results),
        "figures": figures,
        "zones": zones,
        "sets": by_set,
        "costs": costs,
        "chosen": chosen,
        "losses": sorted({each for result in results for each in result["losses"]}),
        **told,
        **machine,
    }


def _of_set(figures: dict[str, dict[str, float | None]], pictures: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """The figures of a set's pictures, if all have one: some metrics cannot be computed on every machine."""
    return {name: figures[name] for name in pictures} if figures.keys() >= set(pictures) else {}


def _mean(pictures: dict[str, dict[str, float | None]], place: str) -> float | None:
    """Mean of a zone's figure over the pictures, if all pictures have it."""
    values = [figures.get(place) for figures in pictures.values()]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _finite_mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _deviation(means: Sequence[float]) -> float | None:
    return float(np.std(means, ddof=1)) if len(means) > 1 else None


def aims(rows: Sequence[dict[str, Any]], plan: BenchPlan) -> list[dict[str, Any]]:
    """The gaps that DMDiff's paper claims: for each the target and, if the rows allow it, the measured value.

    Args:
        rows: rows of the summary.
        plan: configuration of the benchmark.

    Returns:
        One entry for each claimed gap.
    """
    found = []
    for method in ("dmdiff-local", "dmdiff-global"):
        if method not in plan.methods:
            continue
        faithful, detailed = _figure(rows, method, "α = 0.75", "psnr"), _figure(rows, method, "α = 1", "st_lpips")
        seconds = _cost(rows, method)
        for text, wanted, better, value in (
            (
                "PSNR at α = 0.75 above SwinIR's (dB)",
                0.85,
                "higher",
                _less(faithful, _figure(rows, "swinir", "", "psnr")),
            ),
            (
                "ST-LPIPS at α = 1 as a share of neural nano-optics'",
                0.75,
                "lower",
                _ratio(detailed, _figure(rows, "nano-optics", "", "st_lpips")),
            ),
            ("times faster than SeeSR-style's 50 steps", 10.0, "higher", _ratio(_cost(rows, "seesr-style"), seconds)),
            ("seconds a picture as a multiple of OSEDiff's", 2.2, "lower", _ratio(seconds, _cost(rows, "osediff"))),
        ):
            met = None if value is None else (value >= wanted if better == "higher" else value <= wanted)
            found.append(
                {"method": method, "what": text, "wanted": wanted, "better": better, "found": value, "met": met}
            )
    return found


def _one(rows: Sequence[dict[str, Any]], method: str, variant: str | None = None) -> dict[str, Any] | None:
    return next((r for r in rows if r["method"] == method and (variant is None or r["variant"] == variant)), None)


def _figure(rows: Sequence[dict[str, Any]], method: str, variant: str, key: str) -> float | None:
    row = _one(rows, method, variant)
    return None if row is None else row["figures"][key]["mean"]


def _cost(rows: Sequence[dict[str, Any]], method: str) -> float | None:
    row = _one(rows, method)
    return None if row is None or row["costs"] is None else row["costs"]["seconds_per_picture"]


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other
