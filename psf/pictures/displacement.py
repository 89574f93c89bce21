"""Displacement of each channel: relative to the chief ray, and relative to green."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.field import channel_title, spread_indices
from metalens.formats.drawing.field_map import draw_radial_curve
from metalens.formats.drawing.scale import round_length
from metalens.formats.drawing.style import CHANNEL_COLOURS, COLUMN_WIDTH, FAINT, TEXT_WIDTH, panels
from metalens.formats.psf.bank import GREEN, PsfBank

MOST_ARROWS = 15
"""Along each side of a grid."""

SHORTEST = 1e-9
"""Smallest length in metres that the arrow scale represents; anything shorter is rounding error."""


def centroid_figure(bank: PsfBank) -> Figure:
    """The centroid of each channel relative to the chief ray."""
    shown = {channel: bank.by_channel.centroid[:, channel] for channel in range(3)}
    return _figure(bank, shown, {channel: channel_title(bank, channel) for channel in shown}, "centroid from chief ray")


def lateral_colour_figure(bank: PsfBank) -> Figure:
    """The centroids of red and blue relative to that of green."""
    shown = {channel: bank.lateral_colour[:, channel] for channel in range(3) if channel != GREEN}
    titles = {channel: f"{CHANNEL_NAMES[channel]} − {CHANNEL_NAMES[GREEN]}" for channel in shown}
    return _figure(bank, shown, titles, "lateral colour")


def _figure(bank: PsfBank, shown: Mapping[int, np.ndarray], titles: Mapping[int, str], label: str) -> Figure:
    """Arrows of vectors ``[node, (y, x)]``, for a radius curves of their part away from the axis."""
    if bank.layout == "radial":
        figure, axes = panels(3.0, width=COLUMN_WIDTH)
        for channel, vectors in shown.items():
            draw_radial_curve(axes, bank, channel, 1e6 * vectors[:, 1], titles[channel])
        axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
        axes.legend()
        axes.set_ylabel(f"{label}, away from the axis (µm)")
        return figure
    longest = max(SHORTEST, *(float(np.linalg.norm(each, axis=1).max()) for each in shown.values()))
    width = TEXT_WIDTH * len(shown) / 3
    figure, fields = panels(3.0, 1, len(shown), width=width, grid=None, sharex=True, sharey=True)
    for axes, (channel, vectors) in reversed(list(zip(fields, shown.items(), strict=True))):
        arrows = _draw_arrows(axes, bank, vectors, longest, CHANNEL_COLOURS[channel])
        axes.set_title(titles[channel], color=CHANNEL_COLOURS[channel])
        axes.label_outer()
    _draw_key(arrows, longest, label)
    return figure


def _draw_arrows(axes: Any, bank: PsfBank, vectors: np.ndarray, longest: float, colour: str) -> Any:
    """Draw arrows, the longest of which nearly reaches from one node to the next."""
    node = np.arange(len(bank.position))
    if bank.layout == "grid":
        rows, columns = (spread_indices(count, MOST_ARROWS) for count in bank.as_grid(node).shape)
        node = bank.as_grid(node)[np.ix_(rows, columns)].ravel()
    place = bank.position[node] * 1e6
    extent = float(np.ptp(place, axis=0).max()) or 1.0
    reach = 0.85 * extent / max(np.sqrt(len(node)) - 1, 1)
    axes.plot(*place.T[::-1], ".", color=FAINT, markersize=2.5)
    arrows = axes.quiver(
        *place.T[::-1], *vectors[node].T[::-1], color=colour, angles="xy", scale_units="xy", scale=longest / reach,
        width=0.008, minlength=0,
    )  # fmt: skip
    margin = reach + 0.02 * extent
    (top, left), (bottom, right) = place.min(axis=0) - margin, place.max(axis=0) + margin
    # Row 0 of a picture is at the top; below the last one there is room for the key.
    axes.set(xlim=(left, right), ylim=(bottom + 0.14 * extent, top), aspect="equal")
    axes.set(xlabel="x on the sensor (µm)", ylabel="y on the sensor (µm)")
    return arrows


def _draw_key(arrows: Any, longest: float, label: str) -> None:
    """An arrow of round length in the lower left corner."""
    axes = arrows.axes
    length = round_length(longest)
    text = f"{1e6 * length:g} µm" if length >= 1e-7 else f"{1e9 * length:.3g} nm"
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0]
    width, height = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
    axes.quiverkey(
        arrows, left + 0.2 * width, bottom - 0.06 * height, length, f"{label}, {text}", labelpos="E",
        coordinates="data", fontproperties={"size": 6.5}, labelsep=0.05,
    )  # fmt: skip
