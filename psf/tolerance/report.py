"""The folder of a tolerancing: numbers as JSON and CSV, a report to read, pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from metalens.formats.drawing.style import save_figure
from metalens.formats.files.atomic import write_text
from metalens.formats.pages.builder import Table, render
from metalens.psf.tolerance.evaluation import FIGURES
from metalens.psf.tolerance.monte_carlo import MonteCarlo
from metalens.psf.tolerance.pictures import ERROR_TITLES, TITLES, distribution_figure, ranking_figure
from metalens.psf.tolerance.summary import METHODS, summarise, table_of

RESOLUTION = 150
"""Dots per inch of the pictures."""


def write_report(found: MonteCarlo, camera_name: str, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Write ``tolerance.json``, ``tolerance.csv``, ``report.md`` and two pictures into the run's folder.

    Args:
        found: the Monte Carlo run.
        camera_name: name of the nominal camera.
        folder: folder of the run.

    Returns:
        Content of ``tolerance.json``.
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
    """Render the report as Markdown.

    Args:
        found: the Monte Carlo run.
        camera_name: name of the nominal camera.
        summary: content of ``tolerance.json``.

    Returns:
        Markdown.
    """
    return render(
        "tolerance.md",
        camera=camera_name,
        run=found.run,
        errors=_errors(summary),
        figures=_figures(summary),
        limits=_limits(summary),
        ranking=_ranking(summary),
        methods=METHODS,
        worst=summary["worst_draw"],
    )


def _errors(summary: dict[str, Any]) -> Table:
    rows = [(f"`{name}`", _told(each)) for name, each in summary["errors"].items()]
    rows += [(f"`{name}`", f"not applied: {reason}") for name, reason in summary["not_applied"].items()]
    return Table(("error", "distribution"), rows)


def _told(distribution: dict[str, Any]) -> str:
    numbers = [f"{key.replace('_', ' ')} {value:g}" for key, value in distribution.items() if isinstance(value, float)]
    return f"{distribution['distribution']}, {', '.join(numbers)}"


def _figures(summary: dict[str, Any]) -> Table:
    keys = ("as_drawn", "mean", "sigma", "quantile_5", "quantile_50", "quantile_95")
    told = {name: summary["figures"][name]["worst_over_field_and_colour"] for name in FIGURES}
    rows = [(TITLES[name], *(_cell(each[key]) for key in keys)) for name, each in told.items()]
    return Table(("figure", "as drawn", "mean", "σ", "5 %", "50 %", "95 %"), rows)


def _cell(value: float | None) -> str:
    return "too few draws" if value is None else f"{value:.4g}"


def _limits(summary: dict[str, Any]) -> Table | None:
    rows = [(TITLES.get(name, "all of them"), f"{share:.1%}") for name, share in summary["yield"].items()]
    return Table(("limit", "lenses that keep it"), rows) if rows else None


def _ranking(summary: dict[str, Any]) -> Table:
    rows = []
    for name in FIGURES:
        for row in summary["sensitivity"][name]["worst_over_field_and_colour"]["ranking"][:4]:
            changes = row["change_at_minus_sigma"], row["change_at_plus_sigma"]
            if any((*changes, row["share_of_variance"])):
                share = "too few draws" if row["share_of_variance"] is None else f"{row['share_of_variance']:.1%}"
                signed = (f"{change:+z.3g}" for change in changes)
                rows.append((TITLES[name], ERROR_TITLES[row["error"]], share, *signed))
    return Table(("figure", "error", "share of variance", "at −σ", "at +σ"), rows)
