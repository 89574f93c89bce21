"""A capture as a picture: what its camera would show, from a picture file, a raw file or linear light."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.captures.camera_raw import RAW_SUFFIXES, is_camera_raw, read_camera_raw
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import encode_curve, encode_light
from metalens.formats.pictures.light import LIGHT_SUFFIXES, decode_light, has_16_bits, read_light
from metalens.formats.pictures.pictures import decode_picture, read_bytes
from metalens.formats.pictures.scene import linear_to_srgb

CAPTURE_SUFFIXES = frozenset({*LIGHT_SUFFIXES, *RAW_SUFFIXES})
"""What captures in a folder end in."""


def read_capture(path: str | os.PathLike[str], sensor: Sensor) -> np.ndarray:
    """Read a capture as its camera encodes it.

    - A raw file is developed: black and white level, colour filters and white balance are the file's, colour matrix and
      curve the sensor's (:func:`metalens.formats.pictures.encoding.encode_light`).
    - OpenEXR holds linear light after the colour matrix; the sensor's curve encodes it.
    - Other pictures are encoded already.

    Args:
        path: a picture as :func:`metalens.formats.pictures.pictures.read_picture` takes it, an OpenEXR file, or a raw
            file (:data:`RAW_SUFFIXES`).
        sensor: of the camera that took it.

    Returns:
        ``[y, x, 3]``: uint8 if the file has 8 bits, else float32 in 0..1, not rounded.

    Raises:
        InputError: the file cannot be read, or is none of these.
    """
    target = Path(path)
    if is_camera_raw(target):
        raw = read_camera_raw(target)
        try:
            return encode_light(sensor, raw.light()).astype(np.float32)
        except InputError as error:
            raise InputError(f"{target}: {error}") from error
    if target.suffix.lower() == ".exr":
        return encode_curve(sensor, read_light(target)).astype(np.float32)
    data = read_bytes(target)
    if has_16_bits(data, origin=str(target)):
        return linear_to_srgb(decode_light(data, origin=str(target)).whole())
    return decode_picture(data, origin=str(target))
