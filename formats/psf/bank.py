"""The point spread functions of a camera over its field and colour channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.figures import LONGEST, PsfFigures

Layout = Literal["grid", "radial", "scattered"]

GREEN = 1
"""Reference channel of lateral colour."""

BLOCK_TOLERANCE = 1e-5
"""Largest difference between sums of sub-pixels and pixels, as a share of a function's brightest pixel."""

WAVELENGTHS = (1e-8, 1e-3)
"""Shortest and longest in metres."""


@dataclass(frozen=True)
class PsfBank:
    """Point spread functions at nodes on the sensor, with their figures of merit.

    Lengths are metres, angles radians; the origin is the sensor's centre, which the optical axis meets unless the
    camera has a decentre. Row 0 is at the top, y points down.

    Attributes:
        camera: the camera that was simulated or measured.
        layout: how the nodes lie: ``"grid"``, row by row over ascending y and x; ``"radial"``, along +x from the
            axis outwards, enough for a rotationally symmetric lens; ``"scattered"``, anywhere.
        position: ``[node, (y, x)]`` where the chief ray meets the sensor.
        intensity: ``[node, channel, y, x]`` float32, energy per sensor pixel of one point of the scene; the chief
            ray lands on sample ``(ny // 2, nx // 2)``; the sum over y, x is the share of the light through the
            aperture that reaches the window.
        wavelength: ``[wavelength]`` that were simulated, or that stand for the channels.
        channel_weight: ``[channel, wavelength]``, each row sums to 1.
        by_channel: figures ``[node, channel]`` of the intensity as the pixels hold it, without Strehl ratios.
        phase_radius: ``[sample]`` distances from the lens' centre along +x.
        phase: ``[sample]`` phase of the lens there.
        provenance: the versions and settings that made the bank, as text.
        by_wavelength: figures ``[node, wavelength]`` of the light before it is summed into channels and pixels, from
            sub-pixel samples; ``None`` for a measured bank.
        subpixel_intensity: ``[simulated, channel, y · s, x · s]`` float32, energy per sub-pixel of the nodes that were
            simulated, from which the others follow by mirrors or rotations; ``None`` for a measured bank. A pixel is
            the sum of its s × s sub-pixels.
        simulated_position: ``[simulated, (y, x)]`` of those nodes; ``None`` for a measured bank.
    """

    camera: Camera
    layout: Layout
    position: np.ndarray
    intensity: np.ndarray
    wavelength: np.ndarray
    channel_weight: np.ndarray
    by_channel: PsfFigures
    phase_radius: np.ndarray
    phase: np.ndarray
    provenance: dict[str, str]
    by_wavelength: PsfFigures | None = None
    subpixel_intensity: np.ndarray | None = None
    simulated_position: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_ranges()
        if (self.intensity < 0).any():
            raise InputError("psf bank: intensity must not be negative.")
        if (self.intensity.sum(axis=(-2, -1)) <= 0).any():
            raise InputError("psf bank: a point spread function holds no light.")
        _check_layout(self.layout, self.position)
        if self.by_channel.strehl_ratio is not None:
            raise InputError("psf bank: by_channel holds strehl_ratio, which a mixture of wavelengths does not have.")
        if (self.subpixel_intensity is None) != (self.simulated_position is None):
            raise InputError("psf bank: subpixel_intensity and simulated_position come together or not at all.")
        if self.subpixel_intensity is not None and self.simulated_position is not None:
            _check_subpixels(self.subpixel_intensity, self.simulated_position, self.intensity, self.position)

    def _check_shapes(self) -> None:
        if self.intensity.ndim != 4 or min(self.intensity.shape) < 1 or self.intensity.shape[1] != 3:
            raise InputError(
                f"psf bank: intensity has shape {self.intensity.shape}, expected [node, 3, y, x] with one node or more."
            )
        nodes, wavelengths = len(self.intensity), len(self.wavelength)
        expected = {
            "position": (nodes, 2),
            "channel_weight": (3, wavelengths),
            "by_channel": (nodes, 3),
            "by_wavelength": (nodes, wavelengths),
            "phase": self.phase_radius.shape,
        }
        for name, shape in expected.items():
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise InputError(f"psf bank: {name} has shape {values.shape}, the other arrays ask for {shape}.")

    def _check_ranges(self) -> None:
        for name in ("position", "simulated_position", "phase_radius"):
            values = getattr(self, name)
            if values is not None and not (np.abs(values) <= LONGEST).all():
                raise InputError(f"psf bank: {name} must lie within {LONGEST:g} m of the axis.")
        shortest, longest = WAVELENGTHS
        if not ((self.wavelength >= shortest) & (self.wavelength <= longest)).all():
            raise InputError(f"psf bank: wavelength must lie between {shortest:g} and {longest:g} m.")
        weight = self.channel_weight
        if not ((weight >= 0).all() and np.allclose(weight.sum(axis=1), 1, rtol=0, atol=1e-3)):
            raise InputError("psf bank: channel_weight must not be negative, and sum to 1 for each channel.")

    @property
    def pixel_pitch(self) -> float:
        """Sample spacing of the intensity in metres: the sensor's pixel pitch."""
        return self.camera.sensor.pixel_pitch_m

    @property
    def subpixels(self) -> int:
        """Sub-pixels s along each side of a pixel, odd; 1 where there are none."""
        if self.subpixel_intensity is None:
            return 1
        return self.subpixel_intensity.shape[-1] // self.intensity.shape[-1]

    @property
    def lateral_colour(self) -> np.ndarray:
        """``[node, channel, (y, x)]`` centroid of each channel less that of the green one, in metres."""
        centroid = self.by_channel.centroid
        return centroid - centroid[:, GREEN : GREEN + 1]

    @property
    def field_y(self) -> np.ndarray:
        """``[row]`` positions of a grid's rows, ascending.

        Raises:
            InputError: the bank is no grid.
        """
        return self.as_grid(self.position)[:, 0, 0]

    @property
    def field_x(self) -> np.ndarray:
        """``[column]`` positions of a grid's columns, ascending.

        Raises:
            InputError: the bank is no grid.
        """
        return self.as_grid(self.position)[0, :, 1]

    def as_grid(self, values: np.ndarray) -> np.ndarray:
        """Reshape ``[node, ...]`` values of a grid to ``[row, column, ...]``.

        Raises:
            InputError: the bank is no grid.
        """
        if self.layout != "grid":
            raise InputError(
                f"psf bank: its nodes are {self.layout}, a grid over the sensor was expected; "
                "make one with `metalens psf --fields 7x7`."
            )
        rows = len(np.unique(self.position[:, 0]))
        return values.reshape(rows, -1, *values.shape[1:])


def grid_positions(field_y: np.ndarray, field_x: np.ndarray) -> np.ndarray:
    """Positions of a grid, row by row.

    Args:
        field_y: ``[row]`` in metres.
        field_x: ``[column]`` in metres.

    Returns:
        ``[node, (y, x)]`` in metres.
    """
    y, x = np.meshgrid(field_y, field_x, indexing="ij")
    return np.stack([y.ravel(), x.ravel()], axis=-1)


def _check_layout(layout: str, position: np.ndarray) -> None:
    if layout not in get_args(Layout):
        raise InputError(f"psf bank: layout {layout!r}, expected one of {', '.join(get_args(Layout))}.")
    y, x = position.T
    if layout == "grid" and not np.array_equal(position, grid_positions(np.unique(y), np.unique(x))):
        raise InputError("psf bank: the nodes of a grid must go row by row over ascending y and x.")
    if layout == "radial" and (y.any() or x[0] != 0 or np.any(np.diff(x) <= 0)):
        raise InputError("psf bank: the nodes of a radius must lie on y = 0 with x ascending from 0.")
    if len(np.unique(position, axis=0)) < len(position):
        raise InputError("psf bank: two nodes share one position.")


def _check_subpixels(
    subpixel_intensity: np.ndarray, simulated_position: np.ndarray, intensity: np.ndarray, position: np.ndarray
) -> None:
    simulated, _, *window = subpixel_intensity.shape
    height, width = intensity.shape[-2:]
    subpixels = window[1] // width
    expected = (len(simulated_position), 3, height * subpixels, width * subpixels)
    if subpixels % 2 == 0 or subpixel_intensity.shape != expected or simulated < 1:
        raise InputError(
            f"psf bank: subpixel_intensity has shape {subpixel_intensity.shape}, expected "
            f"[{len(simulated_position)}, 3, {height} · s, {width} · s] with an odd s."
        )
    if simulated_position.shape[-1] != 2:
        raise InputError(f"psf bank: simulated_position has shape {simulated_position.shape}, expected (y, x) pairs.")
    if (subpixel_intensity < 0).any():
        raise InputError("psf bank: subpixel_intensity must not be negative.")
    node_at = {(float(y), float(x)): node for node, (y, x) in enumerate(position)}
    for place, (y, x) in enumerate(simulated_position):
        node = node_at.get((float(y), float(x)))
        if node is None:
            continue
        difference = np.abs(sum_subpixels(subpixel_intensity[place], subpixels) - intensity[node]).max()
        if not difference <= BLOCK_TOLERANCE * intensity[node].max():
            raise InputError(
                f"psf bank: the sub-pixels of the node at ({1e6 * y:z.1f}, {1e6 * x:z.1f}) µm do not sum to its "
                f"pixels, they differ by {difference / intensity[node].max():.1e} of the brightest; make it again."
            )


def sum_subpixels(subpixel_intensity: np.ndarray, subpixels: int) -> np.ndarray:
    """Sum sub-pixels to pixels.

    Args:
        subpixel_intensity: ``[..., y · s, x · s]`` energy per sub-pixel.
        subpixels: s, sub-pixels along the side of a pixel.

    Returns:
        ``[..., y, x]`` float32 energy per pixel.
    """
    *leading, height, width = subpixel_intensity.shape
    blocks = subpixel_intensity.reshape(*leading, height // subpixels, subpixels, width // subpixels, subpixels)
    return blocks.sum(axis=(-3, -1), dtype=np.float64).astype(np.float32)
