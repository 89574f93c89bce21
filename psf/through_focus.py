"""Functions and modulation at one place of the sensor while the sensor moves through the focus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metalens.formats.psf.bank import PsfBank, sum_subpixels
from metalens.formats.psf.figures import PsfFigures
from metalens.psf.camera_fields import view_of
from metalens.psf.measures import psf_figures
from metalens.psf.window import reachable_light


@dataclass(frozen=True)
class PlaceFunctions:
    """Point spread functions at one place.

    Attributes:
        by_wavelength: ``[wavelength, y, x]`` energy per pixel.
        figures: ``[channel]``.
        field_angle: of the chief ray in front of the lens, in radians.
    """

    by_wavelength: np.ndarray
    figures: PsfFigures
    field_angle: float


def functions_at(bank: PsfBank, place: tuple[float, float], defocus: float = 0.0) -> PlaceFunctions:
    """Simulate exactly one place, with the window, the sub-pixels and the wavelengths of a bank.

    Args:
        bank: of the camera.
        place: (y, x) on the sensor from its centre in metres.
        defocus: further displacement of the sensor away from the lens in metres.

    Returns:
        Functions, figures and field angle of the place.

    Raises:
        InputError: no light comes there, or the lens needs too fine a grid.
    """
    camera, wavelength = bank.camera, bank.wavelength
    if defocus:
        camera = camera.with_(lens={"defocus_um": (camera.lens.defocus_um or 0.0) + 1e6 * defocus})
    view = view_of(camera, np.array([place], dtype=float), float(np.median(wavelength)))
    (rows, columns), pitch, parts = bank.intensity.shape[-2:], bank.pixel_pitch, bank.subpixels
    window = rows * parts, columns * parts
    simulator = view.simulator(wavelength, window=window, pixel_pitch=pitch / parts, engine="auto")
    functions = sum_subpixels(np.asarray(simulator.of_field(view.lens, 0)), parts)
    channels = np.tensordot(bank.channel_weight, functions, axes=1)
    light = reachable_light(view, wavelength)[0] @ bank.channel_weight.T
    figures = psf_figures(channels, pitch, view.position, light=light)
    return PlaceFunctions(functions, figures, float(view.field_angle[0]))


def through_focus(
    bank: PsfBank,
    place: tuple[float, float],
    defocus: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Modulation transfer at one place while the sensor moves through the focus.

    Args:
        bank: of the camera; its window, wavelengths and frequencies are taken.
        place: (y, x) on the sensor from its centre in metres.
        defocus: ``[defocus]`` further displacement of the sensor away from the lens in metres.
        progress: called with the number of positions done and their total.

    Returns:
        ``[defocus, channel, (tangential, sagittal), frequency]`` in 0..1, at the frequencies of
        ``bank.by_channel.frequency``.

    Raises:
        InputError: as :func:`functions_at`.
    """
    found = []
    for number, value in enumerate(defocus.tolist()):
        found.append(functions_at(bank, place, value).figures.modulation)
        if progress is not None:
            progress(number + 1, len(defocus))
    return np.stack(found)
