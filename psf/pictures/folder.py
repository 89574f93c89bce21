"""All pictures of a bank in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.formats.drawing.field_map import field_figure, width_figure
from metalens.formats.drawing.psf_map import psf_figure
from metalens.formats.drawing.style import save_figure
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.psf.bank import PsfBank
from metalens.psf.pictures.by_wavelength import strehl_figure, wavelength_figure
from metalens.psf.pictures.channel_spectrum import spectrum_figure
from metalens.psf.pictures.displacement import centroid_figure, lateral_colour_figure
from metalens.psf.pictures.modulation import channel_modulation_figure, wavelength_modulation_figure
from metalens.psf.pictures.phase_profile import phase_figure

RESOLUTION = 150
"""Dots per inch of the PNG files."""

VECTOR_RESOLUTION = 300
"""Dots per inch of the pictures within vector graphics."""


def pictures_of(bank: PsfBank) -> dict[str, Callable[[], Figure]]:
    """File name without ending → what draws the picture.

    A measured bank has none by wavelength.
    """
    figures = bank.by_channel
    widths = {"tangential": 1e6 * figures.tangential_width, "sagittal": 1e6 * figures.sagittal_width}
    modulation = dict(zip(("tangential", "sagittal"), 100 * figures.nyquist_modulation.transpose(2, 0, 1), strict=True))
    fields = {
        "tangential-sagittal-width": (widths, "half-maximum contour width (µm)"),
        "rms-width": ({"": 1e6 * figures.rms_width}, "RMS width (µm)"),
        "half-energy-radius": ({"": 1e6 * figures.half_energy_radius}, "radius of 50 % energy (µm)"),
        "eighty-percent-energy-radius": (
            {"": 1e6 * figures.eighty_percent_energy_radius},
            "radius of 80 % energy (µm)",
        ),
        "window-share": ({"": 100 * figures.window_share}, "share of the light in the window (%)"),
        "nyquist-modulation": (modulation, "modulation at Nyquist (%)"),
    }
    pictures: dict[str, Callable[[], Figure]] = {"psf-colour": partial(psf_figure, bank)}
    pictures |= {f"psf-{name}": partial(psf_figure, bank, channel) for channel, name in enumerate(CHANNEL_NAMES)}
    pictures["fwhm"] = partial(width_figure, bank)
    pictures |= {name: partial(field_figure, bank, values, label) for name, (values, label) in fields.items()}
    drawings = {
        "modulation-by-channel": channel_modulation_figure,
        "centroid": centroid_figure,
        "lateral-colour": lateral_colour_figure,
        "spectrum": spectrum_figure,
        "phase": phase_figure,
    }
    if bank.by_wavelength is not None:
        drawings["modulation-by-wavelength"] = wavelength_modulation_figure
        drawings["figures-by-wavelength"] = wavelength_figure
        if bank.by_wavelength.strehl_ratio is not None:
            drawings["strehl-ratio"] = strehl_figure
    return pictures | {name: partial(draw, bank) for name, draw in drawings.items()}


def write_pictures(
    bank: PsfBank, folder: str | os.PathLike[str], *, vector: Literal["pdf", "svg"] | None = None
) -> list[Path]:
    """Draw a bank: its functions over field and colour, its figures of merit, its spectrum and its lens' phase.

    Args:
        bank: of any layout, simulated or measured.
        folder: new or empty; it appears whole or not at all.
        vector: a second format, beside PNG at 150 dots per inch.

    Returns:
        The files.

    Raises:
        InputError: the folder holds something, or the disk refuses the write.
    """
    resolution = {"png": RESOLUTION} | ({} if vector is None else {vector: VECTOR_RESOLUTION})
    with atomic_directory(folder) as part:
        paths = [path for name, draw in pictures_of(bank).items() for path in save_figure(part, name, draw, resolution)]
    return [Path(folder) / path.name for path in paths]
