"""Figures of merit over the field: maps of each channel with their numbers, curves for a radius, marks elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.field import LARGEST_GRID, channel_title, label_sheet
from metalens.formats.drawing.style import (
    CHANNEL_COLOURS,
    CHANNEL_MARKS,
    COLUMN_WIDTH,
    INK,
    MAP_COLOURS,
    hide_spines,
    panels,
)
from metalens.formats.psf.bank import PsfBank

LINES = ("-", "--", ":")
"""Line styles of the figures that one picture compares."""


def width_figure(bank: PsfBank) -> Figure:
    """The full width at half maximum of DMDiff's Eq. 2 of each channel over the field."""
    widths = bank.by_channel.full_width_half_maximum * 1e6
    return field_figure(bank, {"": widths}, "full width at half maximum (µm)")


def field_figure(bank: PsfBank, values: Mapping[str, np.ndarray], label: str) -> Figure:
    """Figures of merit of each channel over the field, all to one scale.

    Args:
        bank: of any layout.
        values: name → ``[node, channel]`` in the unit of the label; one without a name, or several to compare.
        label: what is shown, with its unit.

    Returns:
        Curves over the distance from the axis for a radial bank, else a map for each name and channel.
    """
    if bank.layout == "radial":
        return _radial_figure(bank, values, label)
    low, high = _extremes(values)
    aspect = np.divide(*bank.as_grid(bank.position).shape[:2]) if bank.layout == "grid" else 1.0
    height = 0.55 + max(1.95 * aspect, 1.0) * len(values)
    figure, lines = panels(min(height, 9.5), len(values), 3, grid=None, sharex=True, sharey=True, squeeze=False)
    for line, (name, each) in zip(lines, values.items(), strict=True):
        for channel, axes in enumerate(line):
            draw = _draw_map if bank.layout == "grid" else _draw_marks
            image = draw(axes, bank, each[:, channel], low, high)
            if axes in lines[0]:
                axes.set_title(channel_title(bank, channel), color=CHANNEL_COLOURS[channel])
            axes.label_outer()
        if name:
            line[0].set_ylabel(f"{name}\n{line[0].get_ylabel()}")
    figure.colorbar(image, ax=lines, shrink=0.9, pad=0.015, aspect=20 * len(values)).set_label(label)
    return figure


def _extremes(values: Mapping[str, np.ndarray]) -> tuple[float, float]:
    return min(float(each.min()) for each in values.values()), max(float(each.max()) for each in values.values())


def draw_radial_curve(
    axes: Any, bank: PsfBank, channel: int, values: np.ndarray, label: str, line: str = LINES[0]
) -> None:
    """Draw a figure of one channel over the distance from the axis, for a radial bank.

    Args:
        axes: of matplotlib.
        bank: with the layout ``radial``.
        channel: 0 red, 1 green, 2 blue; it decides the colour.
        values: ``[node]``.
        label: in the legend.
        line: style of matplotlib.
    """
    axes.plot(
        bank.position[:, 1] * 1e6,
        values,
        line,
        color=CHANNEL_COLOURS[channel],
        marker=CHANNEL_MARKS[channel],
        markersize=3.5,
        markerfacecolor=None if line == LINES[0] else "white",
        label=label,
    )
    axes.set_xlabel("distance from the optical axis (µm)")


def _radial_figure(bank: PsfBank, values: Mapping[str, np.ndarray], label: str) -> Figure:
    figure, axes = panels(3.0 if len(values) == 1 else 3.6, width=COLUMN_WIDTH)
    for line, (name, each) in zip(LINES, values.items(), strict=False):
        for channel in range(3):
            text = f"{channel_title(bank, channel)}, {name}".removesuffix(", ")
            draw_radial_curve(axes, bank, channel, each[:, channel], text, line)
    axes.set_ylabel(label)
    axes.ticklabel_format(useOffset=False)
    low, high = _extremes(values)
    if low < 0.5 * high:
        axes.set_ylim(0, 1.06 * high)
    figure.legend(loc="outside lower center", ncols=3 if len(values) == 1 else 2)
    return figure


def _draw_map(axes: Any, bank: PsfBank, values: np.ndarray, low: float, high: float) -> Any:
    """Cells of a grid; with their numbers, where there is room for them."""
    cells = bank.as_grid(values)
    image = axes.imshow(cells, cmap=MAP_COLOURS, vmin=low, vmax=high)
    if max(cells.shape) <= LARGEST_GRID:
        for (row, column), value in np.ndenumerate(cells):
            colour = INK if value - low > 0.55 * (high - low) else "white"
            axes.text(column, row, _short(value, high - low), ha="center", va="center", fontsize=6, color=colour)
    label_sheet(axes, bank, bank.as_grid(np.arange(len(bank.position))), middle=0.0, most=4)
    axes.tick_params(labelsize=6.5)
    hide_spines(axes)
    return image


def _draw_marks(axes: Any, bank: PsfBank, values: np.ndarray, low: float, high: float) -> Any:
    y, x = bank.position.T * 1e6
    marks = axes.scatter(x, y, c=values, cmap=MAP_COLOURS, vmin=low, vmax=high, s=36, edgecolors=INK, linewidths=0.4)
    axes.set(xlabel="x on the sensor (µm)", ylabel="y on the sensor (µm)", aspect="equal")
    axes.margins(0.1)
    # Row 0 of a picture is at the top.
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    return marks


def _short(value: float, span: float) -> str:
    """As many digits as tell the values of a map apart."""
    if span < 1:
        return f"{value:.2f}"
    return f"{value:.0f}" if value >= 9.95 and span > 10 else f"{value:.1f}"
