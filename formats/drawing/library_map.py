"""A library of meta-atoms: transmission and phase over geometry and wavelength, its coverage, and its angles."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.style import CHANNEL_COLOURS, MAP_COLOURS, hide_spines, panels
from metalens.formats.meta_atoms.coverage import coverage_of
from metalens.formats.meta_atoms.library import AtomLibrary

PHASE_COLOURS = "twilight"
"""Goes round: a turn ends where it began."""


def transmission_figure(library: AtomLibrary) -> Figure:
    """Power and phase of the zeroth order over geometry and wavelength, at the first angle and polarisation."""
    table = library.transmission[0, 0]
    figure, (left, right) = panels(3.0, 1, 2, grid=None)
    _draw_map(figure, left, library, np.abs(table) ** 2, "share of the power", MAP_COLOURS, (0.0, 1.0))
    _draw_map(figure, right, library, np.angle(table), "phase (rad)", PHASE_COLOURS, (-np.pi, np.pi))
    left.set_title(_title(library))
    return figure


def coverage_figure(library: AtomLibrary) -> Figure:
    """Range of phase and lowest amplitude over wavelength, at the first angle and polarisation."""
    found = coverage_of(library)
    figure, (left, right) = panels(2.6, 1, 2)
    nanometres = 1e9 * found.wavelength
    left.plot(nanometres, found.phase_range / (2 * np.pi), ".-", color=CHANNEL_COLOURS[2], label="range")
    left.plot(nanometres, found.covered / (2 * np.pi), ".--", color=CHANNEL_COLOURS[0], label="without the largest gap")
    left.set(xlabel="wavelength (nm)", ylabel="phase (turns)", ylim=(0, None))
    left.legend()
    right.plot(nanometres, found.lowest_amplitude, ".-", color=CHANNEL_COLOURS[2], label="lowest amplitude")
    right.plot(nanometres, found.mean_power, ".--", color=CHANNEL_COLOURS[0], label="mean power")
    right.set(xlabel="wavelength (nm)", ylabel="zeroth order", ylim=(0, 1.02))
    right.legend()
    return figure


def angle_figure(library: AtomLibrary) -> Figure:
    """How far the zeroth order turns away from normal incidence: power and phase, at the middle wavelength."""
    place = len(library.wavelength) // 2
    count = len(library.polarisations)
    figure, rows = panels(2.9 * count, count, 2, squeeze=False)
    across, label = _geometry(library)
    for row, (polarisation, (power, phase)) in enumerate(zip(library.polarisations, rows, strict=True)):
        for number, angle in enumerate(library.angle):
            values = library.transmission[row, number, :, place]
            style: dict[str, Any] = {"color": f"C{number}", "label": f"{np.degrees(angle):.3g}°"}
            power.plot(across, np.abs(values) ** 2, **style)
            turned = np.angle(values * np.conj(library.transmission[row, 0, :, place]))
            phase.plot(across, turned, **style)
        title = f"{polarisation}, {1e9 * library.wavelength[place]:.4g} nm"
        power.set(xlabel=label, ylabel="share of the power", ylim=(0, 1.02))
        power.set_title(title, loc="center")
        phase.set(xlabel=label, ylabel="phase less that at the first angle (rad)")
        power.legend()
    return figure


def error_figure(library: AtomLibrary) -> Figure:
    """Fourier orders that were used, and the last change of t, over geometry and wavelength."""
    assert library.orders is not None
    assert library.error is not None
    figure, (left, right) = panels(3.0, 1, 2, grid=None)
    _draw_map(figure, left, library, library.orders, "Fourier orders", MAP_COLOURS, None)
    _draw_map(figure, right, library, library.error, "change of t at the last step", MAP_COLOURS, None)
    return figure


def pictures_of_library(library: AtomLibrary) -> dict[str, Any]:
    """File name without ending → what draws the picture of a library."""
    pictures: dict[str, Any] = {"transmission": transmission_figure, "coverage": coverage_figure}
    if len(library.angle) > 1:
        pictures["angle"] = angle_figure
    if library.orders is not None and library.error is not None:
        pictures["convergence"] = error_figure
    return pictures


def _geometry(library: AtomLibrary) -> tuple[np.ndarray, str]:
    if len(library.parameter_names) == 1:
        return 1e9 * library.geometry[:, 0], f"{library.parameter_names[0].replace('_', ' ')} (nm)"
    return np.arange(len(library.geometry), dtype=float), "number of the geometry"


def _title(library: AtomLibrary) -> str:
    return f"{library.name}: {library.polarisations[0]}, {np.degrees(library.angle[0]):.3g}°"


def _draw_map(
    figure: Figure, axes: Any, library: AtomLibrary, values: np.ndarray, label: str, colours: str, ends: Any
) -> None:
    across, name = _geometry(library)
    wavelength = 1e9 * library.wavelength
    limits = {} if ends is None else {"vmin": ends[0], "vmax": ends[1]}
    mesh = axes.pcolormesh(_edges(across), _edges(wavelength), values.T, cmap=colours, rasterized=True, **limits)
    figure.colorbar(mesh, ax=axes, label=label).outline.set_visible(False)
    hide_spines(axes)
    axes.set(xlabel=name, ylabel="wavelength (nm)")


def _edges(centres: np.ndarray) -> np.ndarray:
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    inner = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])
