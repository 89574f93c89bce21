"""Figures of a benchmark: the perception–distortion plane of all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metalens.formats.drawing.style import FAINT, panels

_SHADES = ("#b4501e", "#4c78a8", "#3a8f6b", "#6b4c9a", "#b8860b", "#c23b7b")
_MARKS = "oDs^vPX*"
CURVE = "α = "
"""Prefix of the variants that a line joins: the α of one method."""


class _Point(NamedTuple):
    variant: str
    psnr: float
    distance: float
    title: str

    @property
    def name(self) -> str:
        return f"{self.title}, {self.variant}" if self.variant else self.title


def plane_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Perceptual distance over PSNR (Blau & Michaeli 2018, 10.1109/CVPR.2018.00652); better is to the lower right.

    A line joins the α of one method; its other variants have open markers of the same colour. Results far worse than
    the capture would compress the axes: an arrow at the border marks them, with their figures beside the name.

    Args:
        rows: rows of the summary; those without both figures are omitted.
    """
    figure, axes = panels(4.6)
    methods = _by_method(rows)
    worst = _worst_shown(methods)
    looks = cycle((shade, mark) for mark in _MARKS for shade in _SHADES)
    for method, points in methods.items():
        colour, mark = (FAINT, "s") if method == "captured" else next(looks)
        outside = [point for point in points if point.psnr < worst[0] or point.distance > worst[1]]
        inside = [point for point in points if point not in outside]
        curve = [point for point in inside if point.variant.startswith(CURVE)]
        if curve:
            _draw(axes, curve, color=colour, marker=mark, zorder=2, label=curve[0].title)
            for end in dict.fromkeys((curve[0], curve[-1])):
                _name(axes, end, colour)
        others = [point for point in inside if point not in curve]
        for point in others:
            _draw(
                axes,
                [point],
                color=colour,
                marker=mark,
                linestyle="none",
                zorder=3,
                markerfacecolor="white" if curve else colour,
                label=point.name,
            )
        for point in outside:
            place = point._replace(psnr=max(point.psnr, worst[0]), distance=min(point.distance, worst[1]))
            label = f"{point.name}\n(outside: {point.psnr:.1f} dB, {point.distance:.2f})"
            arrow = "<" if place.psnr > point.psnr else "^"
            _draw(axes, [place], color=colour, marker=arrow, linestyle="none", label=label)
    axes.set(xlabel="PSNR (dB), higher is better", ylabel="ST-LPIPS (VGG), lower is better")
    axes.margins(0.08)
    if methods:
        figure.legend(loc="outside right upper", fontsize=7)
    return figure


def _draw(axes: Axes, points: Sequence[_Point], **look: Any) -> None:
    axes.plot([p.psnr for p in points], [p.distance for p in points], markersize=5, **look)


def _name(axes: Axes, point: _Point, colour: str) -> None:
    place = (point.psnr, point.distance)
    axes.annotate(point.variant, place, xytext=(5, -2), textcoords="offset points", fontsize=6, color=colour)


def _worst_shown(methods: Mapping[str, Sequence[_Point]]) -> tuple[float, float]:
    """Limits of the axes, (PSNR, distance): worse than the capture by half of the best method's gain."""
    captured = methods.get("captured")
    if not captured:
        return float("-inf"), float("inf")
    psnr, distance = captured[0].psnr, captured[0].distance
    points = [point for each in methods.values() for point in each]
    gain, nearer = max(p.psnr for p in points) - psnr, distance - min(p.distance for p in points)
    return psnr - gain / 2, distance + nearer / 2


def _by_method(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[_Point]]:
    """Method → its rows that have both figures."""
    found: dict[str, list[_Point]] = {}
    for row in rows:
        psnr, distance = (row["figures"][key]["mean"] for key in ("psnr", "st_lpips"))
        if psnr is not None and distance is not None:
            point = _Point(row["variant"], psnr, distance, row.get("title", row["label"]))
            found.setdefault(row["method"], []).append(point)
    return found
