"""The point spread functions over the field, on a logarithmic scale: in colour, or those of one channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from metalens.formats.drawing.field import EMPTY, channel_title, label_sheet, sheet_of_nodes
from metalens.formats.drawing.scale import draw_scale_bar, micrometres
from metalens.formats.drawing.style import LIGHT_COLOURS, hide_spines, panels
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import Bank, as_bank

DECADES = 4.0
"""How far below the brightest pixel of all channels and nodes the map reaches."""

_WIDTH = 6.4
_BESIDE = 1.4
"""Inches beside the map, for its labels and scale."""


def psf_figure(bank: Bank, channel: int | None = None) -> Figure:
    """The point spread functions over the field, all to one scale, which the pictures of one bank share.

    Args:
        bank: of any layout, or its ``psf.h5``.
        channel: one of the three, 0 to 2; without it, all in colour.

    Returns:
        A figure of matplotlib.

    Raises:
        InputError: there is no such channel.

    Example:
        >>> import metalens
        >>> camera = metalens.read_camera("hyperbolic").with_(
        ...     lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (16, 16), "pixel_pitch_um": 1}
        ... )
        >>> bank = metalens.simulate_bank(camera, fields=(2, 2), wavelengths_per_channel=1, window=(25, 25))
        >>> figure = metalens.psf_figure(bank)
        >>> len(figure.axes)
        2
    """
    if channel not in (None, 0, 1, 2):
        raise InputError(f"figure of point spread functions: channel {channel!r}, expected 0, 1 or 2.")
    bank = as_bank(bank)
    sheet = sheet_of_nodes(bank)
    rows, columns = sheet.shape
    brightest = float(np.log10(bank.intensity[sheet[sheet != EMPTY]].max()))
    height = (_WIDTH - _BESIDE) * rows / columns + 0.7
    beside = 0.1 if channel is None else 0.035
    figure, (axes, scale) = panels(max(height, 1.9), 1, 2, width=_WIDTH, grid=None, width_ratios=(1, beside))
    shade = _mosaic(bank, sheet, brightest)
    extent = (0, columns, rows, 0)
    if channel is None:
        axes.imshow(shade, interpolation="nearest", extent=extent, aspect="equal")
        _draw_colour_scale(scale, brightest)
    else:
        shown = shade[..., channel] * DECADES + brightest - DECADES
        ends = {"vmin": brightest - DECADES, "vmax": brightest}
        image = axes.imshow(shown, interpolation="nearest", extent=extent, aspect="equal", cmap=LIGHT_COLOURS, **ends)
        figure.colorbar(image, cax=scale).outline.set_visible(False)
        _label_decades(scale, brightest)
    _draw_cells(axes, bank, sheet)
    window = bank.intensity.shape[-1] * bank.pixel_pitch * 1e6
    draw_scale_bar(axes, window, 0.08, rows - 0.1 if sheet[-1, 0] != EMPTY else rows - 1.1)
    what = "point spread functions" if channel is None else channel_title(bank, channel)
    axes.set_title(f"{what}, each in its window of {window:.0f} µm")
    return figure


def _mosaic(bank: PsfBank, sheet: np.ndarray, brightest: float) -> np.ndarray:
    """Windows side by side, ``[y, x, channel]`` from 0 (dark) to 1 (the brightest pixel)."""
    with np.errstate(divide="ignore"):
        shade = 1 + (np.log10(bank.intensity[sheet]) - brightest) / DECADES
    shade[sheet == EMPTY] = 0
    rows, columns, channels, height, width = shade.shape
    return np.clip(shade, 0, 1).transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)


def _draw_cells(axes: Any, bank: PsfBank, sheet: np.ndarray) -> None:
    """Lines between the windows, and where each lies."""
    rows, columns = sheet.shape
    for position in range(1, rows):
        axes.axhline(position, color="white", linewidth=0.4, alpha=0.35)
    for position in range(1, columns):
        axes.axvline(position, color="white", linewidth=0.4, alpha=0.35)
    hide_spines(axes)
    if bank.layout != "scattered":
        label_sheet(axes, bank, sheet, middle=0.5)
        return
    axes.set(xticks=[], yticks=[], xlabel="(x, y) on the sensor in µm, by distance from the optical axis")
    for row, column in np.argwhere(sheet != EMPTY):
        y, x = bank.position[sheet[row, column]]
        place = f"({micrometres(x)}, {micrometres(y)})"
        axes.text(column + 0.06, row + 0.05, place, color="white", fontsize=5.5, va="top")


def _draw_colour_scale(scale: Any, brightest: float) -> None:
    """A ramp of each channel, and of all together."""
    ramp = np.linspace(0, 1, 256)
    strip = np.zeros((256, 4, 3))
    for column, shown in enumerate([(0,), (1,), (2,), (0, 1, 2)]):
        for channel in shown:
            strip[:, column, channel] = ramp
    extent = (0, 4, brightest - DECADES, brightest)
    scale.imshow(strip, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    scale.set_xticks([0.5, 1.5, 2.5, 3.5], ["R", "G", "B", "all"], fontsize=6)
    scale.tick_params(axis="x", length=0)
    scale.yaxis.tick_right()
    scale.yaxis.set_label_position("right")
    hide_spines(scale)
    _label_decades(scale, brightest)


def _label_decades(scale: Any, brightest: float) -> None:
    decades = np.arange(np.ceil(brightest - DECADES), np.floor(brightest) + 1)
    scale.set_yticks(decades, [f"$10^{{{value:.0f}}}$" for value in decades])
    scale.set_ylabel("share of the point's\nlight per pixel")
