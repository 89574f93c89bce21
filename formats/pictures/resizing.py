"""Cutting and resizing photographs in linear light, part by part.

Linear light of a photograph of 121 megapixels takes 1.5 GB in single precision, its 8 bits a quarter of that. What
cuts, shrinks or measures a photograph therefore asks for the light of one part after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import Crop, centre_crop, linear_to_srgb, srgb_to_linear, to_8_bit

PART_PIXELS = 2**21
"""Pixels of a photograph that are light at once: 25 MB, and what a filter reaches beyond."""


@dataclass(frozen=True)
class StoredLight:
    """A photograph in linear light, stored on disk.

    Attributes:
        pixels: its rows and columns.
        part: linear light of the rows and columns of two slices, ``[y, x, 3]`` float32; 1 for white.
    """

    pixels: tuple[int, int]
    part: Callable[[slice, slice], np.ndarray]

    def whole(self) -> np.ndarray:
        """Linear light of all pixels, ``[y, x, 3]`` float32."""
        return self.part(slice(0, self.pixels[0]), slice(0, self.pixels[1]))


def stored_light(picture: np.ndarray) -> StoredLight:
    """Light of an array: ``[y, x, 3]`` uint8 sRGB, or linear light of any other type."""

    def part(rows: slice, columns: slice) -> np.ndarray:
        values = picture[rows, columns]
        return srgb_to_linear(values) if values.dtype == np.uint8 else values

    return StoredLight((picture.shape[0], picture.shape[1]), part)


def strips(pixels: tuple[int, int], multiple: int = 1) -> Iterator[slice]:
    """Divide a picture into strips of rows of about :data:`PART_PIXELS` pixels.

    Args:
        pixels: rows, columns of the picture.
        multiple: of which the rows of all strips but the last are.

    Yields:
        The rows of each strip.
    """
    height = max(PART_PIXELS // pixels[1] // multiple, 1) * multiple
    for top in range(0, pixels[0], height):
        yield slice(top, min(top + height, pixels[0]))


def resized(photograph: StoredLight, pixels: tuple[int, int], crop: Crop, resampling: Image.Resampling) -> np.ndarray:
    """Cut a rectangle and resize it, a strip of the result at a time.

    Args:
        photograph: to be cut.
        pixels: rows, columns of the result.
        crop: the rectangle; its mirror image is not taken.
        resampling: filter, whose width grows with the reduction.

    Returns:
        ``[y, x, 3]`` float32 linear light; a filter with negative weights may leave the photograph's range.
    """
    step = crop.height / pixels[0]
    reach = [math.ceil(2 * max(scale, 1.0)) + 2 for scale in (step, crop.width / pixels[1])]
    columns = _reached(crop.left, crop.width, reach[1], photograph.pixels[1])
    # Of the rows, at least as many as the filter reaches, or most of the work would be done twice.
    height = max(PART_PIXELS // (columns.stop - columns.start), 2 * reach[0])
    lines = max(math.ceil(height / step), 1)
    result = np.empty((*pixels, 3), dtype=np.float32)
    for first in range(0, pixels[0], lines):
        last = min(first + lines, pixels[0])
        top, length = crop.top + first * step, (last - first) * step
        rows = _reached(top, length, reach[0], photograph.pixels[0])
        light = photograph.part(rows, columns)
        box = (
            max(crop.left - columns.start, 0.0),
            max(top - rows.start, 0.0),
            min(crop.left - columns.start + crop.width, float(light.shape[1])),
            min(top - rows.start + length, float(light.shape[0])),
        )
        for channel in range(3):
            plane = Image.fromarray(np.ascontiguousarray(light[..., channel]))
            result[first:last, :, channel] = np.asarray(plane.resize((pixels[1], last - first), resampling, box=box))
    return result


def _reached(begin: float, length: float, reach: int, whole: int) -> slice:
    """What of an axis a filter reaches."""
    return slice(max(int(begin) - reach, 0), min(math.ceil(begin + length) + reach, whole))


def scene_from_picture(picture: np.ndarray, pixels: tuple[int, int], crop: Crop | None = None) -> np.ndarray:
    """Cut a photograph and resize it to the sensor's pixels.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.
        pixels: rows, columns of the sensor.
        crop: what to cut; by default the centre, at the sensor's aspect.

    Returns:
        ``[y, x, 3]`` float32 linear light in 0..1; antialiased by a bicubic filter that is stretched to the
        scale of the reduction.

    Raises:
        InputError: the picture has another shape or type.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
        raise InputError(
            f"scene: found a picture of shape {picture.shape} and type {picture.dtype}, expected uint8 [y, x, 3]."
        )
    crop = crop or centre_crop(picture.shape[:2], pixels[1] / pixels[0])
    scene = np.clip(resized(stored_light(picture), pixels, crop, Image.Resampling.BICUBIC), 0, 1)
    return np.ascontiguousarray(scene[:, ::-1] if crop.flip else scene)


def shrink(picture: np.ndarray, pixels: tuple[int, int]) -> np.ndarray:
    """Shrink a photograph by averaging the light over each new pixel's area.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.
        pixels: new rows, columns.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    rows, columns = picture.shape[:2]
    whole = Crop(0, 0, rows, columns)
    return to_8_bit(linear_to_srgb(resized(stored_light(picture), pixels, whole, Image.Resampling.BOX)))
