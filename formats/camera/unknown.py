"""The camera of pictures of which only the size is known: real captures whose lens and sensor nobody described.

Its record has numbers since every camera has; only ``sensor.pixels`` means anything. Its hash depends on these alone,
so that all pictures of one size have one unknown camera.
"""

from __future__ import annotations

from metalens.formats.camera.camera import Camera, parse_camera
from metalens.formats.files.errors import InputError

NAME = "unknown"

LEAST_SIDE, LARGEST_SIDE = 16, 16_384
"""Pixels of a sensor along a side."""

# Never changed: the hash of pairs and adapters that are there depends on it. The focal length follows from the pixels.
_TEXT = """
schema = "metalens.camera"
version = 1
name = "{name}"
description = "Only the number of pixels is known; all other numbers stand for nothing."

[lens]
aperture_um = 100.0
focal_length_um = {focal_length}

[lens.phase]
family = "hyperbolic"
wavelength_nm = 530.0

[sensor]
pixels = [{rows}, {columns}]
pixel_pitch_um = 1.0
bit_depth = 8
full_well_e = 5000.0
read_noise_e = 0.0

[spectrum]
wavelengths_per_channel = 1
channels = [
  {{name = "red", centre_nm = 620.0, fwhm_nm = 30.0}},
  {{name = "green", centre_nm = 530.0, fwhm_nm = 30.0}},
  {{name = "blue", centre_nm = 455.0, fwhm_nm = 30.0}},
]
"""


def unknown_camera(pixels: tuple[int, int]) -> Camera:
    """The unknown camera of pictures of one size.

    Args:
        pixels: rows, columns.

    Raises:
        InputError: a side has fewer than 16 or more than 16,384 pixels.
    """
    rows, columns = pixels
    if min(pixels) < LEAST_SIDE or max(pixels) > LARGEST_SIDE:
        raise InputError(
            f"pictures of {rows} × {columns} pixels: a side of {LEAST_SIDE} to {LARGEST_SIDE} is expected; resize them."
        )
    # A field of 35 degrees to the corner at most, whatever the size.
    focal_length = float(max(pixels))
    return parse_camera(_TEXT.format(name=NAME, rows=rows, columns=columns, focal_length=focal_length), origin=NAME)


def is_unknown(camera: Camera) -> bool:
    """Whether a camera is the unknown one of its pixels."""
    return camera.name == NAME and camera.hash == unknown_camera(camera.sensor.pixels).hash
