"""Report of a benchmark: ``bench.json``, ``table.md``, ``table.csv``, ``bench.html`` and figures."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture
from metalens.restore.bench.figures import plane_figure
from metalens.restore.bench.folder import SCORES, Figures, judged_pictures, read_part, run_of
from metalens.restore.bench.page import render_page
from metalens.restore.bench.summary import summarise
from metalens.restore.bench.table import comma_separated, markdown
from metalens.restore.metrics.metric import WHOLE
from metalens.restore.report.figures import alpha_figure, save_figure

PAGE = "bench.html"

_ALPHA = re.compile(r"α = ([0-9]+(?:\.[0-9]+)?)")
"""Name of a variant."""


def write_report(folder: Path) -> dict[str, Any]:
    """Write tables and page of an evaluated folder; existing ones are replaced.

    Returns:
        Content of ``bench.json``.

    Raises:
        InputError: nothing is restored yet, or a file is damaged.
    """
    summary = summarise(folder)
    if all(row["costs"] is None for row in summary["rows"]):
        raise InputError(f"{folder}: no method has restored anything yet; {'; '.join(summary['failed'].values())}")
    save_figure(folder, "plane", lambda: plane_figure(summary["rows"][1:]))
    curves = _alpha_figures(folder, summary)
    pixels = read_picture(next(judged_pictures(folder))[1]).shape
    texts = {
        "table.md": markdown(summary),
        "table.csv": comma_separated(summary),
        "bench.json": json.dumps(summary, indent=1) + "\n",
        PAGE: render_page(folder, summary, curves, (pixels[0], pixels[1])),
    }
    for name, content in texts.items():
        write_text(folder / name, content)
    return summary


def _alpha_figures(folder: Path, summary: dict[str, Any]) -> dict[str, str]:
    """Draw the α curve of each method that has one; title → file stem."""
    found = {}
    methods = {row["method"]: row["title"] for row in summary["rows"] if row["variant"].startswith("α = ")}
    captured = next(row for row in summary["rows"] if row["method"] == "captured")["figures"]
    reference = (captured["psnr"]["mean"], captured["st_lpips"]["mean"])
    for method, title in methods.items():
        scores = read_part(run_of(folder, method, summary["plan"]["seeds"][0]).folder / SCORES, Figures)
        psnr, distance = (_curve(scores, key) for key in ("psnr", "st_lpips"))
        if not psnr or psnr.keys() != distance.keys() or None in reference:
            continue
        stem = f"alpha-{method}"
        save_figure(folder, stem, partial(alpha_figure, psnr, distance, {"captured": reference}))
        found[title] = stem
    return found


def _curve(scores: Figures, key: str) -> dict[float, list[float]]:
    """α → the figure of each picture, of every α that has all."""
    found = {}
    for variant, figures in scores.items():
        values = [each.get(WHOLE) for each in figures.get(key, {}).values()]
        known = [value for value in values if value is not None]
        if (named := _ALPHA.fullmatch(variant)) and known and len(known) == len(values):
            found[float(named.group(1))] = known
    return found
