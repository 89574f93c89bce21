"""Spectral weights of the colour channels."""

from __future__ import annotations

from matplotlib.figure import Figure

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.style import CHANNEL_COLOURS, CHANNEL_MARKS, COLUMN_WIDTH, panels
from metalens.formats.psf.bank import PsfBank


def spectrum_figure(bank: PsfBank) -> Figure:
    """The weight of each wavelength in each channel; a channel's weights sum to 1."""
    figure, axes = panels(2.8, width=COLUMN_WIDTH, grid="y")
    wavelength = 1e9 * bank.wavelength
    for name, weight, colour, mark in zip(
        CHANNEL_NAMES, bank.channel_weight, CHANNEL_COLOURS, CHANNEL_MARKS, strict=True
    ):
        seen = weight > 0
        axes.vlines(wavelength[seen], 0, weight[seen], color=colour, linewidth=1)
        axes.plot(wavelength[seen], weight[seen], mark, color=colour, markersize=4, label=name)
    title = f"{len(wavelength)} wavelengths"
    axes.set(xlabel="wavelength (nm)", ylabel="weight in the channel", ylim=(0, None), title=title)
    axes.legend()
    return figure
