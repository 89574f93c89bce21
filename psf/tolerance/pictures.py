"""Pictures of a Monte Carlo: distributions of the figures of merit, and which errors matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.style import ACCENT, CHANNEL_COLOURS, FAINT, INK, panels
from metalens.psf.tolerance.evaluation import FIGURES
from metalens.psf.tolerance.monte_carlo import MonteCarlo

TITLES = {
    "strehl_ratio": "Strehl ratio",
    "modulation_quarter": "modulation at Nyquist/4",
    "modulation_half": "modulation at Nyquist/2",
    "width_um": "width, Eq. 2 (µm)",
    "half_energy_radius_um": "radius of 50 % energy (µm)",
    "restored_db": "restored (dB)",
    "window_share": "light in the window",
    "efficiency": "efficiency",
    "diffuse_share": "scattered light",
}

ERROR_TITLES = {
    "width_error_nm": "width",
    "width_spread_nm": "local width",
    "height_error_nm": "height",
    "index_error": "index",
    "missing_share": "missing",
    "pitch_error_percent": "pitch",
    "defocus_um": "defocus",
    "tilt_y_deg": "tilt y",
    "tilt_x_deg": "tilt x",
    "decentre_y_um": "decentre y",
    "decentre_x_um": "decentre x",
    "surface_radius_percent": "radii",
    "surface_distance_um": "distances",
    "glass_index_error": "glass index",
}


def distribution_figure(found: MonteCarlo) -> Figure:
    """Distribution of each figure of merit at its worst field point, per colour, with the nominal lens."""
    figure, cells = panels(6.0, 3, 3)
    for number, (axes, (name, end)) in enumerate(zip(cells.flat, FIGURES.items(), strict=True)):
        values = found.figures[:, number]
        worst = values.min(axis=1) if end == "least" else values.max(axis=1)
        drawn = found.drawn[number].min(axis=0) if end == "least" else found.drawn[number].max(axis=0)
        _draw_curves(axes, worst, drawn)
        limit = found.run.spec.limits.given.get(name)
        if limit is not None:
            axes.axvline(limit, color=ACCENT, linewidth=1.2)
        axes.set_title(TITLES[name], fontsize=7.5)
    for axes in cells[:, 0]:
        axes.set_ylabel("share of lenses below")
    figure.legend(*cells[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_curves(axes: Any, worst: np.ndarray, drawn: np.ndarray) -> None:
    """Share of the lenses below each value, a curve a colour ``[draw, channel]``; dotted, the lens as drawn."""
    for channel, colour in enumerate(CHANNEL_COLOURS):
        axes.ecdf(worst[:, channel], color=colour, linewidth=1.2, label=CHANNEL_NAMES[channel])
        axes.axvline(drawn[channel], color=colour, linestyle=":", linewidth=1.0)
    axes.plot([], [], ":", color=INK, label="as drawn")
    axes.set_ylim(0, 1.02)
    axes.tick_params(labelsize=6)


def ranking_figure(found: MonteCarlo, sensitivity: Mapping[str, Any]) -> Figure:
    """Draw the importance of each error for each figure of merit: shares of the variance, or changes by one σ.

    A dashed line is what all errors explain, each alone.

    Args:
        found: the Monte Carlo run.
        sensitivity: ranking of the errors for each figure of merit.

    Returns:
        The figure.
    """
    figure, cells = panels(1.2 + 0.6 * max(len(found.names), 4), 3, 3, grid="x")
    for axes, name in zip(cells.flat, FIGURES, strict=True):
        told = sensitivity[name]["worst_over_field_and_colour"]
        rows = told["ranking"][:6]
        place = np.arange(len(rows))
        if told["explained"] is None:
            size = [max(abs(row["change_at_minus_sigma"]), abs(row["change_at_plus_sigma"])) for row in rows]
            axes.set_xlabel("change by one σ", fontsize=6.5)
        else:
            size = [row["share_of_variance"] for row in rows]
            axes.set_xlim(0, 1)
        axes.barh(place, size, color=INK, height=0.6)
        axes.set_yticks(place, [ERROR_TITLES[row["error"]] for row in rows], fontsize=6.5)
        axes.invert_yaxis()
        axes.tick_params(axis="x", labelsize=6)
        axes.tick_params(axis="y", length=0)
        axes.set_axisbelow(True)
        axes.set_title(TITLES[name], fontsize=7.5)
        if told["explained"] is not None and told["explained"] < 0.995:
            axes.axvline(told["explained"], color=FAINT, linewidth=0.9, linestyle="--")
    return figure
