"""A captured picture as the light that is deconvolved, and the restored light as a picture."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.defective_pixels import fill_defective
from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank

_ROWS_AT_ONCE = 256
"""Rows that are encoded together: several floats are needed for each value."""


def place_on_sensor(bank: PsfBank, pixels: tuple[int, ...], place: tuple[int, int] | None) -> tuple[int, int]:
    """Where a picture lies on the bank's sensor.

    Args:
        bank: of the picture's camera.
        pixels: (rows, columns) of the picture.
        place: (row, column) on the sensor of its first pixel; None for a whole frame.

    Returns:
        (row, column) on the sensor of the picture's first pixel.

    Raises:
        InputError: it is not a whole frame and its place is unknown, or it does not lie on the sensor.
    """
    sensor = bank.camera.sensor.pixels
    if place is None and pixels != sensor:
        raise InputError(
            f"wiener: a picture of {pixels[0]} × {pixels[1]} pixels, the bank's camera has {sensor[0]} × {sensor[1]}; "
            "restore the whole frame, tell its place in the frame, or make a bank for this camera."
        )
    top, left = place or (0, 0)
    if min(top, left) < 0 or top + pixels[0] > sensor[0] or left + pixels[1] > sensor[1]:
        raise InputError(
            f"wiener: a picture of {pixels[0]} × {pixels[1]} pixels at row {top}, column {left} does not lie on the "
            f"bank's sensor of {sensor[0]} × {sensor[1]}; give the psf.h5 of the capture's camera and the place of the "
            "picture's first pixel."
        )
    return top, left


def light_of(picture: np.ndarray, sensor: Sensor, place: tuple[int, int] | None = None) -> np.ndarray:
    """The light of a captured picture, with hot and dead pixels filled: a filter would make rings of them.

    Args:
        picture: ``[y, x, 3]`` as the camera writes it, uint8 or float in 0..1.
        sensor: of that camera.
        place: (row, column) on the sensor of its first pixel; None for a whole frame.

    Returns:
        ``[y, x, 3]`` float32 linear light.

    Raises:
        InputError: the picture is none.
    """
    array = np.asarray(picture)
    floats = np.issubdtype(array.dtype, np.floating)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape or not (array.dtype == np.uint8 or floats):
        raise InputError(f"wiener: found shape {array.shape} of {array.dtype}, expected [y, x, 3] of uint8 or floats.")
    return decode_picture(sensor, fill_defective(sensor, array, place))


def picture_of(light: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Encode restored light as sRGB.

    Args:
        light: ``[y, x, 3]`` linear light, which is clipped.
        dtype: of the picture that was restored, uint8 or a float.

    Returns:
        ``[y, x, 3]`` sRGB of that dtype: 0..255 for uint8, else 0..1.
    """
    picture = np.empty(light.shape, dtype)
    for first in range(0, len(light), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        encoded = linear_to_srgb(light[rows])
        picture[rows] = to_8_bit(encoded) if picture.dtype == np.uint8 else encoded
    return picture
