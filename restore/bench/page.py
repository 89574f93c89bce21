"""The page of a benchmark: tables, the plane, the curves, and the pictures side by side with zooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metalens.restore.bench.folder import run_of
from metalens.restore.bench.table import aim_table, cost_table, figure_table, set_table, terms, title, zone_table
from metalens.restore.report.page import document, number, text

SHOWN = 8
"""Test pictures that are shown; the files of all are in the folder."""

_ZOOM = 0.16
"""Side of a zoom, as a share of the picture's shorter side."""

_CORNER = 0.06

Box = tuple[float, float, float, float]
"""Top, left, height and width as shares of the picture's sides."""


def render(folder: Path, summary: Mapping[str, Any], curves: Mapping[str, str], pixels: tuple[int, int]) -> str:
    """Write the page.

    Args:
        folder: the benchmark's; pictures are named relative to it.
        summary: what ``bench.json`` holds.
        curves: method → stem of the figure of its α.
        pixels: (rows, columns) of the test pictures.
    """
    shown = summary["pictures"][:SHOWN]
    parts = [
        f"<h1>{text(title(summary))}</h1>",
        f'<p class="soft">{text(terms(summary))} <a href="bench.json">All numbers as JSON</a>, '
        '<a href="table.csv">CSV</a>, <a href="table.md">Markdown</a></p>',
        "<h2>Means over the test pictures</h2>",
        _table(*figure_table(summary)),
        _absent(summary),
        "<h2>The paper's gaps</h2>" + _table(*aim_table(summary)) if summary["aims"] else "",
        "<h2>Perception and distortion</h2>",
        '<div class="figures">',
        _figure(
            "plane",
            "Every method, by PSNR and by ST-LPIPS. Lines join the α of a method; arrows point to what is outside.",
        ),
        *(_figure(stem, f"{method}: the blend of both paths over α.") for method, stem in curves.items()),
        "</div>",
        "<h2>By zone of the field</h2>",
        _table(*zone_table(summary)),
        "<h2>By test set</h2>" + _table(*set_table(summary)) if len(summary["sets"]) > 1 else "",
        "<h2>Costs</h2>",
        _table(*cost_table(summary)),
        "<h2>Methods</h2>",
        _methods(summary),
        "<h2>Photographs</h2>",
        f'<p class="note">The first {len(shown)} of {len(summary["pictures"])}; yellow and blue frames are zooms '
        "of the centre and of a corner. Of several seeds the first is shown.</p>",
        *(_photograph(folder, summary, name, pixels) for name in shown),
    ]
    return document(f"{title(summary)} – metalens bench", parts)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cell(value: str) -> str:
        if value.startswith("**"):
            return f'<td class="best">{text(value.strip("*"))}</td>'
        return f"<td>{text(value)}</td>"

    head = "".join(f"<th>{text(each)}</th>" for each in headings)
    body = "".join(f"<tr>{''.join(cell(value) for value in row)}</tr>" for row in rows)
    return f'<div class="card"><table><tr>{head}</tr>{body}</table></div>'


def _absent(summary: Mapping[str, Any]) -> str:
    headings = {column["key"]: column["heading"] for column in summary["columns"]}
    lines = [f"{headings[key]} is not computed here: {reason}." for key, reason in summary["missing"].items()]
    lines += [f"{name} has no result: {why}" for name, why in summary["failed"].items()]
    return "".join(f'<p class="note">{text(line)}</p>' for line in lines)


def _figure(stem: str, caption: str) -> str:
    return (
        f'<figure class="card broad whole"><img src="{stem}.png" alt="{text(caption)}">'
        f'<figcaption>{text(caption)} <a href="{stem}.pdf">PDF</a></figcaption></figure>'
    )


def _methods(summary: Mapping[str, Any]) -> str:
    known = {row["method"]: row for row in summary["rows"] if row["costs"] is not None}
    rows = "".join(
        f"<tr><td>{text(row['title'])}</td><td>{text(row['reference'])}</td><td>{text(row['knows'])}</td>"
        f'<td class="wide">{text(row["differs"])}</td></tr>'
        for row in known.values()
    )
    head = "<tr><th>method</th><th>published</th><th>is told</th><th>differs by</th></tr>"
    return f'<div class="card"><table>{head}{rows}</table></div>'


def _photograph(folder: Path, summary: Mapping[str, Any], name: str, pixels: tuple[int, int]) -> str:
    boxes = zooms(pixels)
    cells = []
    for row in summary["rows"]:
        source = picture_of(folder, row, name)
        shown = text(row["label"])
        frames = "".join(_frame(zoom, box) for zoom, box in boxes.items()) if row["method"] == "clean" else ""
        cut = "".join(_zoom(source, zoom, box, shown) for zoom, box in boxes.items())
        psnr, distance = (row["figures"][key]["mean"] for key in ("psnr", "st_lpips"))
        told = "the scene" if row["method"] == "clean" else f"all: {number(psnr, 2)} dB, {number(distance, 3)}"
        cells.append(
            f'<div><div class="name">{shown}</div><div class="frame"><img src="{source}" alt="{text(name)}, {shown}" '
            f'loading="lazy">{frames}</div><div class="zooms">{cut}</div><div class="numbers">{told}</div></div>'
        )
    return f'<h3>{text(name)}</h3><div class="card"><div class="versions">{"".join(cells)}</div></div>'


def picture_of(folder: Path, row: Mapping[str, Any], name: str) -> str:
    """Where the picture of a row lies, relative to the benchmark's folder."""
    if row["costs"] is None:
        return f"test/{row['method']}/{name}.png"
    path = run_of(folder, row["method"], 0).pictures(row["variant"]) / f"{name}.png"
    return path.relative_to(folder).as_posix()


def zooms(pixels: tuple[int, int]) -> dict[str, Box]:
    """The parts of a picture that are shown large: its centre and its upper left corner."""
    side = _ZOOM * min(pixels)
    height, width = side / pixels[0], side / pixels[1]
    return {
        "centre": ((1 - height) / 2, (1 - width) / 2, height, width),
        "edge": (_CORNER, _CORNER, height, width),
    }


def _frame(zoom: str, box: Box) -> str:
    names = ("top", "left", "height", "width")
    style = ";".join(f"{name}:{100 * value:.2f}%" for name, value in zip(names, box, strict=True))
    return f'<div class="box {zoom}" style="{style}"></div>'


def _zoom(source: str, zoom: str, box: Box, alt: str) -> str:
    """A part of the same file, enlarged by the browser."""
    top, left, height, width = box
    style = (
        f"width:{100 / width:.2f}%;max-width:none;margin-left:{-100 * left / width:.2f}%;"
        f"margin-top:{-100 * top / height:.2f}%;border:0;border-radius:0"
    )
    return (
        f'<div class="{zoom}" style="overflow:hidden;aspect-ratio:1;border:2px solid">'
        f'<img src="{source}" alt="{alt}, {zoom}" loading="lazy" style="{style}"></div>'
    )
