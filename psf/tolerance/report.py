"""The folder of a tolerancing: numbers as JSON and CSV, a report to read, pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from metalens.formats.drawing.style import save_figure
from metalens.formats.files.atomic import write_text
from metalens.psf.tolerance.evaluation import FIGURES
from metalens.psf.tolerance.monte_carlo import MonteCarlo
from metalens.psf.tolerance.pictures import ERROR_TITLES, TITLES, distribution_figure, ranking_figure
from metalens.psf.tolerance.summary import METHODS, summarise, table_of

RESOLUTION = 150
"""Dots per inch of the pictures."""


def write_report(found: MonteCarlo, camera_name: str, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Write ``tolerance.json``, ``tolerance.csv``, ``report.md`` and two pictures into the run's folder.

    Returns:
        What ``tolerance.json`` holds.
    """
    target, summary = Path(folder), summarise(found)
    texts = {
        "tolerance.json": json.dumps({"camera": camera_name, **summary}, indent=1) + "\n",
        "tolerance.csv": table_of(found),
        "report.md": report_text(found, camera_name, summary),
    }
    for name, text in texts.items():
        write_text(target / name, text)
    save_figure(target, "distributions", lambda: distribution_figure(found), {"png": RESOLUTION})
    save_figure(target, "ranking", lambda: ranking_figure(found, summary["sensitivity"]), {"png": RESOLUTION})
    return summary


def report_text(found: MonteCarlo, camera_name: str, summary: dict[str, Any]) -> str:
    """The report, as Markdown."""
    run = found.run
    lines = [
        f"# Tolerances of {camera_name}",
        "",
        f"{run.draws} lenses drawn with seed {run.seed}, seen at {run.fields[0]} × {run.fields[1]} places of the "
        f"sensor, {run.wavelengths_per_channel} wavelengths a colour. Camera {run.lens_hash[:12]}.",
        "",
        "## Errors",
        "",
        "| error | distribution |",
        "| --- | --- |",
        *(f"| `{name}` | {_told(each)} |" for name, each in summary["errors"].items()),
        *(f"| `{name}` | not applied: {reason} |" for name, reason in summary["not_applied"].items()),
        "",
        "## Figures of merit",
        "",
        "The worst over field and colour of each lens.",
        "",
        "| figure | as drawn | mean | σ | 5 % | 50 % | 95 % |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_figure_row(name, summary) for name in FIGURES),
        "",
        "![Distributions](distributions.png)",
        "",
        *_yield_lines(summary),
        "## Which errors matter",
        "",
        *_ranking_lines(summary),
        "![Ranking](ranking.png)",
        "",
        *_worst_lines(summary),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _told(distribution: dict[str, Any]) -> str:
    numbers = [f"{key.replace('_', ' ')} {value:g}" for key, value in distribution.items() if isinstance(value, float)]
    return f"{distribution['distribution']}, {', '.join(numbers)}"


def _figure_row(name: str, summary: dict[str, Any]) -> str:
    told = summary["figures"][name]["worst_over_field_and_colour"]
    cells = (told[key] for key in ("as_drawn", "mean", "sigma", "quantile_5", "quantile_50", "quantile_95"))
    return f"| {TITLES[name]} | " + " | ".join(f"{value:.4g}" for value in cells) + " |"


def _yield_lines(summary: dict[str, Any]) -> list[str]:
    if not summary["yield"]:
        return []
    rows = [f"| {TITLES.get(name, 'all of them')} | {share:.1%} |" for name, share in summary["yield"].items()]
    return ["## Yield", "", "| limit | lenses that keep it |", "| --- | --- |", *rows, ""]


def _ranking_lines(summary: dict[str, Any]) -> list[str]:
    lines = [
        f"Share of variance: {METHODS['share_of_variance']}. Changes: {METHODS['one_at_a_time']}.",
        "",
        "| figure | error | share of variance | at −σ | at +σ |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in FIGURES:
        for row in summary["sensitivity"][name]["worst_over_field_and_colour"]["ranking"][:4]:
            if row["change_at_minus_sigma"] == row["change_at_plus_sigma"] == 0 and not row["share_of_variance"]:
                continue
            share = "too few draws" if row["share_of_variance"] is None else f"{row['share_of_variance']:.1%}"
            changes = f"{row['change_at_minus_sigma']:+.3g} | {row['change_at_plus_sigma']:+.3g}"
            lines.append(f"| {TITLES[name]} | {ERROR_TITLES[row['error']]} | {share} | {changes} |")
    return [*lines, ""]


def _worst_lines(summary: dict[str, Any]) -> list[str]:
    worst = summary["worst_draw"]
    errors = ", ".join(f"`{name}` {value:.3g}" for name, value in worst["errors"].items())
    strehl = worst["worst_over_field_and_colour"]["strehl_ratio"]
    return ["## The worst lens", "", f"Draw {worst['index']}, with a Strehl ratio of {strehl:.4g}: {errors}."]
