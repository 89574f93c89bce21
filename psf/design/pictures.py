"""Figures of a design's report: progress of the search, phase, and comparison with the reference lens."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.camera.structure_tables import RadialGeometryTable
from metalens.formats.drawing.style import ACCENT, CHANNEL_COLOURS, CHANNEL_MARKS, FAINT, INK, RULE, panels
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.bank import phase_profile
from metalens.psf.design.evaluation import Evaluation
from metalens.psf.design.problem import Problem
from metalens.psf.design.run import Design


def history_figure(design: Design) -> Figure:
    """The loss over the trials and over the search, and each objective's figure."""
    rows, spec = design.state.history, design.problem.spec
    trials = len(design.task.starts)
    searching = rows[:, 0] == trials
    figure, (short, long, figures) = panels(2.9, 1, 3, width_ratios=(1, 1.4, 1.4))
    best = int(design.state.trial_loss.argmin()) if len(design.state.trial_loss) else 0
    for trial in range(trials):
        line = rows[rows[:, 0] == trial, 1]
        chosen = trial == best
        short.plot(line, color=ACCENT if chosen else FAINT, linewidth=1.6 if chosen else 0.9, zorder=2 + chosen)
    short.set(xlabel="step", ylabel="loss", title=f"{trials} starts")
    long.plot(rows[searching, 1], color=ACCENT, linewidth=1.0)
    if searching.any():
        long.plot(np.minimum.accumulate(rows[searching, 1]), color=INK, linewidth=1.2)
        long.legend(["each step", "best so far"])
    long.set(xlabel="step", title="search")
    for number, (objective, colour) in enumerate(zip(spec.objectives, _colours(len(spec.objectives)), strict=True)):
        figures.semilogy(np.exp(rows[searching, 2 + number]), color=colour, label=objective.kind)
    figures.legend()
    figures.set(xlabel="step", title="objectives")
    return figure


def _colours(count: int) -> list[str]:
    shades = [ACCENT, *CHANNEL_COLOURS[::-1], INK, FAINT]
    return [shades[number % len(shades)] for number in range(count)]


def lens_comparison(problem: Problem, cameras: dict[str, Camera]) -> Figure:
    """Lenses along their radius: their phase and where their rings focus; of meta-atoms, their geometry.

    Args:
        problem: the specification.
        cameras: to be compared, by name.

    Returns:
        The figure, not yet written.
    """
    tables = {name: camera.lens.radial_geometry for name, camera in cameras.items()}
    if any(table is not None for table in tables.values()):
        return _geometry_figure({name: table for name, table in tables.items() if table is not None})
    return _phase_figure(problem, cameras)


def _geometry_figure(tables: dict[str, RadialGeometryTable]) -> Figure:
    """The meta-atoms' width over the distance from the centre."""
    figure, axes = panels(2.6)
    for (name, table), colour in zip(tables.items(), (ACCENT, FAINT), strict=False):
        radius = 1e-3 * table.spacing_nm * np.arange(len(table.geometry_nm))
        axes.plot(radius, table.geometry_nm, color=colour, label=name, linewidth=0.8)
    axes.set(xlabel="distance from the lens' centre (µm)", ylabel="width of the meta-atoms (nm)")
    axes.legend()
    return figure


def _phase_figure(problem: Problem, cameras: dict[str, Camera]) -> Figure:
    figure, (profile, focus) = panels(2.8, 1, 2)
    middle = float(np.median(problem.wavelength))
    for (name, camera), style in zip(cameras.items(), ("-", "--"), strict=False):
        radius, phase = phase_profile(metalens_of(camera))
        colour = ACCENT if style == "-" else FAINT
        profile.plot(1e6 * radius, phase, style, color=colour, label=name)
        # The ray through a ring is bent by λφ'/2π and meets the axis at r/tan of that angle.
        sine = -np.gradient(phase, radius) * middle / (2 * np.pi)
        inside = np.clip(sine, -0.999, 0.999)
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = 1e6 * radius * np.sqrt(1 - inside**2) / inside
        # At the centre there is no ray to cross with.
        focus.plot(1e6 * radius[1:], np.where(np.abs(sine) < 1, crossing, np.nan)[1:], style, color=colour)
    length = 1e6 * float(problem.view.lens.focal_length)
    focus.axhline(length, color=RULE, linewidth=1, zorder=0)
    focus.set(ylim=(0.4 * length, 1.8 * length), ylabel=f"where {1e9 * middle:.0f} nm crosses the axis (µm)")
    profile.set_ylabel("phase (rad)")
    profile.legend()
    for axes in (profile, focus):
        axes.set_xlabel("distance from the lens' centre (µm)")
    return figure


def field_comparison(evaluations: list[Evaluation], channel_wavelength: np.ndarray) -> Figure:
    """Strehl ratio, contrast and expected restored error over the field, colour by colour.

    Args:
        evaluations: of the design, drawn solid, and of the other lens, dashed.
        channel_wavelength: ``[channel]`` number of the wavelength that stands for each channel.

    Returns:
        The figure, not yet written.
    """
    figure, (strehl, contrast, restored) = panels(3.1, 1, 3)
    for evaluation, style in zip(evaluations, ("-", "--"), strict=False):
        for channel, (colour, mark) in enumerate(zip(CHANNEL_COLOURS, CHANNEL_MARKS, strict=True)):
            look: Any = {"color": colour, "linestyle": style, "marker": mark, "markersize": 3, "linewidth": 1.1}
            strehl.semilogy(evaluation.fields_deg, evaluation.strehl[:, channel_wavelength[channel]], **look)
            contrast.semilogy(evaluation.fields_deg, evaluation.modulation[:, channel].min(axis=-1), **look)
            restored.plot(evaluation.fields_deg, -10 * np.log10(evaluation.restored[:, channel]), **look)
    strehl.set(xlabel="field (°)", title="Strehl ratio")
    contrast.set(xlabel="field (°)", title="contrast at ¼ Nyquist")
    restored.set(xlabel="field (°)", title="restored, expected (dB)")
    names = [
        Line2D([], [], color=colour, marker=mark, markersize=3, label=name)
        for colour, mark, name in zip(CHANNEL_COLOURS, CHANNEL_MARKS, CHANNEL_NAMES, strict=True)
    ]
    handles = [
        Line2D([], [], color=INK, linestyle="-" if number == 0 else "--", label=evaluation.name)
        for number, evaluation in enumerate(evaluations)
    ]
    figure.legend(handles=[*names, *handles], loc="outside lower center", ncols=5)
    return figure
