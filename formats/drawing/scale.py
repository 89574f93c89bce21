"""Lengths on pictures: round numbers, bars, micrometres as text."""

from __future__ import annotations

from typing import Any

import numpy as np


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length))


def micrometres(length: float) -> str:
    """Metres as whole micrometres, with a minus sign as it is set in print."""
    return f"{round(length * 1e6):d}".replace("-", "−")


def draw_scale_bar(axes: Any, window: float, left: float, bottom: float) -> None:
    """Draw a white bar of round length into a window that is one unit of the axes wide.

    Args:
        axes: whose y points down.
        window: the window's side in micrometres.
        left: where the bar begins.
        bottom: its height in the axes.
    """
    length = round_length(0.35 * window)
    axes.plot([left, left + length / window], [bottom, bottom], color="white", linewidth=1.6, solid_capstyle="butt")
    axes.text(left, bottom - 0.05, f"{length:g} µm", color="white", fontsize=7, va="bottom")
