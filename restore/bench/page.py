"""The page of a benchmark, ``bench.html.j2`` filled: tables, the plane, the curves, the pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metalens.formats.pages.builder import Table, number, render
from metalens.restore.bench.folder import run_of
from metalens.restore.bench.table import told

SHOWN = 8
"""Test pictures that are shown; the files of all are in the folder."""

_ZOOM = 0.16
"""Side of a zoom, as a share of the picture's shorter side."""

_CORNER = 0.06

Box = tuple[float, float, float, float]
"""Top, left, height and width as shares of the picture's sides."""


def render_page(folder: Path, summary: Mapping[str, Any], curves: Mapping[str, str], pixels: tuple[int, int]) -> str:
    """Write the page.

    Args:
        folder: the benchmark's; pictures are named relative to it.
        summary: what ``bench.json`` holds.
        curves: method → stem of the figure of its α.
        pixels: (rows, columns) of the test pictures.
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
