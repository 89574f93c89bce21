"""Distortion of a rotationally symmetric camera, and pictures without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from metalens.formats.files.errors import InputError


@dataclass(frozen=True)
class Distortion:
    """Where chief rays land, for the mean wavelength of the green channel.

    Attributes:
        radius: ``[place]`` ascending from 0 to the sensor's corner, distance from its centre in metres.
        rectilinear: ``[place]`` ascending, where a pinhole camera of the same magnification in the centre images that
            light, in metres.
        pixels: (rows, columns) of the sensor.
        pixel_pitch: in metres.
    """

    radius: np.ndarray
    rectilinear: np.ndarray
    pixels: tuple[int, int]
    pixel_pitch: float

    @property
    def at_corner(self) -> float:
        """(r − r₀)/r₀ in the corner, r₀ the rectilinear place; negative is barrel distortion."""
        return float(self.radius[-1] / self.rectilinear[-1] - 1)

    @property
    def largest(self) -> float:
        """(r − r₀)/r₀ where it is largest."""
        share = self.radius[1:] / self.rectilinear[1:] - 1
        return float(share[np.abs(share).argmax()])

    @property
    def largest_pixels(self) -> float:
        """|r − r₀| where it is largest, in pixels."""
        return float(np.abs(self.radius - self.rectilinear).max() / self.pixel_pitch)

    @property
    def cropped(self) -> float:
        """Share of the sensor's pixels, in 0..1, whose light lies outside the frame of the undistorted picture."""
        y, x = (self.pixel_pitch * (np.arange(side) - 0.5 * (side - 1)) for side in self.pixels)
        away = np.hypot(y[:, None], x)
        moved = np.interp(away, self.radius, self.rectilinear) / np.maximum(away, 1e-12)
        half = [0.5 * self.pixel_pitch * side for side in self.pixels]
        outside = (np.abs(y[:, None] * moved) > half[0]) | (np.abs(x * moved) > half[1])
        return float(outside.mean())


def undistorted(picture: np.ndarray, distortion: Distortion, place: tuple[int, int] | None = None) -> np.ndarray:
    """A picture as a pinhole camera of the same magnification in the centre would show it.

    Args:
        picture: ``[y, x]`` or ``[y, x, channel]`` on the camera's sensor, restored or captured, of any number type.
        distortion: of the camera.
        place: (row, column) on the sensor of the first pixel, if the picture is a part of the frame. The result is the
            same part of the undistorted frame.

    Returns:
        The same shape and type, interpolated by cubic splines within the picture's range; 0 where the picture shows
        nothing.

    Raises:
        InputError: the picture is not of the camera's sensor, or does not lie on it.
    """
    rows, columns = distortion.pixels
    at = (0, 0) if place is None else place
    ends = [start + side for start, side in zip(at, picture.shape, strict=False)]
    if (place is None and picture.shape[:2] != (rows, columns)) or min(at) < 0 or ends[0] > rows or ends[1] > columns:
        where = "" if place is None else f" at row {place[0]}, column {place[1]}"
        raise InputError(
            f"distortion: a picture of {' × '.join(map(str, picture.shape[:2]))} pixels{where}, expected the {rows} × "
            f"{columns} pixels (rows × columns) of the sensor, or a part of them with its place."
        )
    middle = (0.5 * (rows - 1) - at[0], 0.5 * (columns - 1) - at[1])
    y, x = (np.arange(side) - centre for side, centre in zip(picture.shape[:2], middle, strict=True))
    source = _shrinking(distortion, np.hypot(y[:, None], x))
    places = [y[:, None] * source + middle[0], x * source + middle[1]]
    layers = np.moveaxis(picture.reshape(*picture.shape[:2], -1), -1, 0).astype(float)
    moved = [np.clip(_taken(layer, places), layer.min(), layer.max()) for layer in layers]
    # Half a pixel beyond the outermost samples still belongs to the picture.
    edges = zip(places, picture.shape, strict=False)
    seen = np.logical_and.reduce([(each >= -0.5) & (each <= side - 0.5) for each, side in edges])
    values = np.where(seen, np.stack(moved), 0.0)
    if np.issubdtype(picture.dtype, np.integer):
        values = np.round(values)
    return np.moveaxis(values, 0, -1).reshape(picture.shape).astype(picture.dtype)


def _shrinking(distortion: Distortion, wanted: np.ndarray) -> np.ndarray:
    """r/r₀ at places r₀ ``[y, x]``, in pixels from the centre; NaN where the camera sees nothing."""
    from scipy.interpolate import CubicSpline  # 0.1 s, which cameras without distortion do not need

    rectilinear = distortion.rectilinear / distortion.pixel_pitch
    share = np.append(1.0, distortion.radius[1:] / distortion.rectilinear[1:])
    found = CubicSpline(rectilinear, share, bc_type=((1, 0.0), "not-a-knot"))(wanted)
    return np.asarray(np.where(wanted <= rectilinear[-1] * (1 + 1e-9), found, np.nan))


def _taken(layer: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Values of a picture ``[y, x]`` between its samples; its edge is continued."""
    return np.asarray(map_coordinates(layer, np.nan_to_num(np.stack(places), nan=0.0), order=3, mode="nearest"))
