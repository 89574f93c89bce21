"""A bank of point spread functions from another source: measured, computed elsewhere, or synthetic."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.psf.bank import Layout, PsfBank, grid_positions
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.bank import phase_profile
from metalens.psf.field_symmetry import nodes_across
from metalens.psf.measures import psf_figures
from metalens.psf.spectra.spectrum import spectral_quadrature


def bank_of_functions(
    camera: Camera,
    intensity: np.ndarray,
    position: np.ndarray,
    *,
    layout: Layout,
    provenance: dict[str, str],
) -> PsfBank:
    """Measure functions by channel and put them into a bank.

    It holds nothing by wavelength and no sub-pixels; its wavelengths are those of the coarsest quadrature.

    Args:
        camera: the camera that they belong to.
        intensity: ``[node, channel, y, x]`` energy per sensor pixel, the chief ray on sample (ny // 2, nx // 2).
        position: ``[node, (y, x)]`` of the chief ray on the sensor in metres.
        layout: how the nodes lie, see :class:`metalens.formats.psf.bank.PsfBank`.
        provenance: where they come from.

    Returns:
        A bank that ``write_bank``, ``synth`` and ``restore`` take as one that was simulated.

    Raises:
        InputError: they do not make a bank.
    """
    radius, phase = phase_profile(metalens_of(camera))
    wavelength, weight = spectral_quadrature(camera.spectrum, 1)
    position = np.asarray(position, dtype=np.float64)
    return PsfBank(
        camera=camera,
        layout=layout,
        position=position,
        intensity=np.asarray(intensity, dtype=np.float32),
        wavelength=wavelength,
        channel_weight=weight,
        by_channel=psf_figures(intensity, camera.sensor.pixel_pitch_m, position[:, None]),
        phase_radius=radius,
        phase=phase,
        provenance=provenance,
    )


def grid_bank_of_functions(camera: Camera, intensity: np.ndarray, provenance: dict[str, str]) -> PsfBank:
    """A bank of functions on a grid of nodes that spans the sensor from edge to edge.

    Args:
        camera: the camera that they belong to.
        intensity: ``[row, column, channel, y, x]`` energy per sensor pixel.
        provenance: where they come from.

    Returns:
        A bank of layout ``grid``.

    Raises:
        InputError: they do not make a bank.
    """
    sides = (pixels * camera.sensor.pixel_pitch_m for pixels in camera.sensor.pixels)
    field_y, field_x = (nodes_across(count, side) for count, side in zip(intensity.shape[:2], sides, strict=True))
    flat = intensity.reshape(-1, *intensity.shape[2:])
    return bank_of_functions(camera, flat, grid_positions(field_y, field_x), layout="grid", provenance=provenance)
