"""The page of a benchmark, from ``bench.html.j2``: tables, perception–distortion plane, α curves, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalens.formats.pages.builder import Table, number, render
from metalens.restore.bench.folder import run_of
from metalens.restore.bench.table import told

SHOWN = 8
"""Number of test pictures on the page; the folder has all of them."""

_ZOOM = 0.16
"""Side of a zoom as a fraction of the picture's shorter side."""

_CORNER = 0.06

Box = tuple[float, float, float, float]
"""Top, left, height and width as fractions of the picture's sides."""


def render_page(folder: Path, summary: Mapping[str, Any], curves: Mapping[str, str], pixels: tuple[int, int]) -> str:
    """Render the page.

    Args:
        folder: folder of the benchmark; links are relative to it.
        summary: content of ``bench.json``.
        curves: method → file stem of its α figure.
        pixels: (rows, columns) of the test pictures.

    Returns:
        HTML.
    """
    return render(
        "bench.html",
        **told(summary),
        methods=_methods(summary),
        curves=curves,
        boxes=zooms(pixels),
        photographs={
            name: [_version(folder, row, name) for row in summary["rows"]] for name in summary["pictures"][:SHOWN]
        },
        pictures=len(summary["pictures"]),
    )


def _methods(summary: Mapping[str, Any]) -> Table:
    known = {row["method"]: row for row in summary["rows"] if row["costs"] is not None}
    keys = ("title", "reference", "knows", "differs")
    return Table(
        ("method", "published", "is told", "differs by"), [[row[key] for key in keys] for row in known.values()]
    )


def _version(folder: Path, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    psnr, distance = (row["figures"][key]["mean"] for key in ("psnr", "st_lpips"))
    clean = row["method"] == "clean"
    return {
        "label": row["label"],
        "clean": clean,
        "source": picture_of(folder, row, name),
        "numbers": "the scene" if clean else f"all: {number(psnr, 2)} dB, {number(distance, 3)}",
    }


def picture_of(folder: Path, row: Mapping[str, Any], name: str) -> str:
    """Path of a row's picture relative to the benchmark's folder.

    Args:
        folder: folder of the benchmark.
        row: a row of the summary.
        name: name of the test picture.

    Returns:
        The relative path.
    """
    if row["costs"] is None:
        return f"test/{row['method']}/{name}.png"
    path = run_of(folder, row["method"], 0).pictures(row["variant"]) / f"{name}.png"
    return path.relative_to(folder).as_posix()


def zooms(pixels: tuple[int, int]) -> dict[str, Box]:
    """Boxes of the zooms: the centre and the upper left corner."""
    side = _ZOOM * min(pixels)
    height, width = side / pixels[0], side / pixels[1]
    return {
        "centre": ((1 - height) / 2, (1 - width) / 2, height, width),
        "edge": (_CORNER, _CORNER, height, width),
    }
