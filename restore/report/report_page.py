"""The page of a report, ``restoration.html.j2`` filled: one HTML file beside its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from metalens.formats.pages.builder import Best, Table, number, render


def render_page(
    report: Mapping[str, Any],
    measures: Mapping[str, str],
    baselines: Mapping[str, str],
    pictures: Sequence[Mapping[str, Any]],
    *,
    loss: str | None,
    has_curves: bool,
) -> str:
    """Write the page.

    Args:
        report: what ``report.json`` holds.
        measures: key → heading.
        baselines: versions that no restorer made, key → name.
        pictures: for each sample its files (version → stem), zoom boxes, shape and number.
        loss: perceptual loss of the training, by its name in the adapter; None if it is not known.
        has_curves: whether there is a figure of the training losses.

    Returns:
        HTML.
    """
    return render(
        "restoration.html",
        **{
            **report,
            "summary": _summary(report["means"], measures, baselines),
            "photographs": [_photograph(*each, baselines) for each in zip(report["samples"], pictures, strict=True)],
            "training": {key: value for key, value in report["training"].items() if key != "curves"},
            "second": [(key, title) for key, title in measures.items() if key.startswith("perceptual")][1],
            "loss": loss,
            "has_curves": has_curves,
            "whole": _whole(report["stages"]),
        },
    )


def _whole(stages: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """What all stages took together: the sum of their times, the most of their memory."""
    memory = [stage["peak_memory_mb"] for stage in stages if stage.get("peak_memory_mb") is not None]
    return {
        "seconds": sum(stage.get("seconds") or 0 for stage in stages),
        "peak_memory_mb": max(memory, default=None),
    }


def _summary(means: Mapping[str, Any], measures: Mapping[str, str], baselines: Mapping[str, str]) -> Table:
    lines = {title: means[name] for name, title in baselines.items()}
    lines |= {f"restored, α = {alpha}": values for alpha, values in means["restored"].items()}
    best, lower = {}, {measure: measure.startswith("perceptual") for measure in measures}
    for measure in measures:
        known = {name: values[measure] for name, values in lines.items() if values[measure] is not None}
        if known:
            best[measure] = (min if lower[measure] else max)(known, key=lambda name: known[name])

    def cell(name: str, measure: str) -> str:
        text = number(lines[name][measure], 2 if measure.startswith("psnr") else 3)
        return Best(text) if best.get(measure) == name else text

    headings = ["version", *(f"{title} {'↓' if lower[measure] else '↑'}" for measure, title in measures.items())]
    return Table(headings, [(name, *(cell(name, measure) for measure in measures)) for name in lines])


def _photograph(entry: Mapping[str, Any], found: Mapping[str, Any], baselines: Mapping[str, str]) -> dict[str, Any]:
    """A photograph's versions, each with its figures, and its zooms as shares of the frame."""
    rows, columns = found["shape"]
    figures = {"clean": None, **{name: entry[name] for name in baselines}, **entry["restored"]}
    titles = {"clean": "clean", **baselines}
    return {
        "name": entry["name"],
        "print": f"comparison-{found['number']:02d}",
        "boxes": {
            zoom: (top / rows, left / columns, side / rows, side / columns)
            for zoom, (top, left, side) in found["boxes"].items()
        },
        "versions": [
            {"title": titles.get(version, f"α = {version}"), "stem": stem, "figures": figures[version]}
            for version, stem in found["files"].items()
        ]
        + [
            {"title": f"expected error, α = {alpha}", "stem": stem, "error": entry["expected_error"][alpha]}
            for alpha, stem in found["maps"].items()
        ],
    }
