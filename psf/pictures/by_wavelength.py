"""Figures of merit over field and wavelength, before the sum over wavelengths."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.style import MAP_COLOURS, hide_spines, panels
from metalens.formats.psf.bank import PsfBank
from metalens.psf.pictures.places import PLACE_COLOURS, chosen_places

NEAR = 1e-8
"""Metres within which distances from the axis count as one."""


def strehl_figure(bank: PsfBank) -> Figure:
    """The Strehl ratio over field and wavelength: its map, and its curves at the axis, the zone and the edge.

    The bank must have been simulated.
    """
    assert bank.by_wavelength is not None
    assert bank.by_wavelength.strehl_ratio is not None
    figure, (left, right) = panels(2.9, 1, 2)
    left.grid(visible=False)
    _draw_map(figure, left, bank, bank.by_wavelength.strehl_ratio, "Strehl ratio")
    left.set(xlabel="wavelength (nm)", ylabel="distance from the optical axis (µm)")
    for (name, node), colour in zip(chosen_places(bank).items(), PLACE_COLOURS, strict=False):
        for number, group in enumerate(_groups(bank.wavelength)):
            label = name if number == 0 else None
            values = bank.by_wavelength.strehl_ratio[node, group]
            right.plot(1e9 * bank.wavelength[group], values, ".-", color=colour, markersize=4, label=label)
    right.set(xlabel="wavelength (nm)", ylabel="Strehl ratio", ylim=(0, None))
    right.legend()
    return figure


def wavelength_figure(bank: PsfBank) -> Figure:
    """All other figures over field and wavelength, a map each.

    The bank must have been simulated.
    """
    figures = bank.by_wavelength
    assert figures is not None
    shown = {
        "full width at half maximum,\nEq. 2 (µm)": 1e6 * figures.full_width_half_maximum,
        "tangential width\nof the contour (µm)": 1e6 * figures.tangential_width,
        "sagittal width\nof the contour (µm)": 1e6 * figures.sagittal_width,
        "RMS width (µm)": 1e6 * figures.rms_width,
        "radius of 50 % energy (µm)": 1e6 * figures.half_energy_radius,
        "radius of 80 % energy (µm)": 1e6 * figures.eighty_percent_energy_radius,
        "share of the light\nin the window": figures.window_share,
        "tangential modulation\nat Nyquist": figures.nyquist_modulation[..., 0],
        "sagittal modulation\nat Nyquist": figures.nyquist_modulation[..., 1],
    }
    figure, maps = panels(6.2, 3, 3, grid=None, sharex=True, sharey=True)
    for axes, (label, values) in zip(maps.flat, shown.items(), strict=True):
        _draw_map(figure, axes, bank, values, label)
    figure.supxlabel("wavelength (nm)", fontsize=8.5)
    figure.supylabel("distance from the optical axis (µm)", fontsize=8.5)
    return figure


def _draw_map(figure: Figure, axes: Any, bank: PsfBank, values: np.ndarray, label: str) -> None:
    """A map of ``[node, wavelength]`` over wavelength and distance; nodes at equal distance are averaged."""
    distance, means = _over_distance(bank, values)
    low, high = float(means.min()), float(means.max())
    edges = np.maximum(_edges(1e6 * distance), 0)
    for group in _groups(bank.wavelength):
        image = axes.pcolormesh(
            _edges(1e9 * bank.wavelength[group]), edges, means[:, group], cmap=MAP_COLOURS, vmin=low, vmax=high
        )
    hide_spines(axes)
    axes.tick_params(labelsize=6.5)
    bar = figure.colorbar(image, ax=axes, pad=0.03)
    bar.set_label(label, fontsize=7)
    bar.ax.tick_params(labelsize=6.5)
    bar.outline.set_visible(False)


def _over_distance(bank: PsfBank, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances ``[distance]`` from the axis, ascending, and means ``[distance, wavelength]``."""
    away = np.linalg.norm(bank.position, axis=1)
    order = np.argsort(away, kind="stable")
    starts = np.flatnonzero(np.diff(away[order], prepend=-np.inf) > NEAR)
    counts = np.diff(np.append(starts, len(away)))
    return away[order][starts], np.add.reduceat(values[order], starts, axis=0) / counts[:, None]


def _groups(wavelength: np.ndarray) -> list[slice]:
    """Runs of neighbouring wavelengths: between the bands of a spectrum lies a gap in which nothing was simulated."""
    steps = np.diff(wavelength)
    gaps = np.flatnonzero(steps > 2.5 * np.median(steps)) + 1 if len(steps) > 1 else np.arange(1, len(wavelength))
    return [slice(first, last) for first, last in zip([0, *gaps], [*gaps, len(wavelength)], strict=True)]


def _edges(middle: np.ndarray) -> np.ndarray:
    """Edges ``[n + 1]`` of cells half-way between ascending middles ``[n]``; a single cell is 10 wide."""
    if len(middle) == 1:
        return middle[0] + np.array([-5.0, 5.0])
    between = 0.5 * (middle[1:] + middle[:-1])
    return np.concatenate([[2 * middle[0] - between[0]], between, [2 * middle[-1] - between[-1]]])
