"""Modulation transfer over frequency, at the axis, the zone and the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.surfaces import surfaces_behind
from metalens.formats.drawing.field import channel_title
from metalens.formats.drawing.style import CHANNEL_COLOURS, FAINT, INK, panels
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.figures import PsfFigures
from metalens.psf.pictures.places import PLACE_COLOURS, chosen_places


def channel_modulation_figure(bank: PsfBank) -> Figure:
    """MTF of each channel including the pixel's, up to the sensor's Nyquist frequency."""
    titles = [channel_title(bank, channel) for channel in range(3)]
    return _figure(bank, bank.by_channel, [0, 1, 2], titles, list(CHANNEL_COLOURS), [None] * 3)


def wavelength_modulation_figure(bank: PsfBank) -> Figure:
    """Optical MTF at the wavelength nearest to the mean of each channel, with the diffraction limit.

    The bank must have been simulated.
    """
    assert bank.by_wavelength is not None
    mean = bank.channel_weight @ bank.wavelength
    chosen = [int(np.abs(bank.wavelength - each).argmin()) for each in mean]
    titles = [f"{1e9 * bank.wavelength[index]:.0f} nm" for index in chosen]
    limits = [_cutoff(bank.camera, bank.wavelength[index]) for index in chosen]
    return _figure(bank, bank.by_wavelength, chosen, titles, [INK] * 3, limits)


def _figure(
    bank: PsfBank,
    figures: PsfFigures,
    chosen: list[int],
    titles: list[str],
    colours: list[str],
    cutoffs: list[float | None],
) -> Figure:
    figure, curves = panels(2.9, 1, 3, sharex=True, sharey=True)
    nyquist = 0.5e-3 / bank.pixel_pitch
    frequency = figures.frequency * 1e-3
    ends = [1e-3 * cutoff for cutoff in cutoffs if cutoff is not None]
    right = min(frequency[-1], 1.05 * max(ends)) if ends else frequency[-1]
    right = max(right, 1.06 * nyquist)
    places = chosen_places(bank)
    for axes, index, title, colour, cutoff in zip(curves, chosen, titles, colours, cutoffs, strict=True):
        if cutoff is not None:
            axes.plot(frequency, _limit(figures.frequency / cutoff), ":", color=FAINT, linewidth=1.2)
        for node, shade in zip(places.values(), PLACE_COLOURS, strict=False):
            for line, direction in zip(("-", "--"), figures.modulation[node, index], strict=True):
                axes.plot(frequency, direction, line, color=shade, linewidth=1.3)
        axes.axvline(nyquist, color=FAINT, linewidth=0.9)
        axes.text(nyquist, 0.98, "Nyquist ", color=FAINT, fontsize=6.5, rotation=90, ha="right", va="top")
        axes.set(xlabel="cycles/mm", xlim=(0, right), ylim=(0, 1.02))
        axes.set_title(title, color=colour)
    curves[0].set_ylabel("modulation transfer")
    figure.legend(handles=_legend(list(places), any(cutoffs)), loc="outside lower center", ncols=6)
    shown = [*places.values()]
    figure.suptitle(_window(bank, float(figures.modulation[np.ix_(shown, chosen)][..., 0].min())), fontsize=7.5)
    return figure


def _window(bank: PsfBank, share: float) -> str:
    """The window in words, and the light to which modulation refers."""
    rows, columns = bank.intensity.shape[-2:]
    side = f"window of {rows} × {columns} px ({1e6 * columns * bank.pixel_pitch:.0f} µm)"
    return f"of the light in a {side}" if share == 1 else f"of all light; the {side} holds {share:.1%} or more"


def _legend(places: list[str], limited: bool) -> list[Any]:
    handles = [Line2D([], [], color=shade, label=name) for name, shade in zip(places, PLACE_COLOURS, strict=False)]
    handles += [Line2D([], [], color=INK, linestyle="-", label="tangential")]
    handles += [Line2D([], [], color=INK, linestyle="--", label="sagittal")]
    if limited:
        handles += [Line2D([], [], color=FAINT, linestyle=":", label="limit on axis")]
    return handles


def _cutoff(camera: Camera, wavelength: float) -> float | None:
    """Frequency in cycles/m at which the limit by diffraction of a round opening ends, small-angle convention."""
    # Behind the metasurface surfaces make another cone of light.
    if camera.lens.aperture is not None or surfaces_behind(camera.lens.surfaces):
        return None
    diameter = camera.lens.aperture_m if camera.lens.stop is None else camera.lens.stop.diameter_um * 1e-6
    return diameter / (wavelength * camera.lens.focal_length_m)


def _limit(share: np.ndarray) -> np.ndarray:
    """Transfer of an unaberrated round opening at shares of the cutoff (Goodman, Fourier Optics, Eq. 6-32)."""
    inside = np.clip(share, 0, 1)
    return 2 / np.pi * (np.arccos(inside) - inside * np.sqrt(1 - inside**2))
