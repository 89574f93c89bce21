"""Charts that can be read in dark and light: what is not a curve takes the colours of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from nicegui import ui

from metalens.formats.camera.spectrum import CHANNEL_NAMES

Options = dict[str, Any]

INK = "var(--metalens-faint)"
"""Colour of what is written on a chart."""

_RULE = "var(--metalens-rule)"
_AXIS = {
    "axisLine": {"onZero": False, "lineStyle": {"color": INK}},
    "axisTick": {"lineStyle": {"color": INK}},
    "axisLabel": {"color": INK},
    "nameTextStyle": {"color": INK},
    "splitLine": {"lineStyle": {"color": _RULE}},
}
_THEME = {
    "valueAxis": _AXIS,
    "categoryAxis": _AXIS,
    "legend": {"textStyle": {"color": INK}, "inactiveColor": _RULE},
    "tooltip": {
        "backgroundColor": "var(--metalens-code)",
        "borderColor": _RULE,
        "textStyle": {"color": "var(--metalens-ink)"},
    },
}

_COLOURS = ("#d04a4a", "#2f9a5f", "#4a7ae0")
_DIRECTIONS = (("tangential", "solid"), ("sagittal", "dashed"))


class Chart(ui.echart):
    """A chart of ECharts.

    Args:
        label: what it shows, for those who do not see it.
        options: of ECharts.
    """

    def __init__(self, label: str, options: Options) -> None:
        # Only SVG takes the variables of the page's style.
        super().__init__(options, renderer="svg", theme=_THEME)
        self.props("role=img").props["aria-label"] = label

    def draw(self, options: Options) -> None:
        """Draw something else.

        Args:
            options: of ECharts.
        """
        self.options.clear()
        self.options.update(options)
        self.update()


def axis(name: str, gap: int = 26, **more: Any) -> Options:
    """An axis of values.

    Args:
        name: with its unit.
        gap: pixels between the axis and its name.
        more: of ECharts.

    Returns:
        Options of ECharts for one axis.
    """
    return {"type": "value", "name": name, "nameLocation": "middle", "nameGap": gap, **more}


def curves(x: Options, y: Options, series: list[Options], **more: Any) -> Options:
    """The options of a chart of curves.

    Args:
        x: its horizontal axis.
        y: its vertical axis.
        series: the curves, each with ``data`` and whatever differs from a plain line.
        more: of ECharts.

    Returns:
        Options of ECharts; the series are drawn as lines without symbols.
    """
    return {
        "animation": False,
        "grid": {"left": 56, "right": 12, "top": 12, "bottom": 44},
        "tooltip": {"trigger": "axis"},
        "xAxis": x,
        "yAxis": y,
        "series": [{"type": "line", "showSymbol": False} | each for each in series],
        **more,
    }


def channel_curves(x: Options, y: Options, across: np.ndarray, values: np.ndarray) -> Options:
    """The options of a chart with two curves of each channel, and a legend.

    Args:
        x: its horizontal axis.
        y: its vertical axis.
        across: ``[point]``.
        values: ``[channel, (tangential, sagittal), point]``.

    Returns:
        Options of ECharts: six curves, tangential and sagittal of each channel, with a legend.
    """
    series = [
        {
            "name": f"{name}, {direction}",
            "data": np.stack([across, values[channel, number]], axis=-1).tolist(),
            "lineStyle": {"color": _COLOURS[channel], "type": dashes, "width": 1.6},
            "itemStyle": {"color": _COLOURS[channel]},
        }
        for channel, name in enumerate(CHANNEL_NAMES)
        for number, (direction, dashes) in enumerate(_DIRECTIONS)
    ]
    legend = {"top": 0, "left": "center", "itemWidth": 26, "itemHeight": 8, "textStyle": {"fontSize": 11}}
    return curves(x, y, series, legend=legend, grid={"left": 56, "right": 16, "top": 60, "bottom": 44})
