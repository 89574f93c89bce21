"""Tables of a benchmark: Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from metalens.formats.pages.builder import Best, Table, number, render
from metalens.restore.bench.judge import RESOLUTION
from metalens.restore.bench.summary import COSTS
from metalens.restore.metrics.measures import ZONES

OF_THE_LOSS = "†"
"""Beside a perceptual distance that was in the loss of the method's training, and does not judge it."""

COST_HEADINGS = {
    "parameters": "parameters",
    "trainable_parameters": "trained",
    "steps": "steps",
    "training_seconds": "training (s)",
    "fitting_seconds": "fitting in all (s)",
    "seconds_per_picture": "a picture (s)",
    "training_peak_memory_mb": "memory, training (MB)",
    "restoring_peak_memory_mb": "memory, restoring (MB)",
}


def markdown(summary: Mapping[str, Any]) -> str:
    """Content of ``table.md``: metrics, zones, costs, the paper's gaps, and missing results with their reasons."""
    return render("bench_table.md", **told(summary))


def told(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Content shared by the page and ``table.md``: conditions, tables, missing results with their reasons."""
    headings = {column["key"]: column["heading"] for column in summary["columns"]}
    return {
        "headline": title(summary),
        "terms": terms(summary),
        "figures": figure_table(summary),
        "zones": zone_table(summary),
        "sets": set_table(summary) if len(summary["sets"]) > 1 else None,
        "costs": cost_table(summary),
        "aims": aim_table(summary) if summary["aims"] else None,
        "of_the_loss": _of_the_loss(summary),
        "missing": {headings[key]: reason for key, reason in summary["missing"].items()},
        "failed": summary["failed"],
    }


def title(summary: Mapping[str, Any]) -> str:
    """Title of the comparison."""
    methods = len(summary["plan"]["methods"])
    return f"{methods} method{'s' if methods != 1 else ''} on {len(summary['pictures'])} test pictures"


def terms(summary: Mapping[str, Any]) -> str:
    """Conditions that were the same for all methods."""
    plan = summary["plan"]
    budget = [f"{plan['minutes']:g} minutes"] if plan["minutes"] else []
    budget += [f"{plan['steps']} steps"] if plan["steps"] else []
    text = (
        f"Each method that learns was trained for {' or '.join(budget)} ({plan['batch']} crops of {plan['crop']} "
        f"pixels a step, {plan['precision']}, device {plan['device']}), with {len(plan['seeds'])} seed(s); "
        f"prior {plan['prior']}."
    )
    if plan["parallel"] > 1:
        text += f" {plan['parallel']} processes shared the machine: times are those of a shared one."
    return text


def figure_table(summary: Mapping[str, Any]) -> Table:
    """Table of the metrics; the best restorer of each column is marked, and a figure that was in the loss."""
    columns = [column for column in summary["columns"] if column["key"] not in summary["missing"]]
    best = {column["key"]: _best(summary["rows"], column) for column in columns}

    def cell(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
        figure = row["figures"][column["key"]]
        text = number(figure["mean"], column["digits"])
        if figure["deviation"] is not None:
            text += f" ± {number(figure['deviation'], column['digits'])}"
        if column["key"] in row["losses"]:
            text += f" {OF_THE_LOSS}"
        return Best(text) if row["label"] == best[column["key"]] else text

    headings = [f"{column['heading']} {'↑' if column['better'] == 'higher' else '↓'}" for column in columns]
    rows = [[row["label"], *(cell(row, column) for column in columns)] for row in summary["rows"]]
    return Table(["method", *headings], rows)


def zone_table(summary: Mapping[str, Any]) -> Table:
    """Table of the metrics in the centre, middle and edge zone."""
    columns = _zoned(summary)

    def cell(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
        return " / ".join(number(row["zones"][column["key"]][zone], column["digits"]) for zone in ZONES)

    rows = [[row["label"], *(cell(row, column) for column in columns)] for row in _judged(summary)]
    return Table([f"method ({' / '.join(ZONES)})", *(column["heading"] for column in columns)], rows)


def set_table(summary: Mapping[str, Any]) -> Table:
    """Table of each test set by itself, with the metrics that are also given by zone."""
    columns = [column for column in _zoned(summary) if column["key"] != RESOLUTION]
    shown = [(name, column) for name in summary["sets"] for column in columns]
    rows = [
        [row["label"], *(number(row["sets"][name][column["key"]], column["digits"]) for name, column in shown)]
        for row in _judged(summary)
    ]
    return Table(["method", *(f"{name}: {column['heading']}" for name, column in shown)], rows)


def _zoned(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The columns that are given by zone, in the order of the rows."""
    columns = {column["key"]: column for column in summary["columns"]}
    return [columns[key] for key in summary["rows"][0]["zones"] if key in columns]


def _judged(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All rows except that of the clean scene."""
    return [row for row in summary["rows"] if row["method"] != "clean"]


def cost_table(summary: Mapping[str, Any]) -> Table:
    """Table of the costs, one row for each method."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in summary["rows"]:
        if row["costs"] is not None:
            first.setdefault(row["method"], row)
    rows = [[row["title"], *(_cost(key, row["costs"][key]) for key in COSTS), row["machine"]] for row in first.values()]
    return Table(["method", *(COST_HEADINGS[key] for key in COSTS), "machine"], rows)


def aim_table(summary: Mapping[str, Any]) -> Table:
    """Table of the gaps that the paper claims."""
    rows = [
        [
            aim["method"],
            aim["what"],
            f"{'at least' if aim['better'] == 'higher' else 'at most'} {aim['wanted']:g}",
            number(aim["found"], 2),
            {None: "not known", True: "holds", False: "falls short"}[aim["met"]],
        ]
        for aim in summary["aims"]
    ]
    return Table(["method", "gap", "wanted", "found", ""], rows)


def comma_separated(summary: Mapping[str, Any]) -> str:
    """Content of ``table.csv``: one line for each method and variant; a column for each figure, zone and cost."""
    keys = [column["key"] for column in summary["columns"]]
    zoned = list(summary["rows"][0]["zones"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("method", "variant", "label", "seeds"),
            *keys,
            *(f"{key}_deviation" for key in keys),
            *(f"{key}_{zone}" for key in zoned for zone in ZONES),
            *COSTS,
        ]
    )
    for row in summary["rows"]:
        costs = row["costs"] or {}
        writer.writerow(
            [
                *(row["method"], row["variant"], row["label"], row["seeds"]),
                *(row["figures"][key]["mean"] for key in keys),
                *(row["figures"][key]["deviation"] for key in keys),
                *(row["zones"][key][zone] for key in zoned for zone in ZONES),
                *(costs.get(key) for key in COSTS),
            ]
        )
    return text.getvalue()


def _of_the_loss(summary: Mapping[str, Any]) -> str | None:
    """What the mark beside a figure says; None if none has it."""
    shown = {column["key"] for column in summary["columns"]} - summary["missing"].keys()
    if not any(shown.intersection(row["losses"]) for row in summary["rows"]):
        return None
    return f"{OF_THE_LOSS} This distance was in the loss of the training, and does not judge the method."


def _best(rows: Sequence[Mapping[str, Any]], column: Mapping[str, Any]) -> str | None:
    known = {
        row["label"]: row["figures"][column["key"]]["mean"]
        for row in rows
        if row["costs"] is not None
        and row["figures"][column["key"]]["mean"] is not None
        and column["key"] not in row["losses"]
    }
    choose = max if column["better"] == "higher" else min
    return choose(known, key=lambda label: known[label]) if known else None


def _cost(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key.endswith("parameters"):
        return f"{value / 1e6:.2f} M" if value >= 1e4 else f"{value:.0f}"
    return f"{value:.3f}" if key == "seconds_per_picture" else f"{value:.0f}"
