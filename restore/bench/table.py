"""A benchmark's figures as tables: Markdown to read, CSV to count with."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from metalens.restore.bench.judge import RESOLUTION
from metalens.restore.bench.summary import COSTS
from metalens.restore.metrics.measures import ZONES
from metalens.restore.report.page import number

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
    """``table.md``: figures, zones, costs, the paper's gaps, and what is not there with its reason."""
    parts = ["# " + title(summary), "", terms(summary), ""]
    parts += [*_lines(*figure_table(summary)), "", "## By zone of the field", "", *_lines(*zone_table(summary))]
    if len(summary["sets"]) > 1:
        parts += ["", "## By test set", "", *_lines(*set_table(summary))]
    parts += ["", "## Costs", "", *_lines(*cost_table(summary)), ""]
    if summary["aims"]:
        parts += ["## The paper's gaps", "", *_lines(*aim_table(summary)), ""]
    parts += absent(summary)
    return "\n".join(parts).rstrip() + "\n"


def title(summary: Mapping[str, Any]) -> str:
    """What was compared, in a few words."""
    methods = len(summary["plan"]["methods"])
    return f"{methods} method{'s' if methods != 1 else ''} on {len(summary['pictures'])} test pictures"


def terms(summary: Mapping[str, Any]) -> str:
    """The terms that all methods had."""
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


def figure_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the figures; the best of each column among the restorers is bold."""
    columns = [column for column in summary["columns"] if column["key"] not in summary["missing"]]
    best = {column["key"]: _best(summary["rows"], column) for column in columns}
    rows = []
    for row in summary["rows"]:
        cells = [row["label"]]
        for column in columns:
            figure = row["figures"][column["key"]]
            text = number(figure["mean"], column["digits"])
            if figure["deviation"] is not None:
                text += f" ± {number(figure['deviation'], column['digits'])}"
            cells.append(f"**{text}**" if row["label"] == best[column["key"]] else text)
        rows.append(cells)
    headings = [f"{column['heading']} {'↑' if column['better'] == 'higher' else '↓'}" for column in columns]
    return ["method", *headings], rows


def zone_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of figures in the centre, the middle and at the edge."""
    columns = {column["key"]: column for column in summary["columns"]}
    keys = list(summary["rows"][0]["zones"])
    rows = [
        [
            row["label"],
            *(" / ".join(number(row["zones"][key][z], columns[key]["digits"]) for z in ZONES) for key in keys),
        ]
        for row in summary["rows"]
        if row["method"] != "clean"
    ]
    return [f"method ({' / '.join(ZONES)})", *(columns[key]["heading"] for key in keys)], rows


def set_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of each set of test pictures by itself: the figures that are told by zone, too."""
    names = list(summary["sets"])
    zoned = summary["rows"][0]["zones"]
    columns = [column for column in summary["columns"] if column["key"] in zoned and column["key"] != RESOLUTION]
    rows = [
        [
            row["label"],
            *(number(row["sets"][name][column["key"]], column["digits"]) for name in names for column in columns),
        ]
        for row in summary["rows"]
        if row["method"] != "clean"
    ]
    return ["method", *(f"{name}: {column['heading']}" for name in names for column in columns)], rows


def cost_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of what methods cost, one row a method."""
    rows, seen = [], set()
    for row in summary["rows"]:
        if row["costs"] is not None and row["method"] not in seen:
            seen.add(row["method"])
            costs = row["costs"]
            rows.append([row["title"], *(_cost(key, costs[key]) for key in COSTS), row["machine"]])
    return ["method", *(COST_HEADINGS[key] for key in COSTS), "machine"], rows


def aim_table(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the gaps that the paper claims."""
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
    return ["method", "gap", "wanted", "found", ""], rows


def absent(summary: Mapping[str, Any]) -> list[str]:
    """What the tables do not have, each with its reason, as lines of Markdown."""
    headings = {column["key"]: column["heading"] for column in summary["columns"]}
    lines = []
    if summary["missing"]:
        lines += ["Not computed:", ""]
        lines += [f"- {headings[key]}: {reason}" for key, reason in summary["missing"].items()]
        lines.append("")
    if summary["failed"]:
        lines += ["Without a result:", ""]
        lines += [f"- {name}: {why}" for name, why in summary["failed"].items()]
    return lines


def comma_separated(summary: Mapping[str, Any]) -> str:
    """``table.csv``: a line a method and variant, every figure, zone and cost in a column of its own."""
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


def _best(rows: Sequence[Mapping[str, Any]], column: Mapping[str, Any]) -> str | None:
    known = {
        row["label"]: row["figures"][column["key"]]["mean"]
        for row in rows
        if row["costs"] is not None and row["figures"][column["key"]]["mean"] is not None
    }
    choose = max if column["better"] == "higher" else min
    return choose(known, key=lambda label: known[label]) if known else None


def _cost(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key.endswith("parameters"):
        return f"{value / 1e6:.2f} M" if value >= 1e4 else f"{value:.0f}"
    return f"{value:.3f}" if key == "seconds_per_picture" else f"{value:.0f}"


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(headings)} |", f"| {' | '.join(['---', *['---:'] * (len(headings) - 1)])} |"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]
