"""Figures of a benchmark: the perception–distortion plane with every method on it, and the curve over α."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from metalens.formats.drawing.style import ACCENT, FAINT, INK, RULE

_SHADES = (ACCENT, "#4c78a8", "#6b4c9a", "#3a8f6b")


def plane_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """PSNR against the perceptual distance (Blau & Michaeli 2018): the better corner is at the lower right.

    Variants of one method, such as its α, are joined by a line.

    Args:
        rows: of the summary; those without both figures are left out.
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots()
    shades = iter(_SHADES)
    for method, points in _by_method(rows).items():
        x, y = [point[1] for point in points], [point[2] for point in points]
        if len(points) > 1:
            shade = next(shades, INK)
            axes.plot(x, y, color=shade, marker="o", markersize=4, label=str(points[0][3]))
            for variant, left, top, _ in points:
                axes.annotate(variant, (left, top), xytext=(3, 3), textcoords="offset points", fontsize=6, color=shade)
            continue
        colour = FAINT if method == "captured" else INK
        axes.plot(x, y, color=colour, marker="s" if method == "captured" else "D", markersize=4, linestyle="none")
        axes.annotate(points[0][3], (x[0], y[0]), xytext=(4, -3), textcoords="offset points", fontsize=7)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set(xlabel="PSNR (dB), higher is better", ylabel="ST-LPIPS (VGG), lower is better")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")
    axes.margins(0.12)
    return figure


def _by_method(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[str, float, float, str]]]:
    """method → variant, PSNR, distance and title of each of its rows."""
    found: dict[str, list[tuple[str, float, float, str]]] = {}
    for row in rows:
        psnr, distance = (row["figures"][key]["mean"] for key in ("psnr", "st_lpips"))
        if psnr is not None and distance is not None:
            point = row["variant"], psnr, distance, row.get("title", row["label"])
            found.setdefault(row["method"], []).append(point)
    return found
