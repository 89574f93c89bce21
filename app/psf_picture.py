"""Pictures of point spread functions and of maps over the sensor, drawn fast enough to follow the mouse."""

from __future__ import annotations

import base64
import io
from typing import Literal

import matplotlib as mpl
import numpy as np
from PIL import Image
from scipy.interpolate import RegularGridInterpolator

from metalens.formats.drawing.psf_map import DECADES
from metalens.formats.drawing.style import LIGHT_COLOURS, MAP_COLOURS
from metalens.formats.pictures.scene import linear_to_srgb
from metalens.formats.psf.bank import PsfBank

Scale = Literal["linear", "log"]

QUANTITIES = {
    "FWHM (µm)": lambda bank: 1e6 * bank.by_channel.full_width_half_maximum,
    "80 % energy radius (µm)": lambda bank: 1e6 * bank.by_channel.eighty_percent_energy_radius,
    "MTF at Nyquist (%)": lambda bank: 100 * bank.by_channel.nyquist_modulation.mean(axis=-1),
    "Strehl ratio (%)": lambda bank: _strehl(bank),
    "Light in the window (%)": lambda bank: 100 * bank.by_channel.window_share,
}
"""Name → ``[node, channel]`` of a bank."""

_MAP_WIDTH = 420
_LEAST_SIDE = 360


def _strehl(bank: PsfBank) -> np.ndarray:
    """Strehl ratios of the wavelengths, in means by the channels' weights; NaN where there are none."""
    by_wavelength = bank.by_wavelength
    if by_wavelength is None or by_wavelength.strehl_ratio is None:
        return np.full((len(bank.position), 3), np.nan)
    return 100 * by_wavelength.strehl_ratio @ bank.channel_weight.T


def nearest_node(bank: PsfBank, place: tuple[float, float]) -> int:
    """The node nearest to a place.

    Args:
        bank: of any layout; of a radius, the node at the place's distance.
        place: (y, x) on the sensor from its centre in metres.

    Returns:
        Index of the node.
    """
    wanted = np.array([0.0, np.hypot(*place)]) if bank.layout == "radial" else np.array(place)
    return int(np.hypot(*(bank.position - wanted).T).argmin())


def map_over_sensor(bank: PsfBank, values: np.ndarray) -> np.ndarray:
    """Values of nodes over the sensor, ``[y, x]``, interpolated between them.

    Args:
        bank: of any layout.
        values: ``[node]``.

    Returns:
        ``[y, x]``, ``_MAP_WIDTH`` columns wide, in the unit of the values.
    """
    rows, columns = bank.camera.sensor.pixels
    size = max(1, round(_MAP_WIDTH * rows / columns)), _MAP_WIDTH
    half = 0.5 * bank.pixel_pitch * np.array([rows, columns])
    y, x = np.meshgrid(*(np.linspace(-edge, edge, side) for edge, side in zip(half, size, strict=True)), indexing="ij")
    if bank.layout == "grid" and min(len(bank.field_y), len(bank.field_x)) > 1:
        found = RegularGridInterpolator((bank.field_y, bank.field_x), bank.as_grid(values), bounds_error=False)
        inside = found((y.clip(*bank.field_y[[0, -1]]), x.clip(*bank.field_x[[0, -1]])))
        return np.asarray(inside, dtype=float)
    if bank.layout == "radial":
        return np.interp(np.hypot(y, x), bank.position[:, 1], values)
    distance = np.hypot(y[..., None] - bank.position[:, 0], x[..., None] - bank.position[:, 1])
    return np.asarray(values[distance.argmin(axis=-1)], dtype=float)


def map_picture(values: np.ndarray) -> str:
    """A map ``[y, x]`` in colours as a data address."""
    low, high = np.nanmin(values), np.nanmax(values)
    # Interpolation between equal nodes rounds.
    flat = not high - low > 1e-9 * max(abs(high), abs(low))
    share = np.full_like(values, 0.5) if flat else (values - low) / (high - low)
    return _address(mpl.colormaps[MAP_COLOURS](share, bytes=True)[..., :3])


def psf_picture(intensity: np.ndarray, scale: Scale) -> str:
    """A point spread function as a data address, enlarged to whole pixels.

    Args:
        intensity: ``[y, x]``, shown in the colours of light, or ``[3, y, x]``, in its own.
        scale: ``log`` reaches four decades below the brightest pixel.

    Returns:
        A PNG as a ``data:`` address.
    """
    share = np.maximum(intensity, 0) / max(float(intensity.max()), 1e-30)
    if scale == "log":
        share = np.clip(1 + np.log10(np.maximum(share, 1e-30)) / DECADES, 0, 1)
    if intensity.ndim == 2:
        shown = mpl.colormaps[LIGHT_COLOURS](share, bytes=True)[..., :3]
    else:
        light = share.transpose(1, 2, 0).astype(np.float32)
        shown = np.rint(255 * (light if scale == "log" else linear_to_srgb(light))).astype(np.uint8)
    times = max(1, -(-_LEAST_SIDE // shown.shape[0]))
    return _address(shown.repeat(times, axis=0).repeat(times, axis=1))


def _address(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
