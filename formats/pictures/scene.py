"""sRGB and linear light, and rectangles of a photograph.

Photographs are sRGB; light adds up in linear values, so every cut and resize happens in linear light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_SRGB_TO_LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
).astype(np.float32)


def srgb_to_linear(picture: np.ndarray) -> np.ndarray:
    """Decode sRGB (IEC 61966-2-1).

    Args:
        picture: uint8, or floats in 0..1; any shape.

    Returns:
        The same shape, float32 linear light in 0..1.
    """
    if picture.dtype == np.uint8:
        return _SRGB_TO_LINEAR[picture]
    values = np.clip(picture, 0, 1).astype(np.float32)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_to_srgb(light: np.ndarray) -> np.ndarray:
    """Encode linear light as sRGB (IEC 61966-2-1).

    Args:
        light: linear values; clipped to 0..1; any shape.

    Returns:
        The same shape, float32 in 0..1.
    """
    values = np.clip(light, 0, 1).astype(np.float32)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055).astype(np.float32)


def to_8_bit(values: np.ndarray) -> np.ndarray:
    """Round values in 0..1 to uint8."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def display_values(picture: np.ndarray) -> np.ndarray:
    """A picture as float32 in 0..1: uint8 over 255, floats as they are."""
    return picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture.astype(np.float32)


@dataclass(frozen=True)
class Crop:
    """A rectangle of a photograph, in its pixels, with an optional mirror image."""

    top: float
    left: float
    height: float
    width: float
    flip: bool = False


def centre_crop(shape: tuple[int, int], aspect: float) -> Crop:
    """Largest centred rectangle of an aspect ratio.

    Args:
        shape: rows, columns of the picture.
        aspect: columns over rows, above 0.

    Returns:
        The rectangle in pixels; its position and size may be fractions.
    """
    rows, columns = shape
    height, width = _fit(shape, aspect)
    return Crop((rows - height) / 2, (columns - width) / 2, height, width)


def random_crop(
    shape: tuple[int, int], pixels: tuple[int, int], generator: np.random.Generator, *, smallest: float = 0.5
) -> Crop:
    """Draw a rectangle of a photograph for one training sample.

    Args:
        shape: rows, columns of the photograph.
        pixels: rows, columns of the sensor, whose aspect the rectangle has.
        generator: the sample's own random numbers.
        smallest: the smallest height as a share of the largest rectangle's. A rectangle is never drawn smaller
            than the sensor, which would enlarge it, unless the photograph itself is.

    Returns:
        The rectangle, mirrored left to right in half of the draws.
    """
    rows, columns = shape
    height, width = _fit(shape, pixels[1] / pixels[0])
    least = min(1.0, max(smallest, pixels[0] / height))
    # Log-uniform: a size and its double are drawn alike.
    share = math.exp(generator.uniform(math.log(least), 0.0))
    height, width = height * share, width * share
    top = generator.uniform(0, rows - height) if rows > height else 0.0
    left = generator.uniform(0, columns - width) if columns > width else 0.0
    return Crop(top, left, height, width, flip=bool(generator.random() < 0.5))


def _fit(shape: tuple[int, int], aspect: float) -> tuple[float, float]:
    rows, columns = shape
    height = min(float(rows), columns / aspect)
    return height, height * aspect
