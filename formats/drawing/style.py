"""The house style of every figure: print sizes, fonts, colours; and how a figure is saved.

Nothing here touches matplotlib's global state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CHANNEL_COLOURS = ("#c23b3b", "#2f8f57", "#3564c4")
CHANNEL_MARKS = ("o", "s", "^")
"""Line styles of the channels, distinguishable in grey and with colour blindness."""

INK = "#1d2530"
FAINT = "#8a94a3"
RULE = "#e6e9ee"
ACCENT = "#b4501e"

MAP_COLOURS = "cividis"
LIGHT_COLOURS = "magma"
"""Colour maps with monotone lightness, so that they print in grey."""

TEXT_WIDTH = 7.2
"""Inches across both columns of a page."""

COLUMN_WIDTH = 4.6
"""Inches of a figure that stands in one column, enlarged."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.5,
    "figure.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.hashsalt": "metalens",
}

# Without a date a file depends on its content alone.
_UNDATED: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def panels(
    height: float,
    *shape: int,
    width: float = TEXT_WIDTH,
    grid: Literal["both", "x", "y"] | None = "both",
    **layout: Any,
) -> tuple[Figure, Any]:
    """A figure of one or more axes, laid out so that no label overlaps.

    Args:
        height: inches.
        shape: rows and columns of axes; without them, there is one.
        width: inches.
        grid: along which axes there are faint lines, if there are any.
        layout: of :meth:`matplotlib.figure.Figure.subplots`, such as ``sharex``.

    Returns:
        The figure, and its axes as ``subplots`` gives them.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(*shape, **layout)
    for each in np.ravel(np.asarray(axes, dtype=object)) if grid else ():
        each.grid(axis=grid, color=RULE, linewidth=0.6)
    return figure, axes


def save_figure(folder: Path, name: str, draw: Callable[[], Figure], resolution: Mapping[str, int]) -> list[Path]:
    """Draw a figure in the house style and write ``name.png``, ``name.pdf``, … into a folder.

    Args:
        folder: that is there.
        name: without ending.
        draw: makes the figure.
        resolution: format → dots per inch: of the whole figure, or of the pictures within vector graphics.

    Returns:
        The files, in the order of the formats.
    """
    paths = []
    with mpl.rc_context(_STYLE):
        figure = draw()
        FigureCanvasAgg(figure)
        for ending, dots in resolution.items():
            paths.append(folder / f"{name}.{ending}")
            figure.savefig(paths[-1], dpi=dots, metadata=_UNDATED.get(ending))
            if figure.get_layout_engine() is not None:
                figure.set_layout_engine("none")  # what was laid out once stays so
    return paths


def hide_spines(axes: Any) -> None:
    """Leave out the frame of a picture within axes."""
    for spine in axes.spines.values():
        spine.set_visible(False)
