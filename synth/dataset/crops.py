"""The crop of a photograph for one sample: scale, position (sharp regions preferred), rotation and mirroring."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from metalens.formats.pictures.scene import Crop, centre_crop, linear_to_srgb, srgb_to_linear
from metalens.synth.dataset.settings import PairsSettings

_TILE = 16
_FLOOR = 5e-3
"""Added to the sharpness, so that a crop without detail, such as plain sky, is rare but possible."""


@dataclass(frozen=True)
class View:
    """The crop of a photograph that a sample shows.

    Attributes:
        crop: the rectangle, in the photograph's pixels.
        turns: number of quarter turns counter-clockwise after cutting, 0..3.
        mirrored: whether it is mirrored left to right after turning.
    """

    crop: Crop
    turns: int = 0
    mirrored: bool = False


@dataclass(frozen=True)
class Sharpness:
    """Local sharpness of a photograph at several scales.

    Attributes:
        shape: rows, columns of the photograph.
        levels: one array ``[tile + 1, tile + 1]`` for the photograph reduced by 1, 2, 4, …: the squared Laplacian of
            its grey values, summed over tiles of :data:`_TILE` pixels, then cumulatively from the top left corner (a
            summed-area table).
    """

    shape: tuple[int, int]
    levels: tuple[np.ndarray, ...]

    def of(self, crop: Crop, scale: float) -> float:
        """Root mean square of the Laplacian within a rectangle of the reduced photograph.

        Args:
            crop: the rectangle, in pixels of the full photograph.
            scale: by which the photograph is reduced, at least 1.

        Returns:
            In grey values (0..1) per pixel².
        """
        level = min(max(round(math.log2(scale)), 0), len(self.levels) - 1)
        sums = self.levels[level]
        tile = _TILE * 2**level
        top, left = int(crop.top / tile), int(crop.left / tile)
        bottom = min(max(math.ceil((crop.top + crop.height) / tile), top + 1), sums.shape[0] - 1)
        right = min(max(math.ceil((crop.left + crop.width) / tile), left + 1), sums.shape[1] - 1)
        top, left = min(top, bottom - 1), min(left, right - 1)
        total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return math.sqrt(max(float(total), 0.0) / ((bottom - top) * (right - left) * _TILE**2))


def sharpness_of(picture: np.ndarray) -> Sharpness:
    """Measure a photograph's sharpness.

    Args:
        picture: ``[y, x, 3]``, uint8 sRGB or linear light in 0..1.
    """
    if picture.dtype == np.uint8:
        grey = picture.sum(axis=-1, dtype=np.float32) * np.float32(1 / 255 / 3)
    else:
        # In sRGB values, which follow perception: an edge in the shadows counts as much as one in bright parts.
        grey = linear_to_srgb(picture.sum(axis=-1, dtype=np.float32) * np.float32(1 / 3))
    levels = []
    while True:
        levels.append(_summed(grey))
        rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
        if min(rows, columns) < _TILE:
            return Sharpness((picture.shape[0], picture.shape[1]), tuple(levels))
        grey = grey[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))


def _summed(grey: np.ndarray) -> np.ndarray:
    inner = np.pad(grey, 1, mode="edge")
    laplacian = 4 * grey - inner[:-2, 1:-1] - inner[2:, 1:-1] - inner[1:-1, :-2] - inner[1:-1, 2:]
    energy = np.square(laplacian)
    rows, columns = (-length % _TILE for length in energy.shape)
    tiles = np.pad(energy, ((0, rows), (0, columns)))
    sums = tiles.reshape(tiles.shape[0] // _TILE, _TILE, tiles.shape[1] // _TILE, _TILE).sum(axis=(1, 3))
    return np.pad(sums.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def choose_view(
    sharpness: Sharpness, pixels: tuple[int, int], settings: PairsSettings, generator: np.random.Generator
) -> View:
    """Draw the crop of a photograph at random, sharp regions preferred.

    The scale (pixels of the photograph per pixel of the sample) is log-uniform between 1 and the largest possible; a
    photograph smaller than the sample is enlarged. A few rectangles are drawn. One of them is chosen with a
    probability proportional to its squared sharpness plus a constant.

    Args:
        sharpness: of the photograph.
        pixels: rows, columns of the sample.
        settings: how crops are chosen.
        generator: the sample's own random numbers.
    """
    if settings.cropping == "centre":
        return View(centre_crop(sharpness.shape, pixels[1] / pixels[0]))
    turns = int(generator.integers(4)) if settings.turn else 0
    mirrored = bool(generator.random() < 0.5) if settings.mirror else False
    cut = pixels if turns % 2 == 0 else (pixels[1], pixels[0])
    drawn = [_draw(sharpness.shape, cut, generator) for _ in range(settings.candidates)]
    weights = np.array([(sharpness.of(crop, crop.height / cut[0]) + _FLOOR) ** 2 for crop in drawn])
    # By cumulative sums, not by choice(p=…): its rounding may change between versions of NumPy.
    place = int(np.searchsorted(weights.cumsum(), generator.random() * weights.sum(), side="right"))
    return View(drawn[min(place, len(drawn) - 1)], turns, mirrored)


def _draw(shape: tuple[int, int], pixels: tuple[int, int], generator: np.random.Generator) -> Crop:
    rows, columns = shape
    largest = min(rows / pixels[0], columns / pixels[1])
    scale = math.exp(generator.uniform(0.0, math.log(largest))) if largest > 1 else largest
    height, width = min(pixels[0] * scale, float(rows)), min(pixels[1] * scale, float(columns))
    return Crop(generator.uniform(0, rows - height), generator.uniform(0, columns - width), height, width)


def cut_scene(picture: np.ndarray, view: View, pixels: tuple[int, int], margin: int = 0) -> np.ndarray:
    """Cut and resize the scene that a view shows, with a margin.

    Args:
        picture: the photograph: ``[y, x, 3]`` uint8 sRGB, or float32 linear light.
        view: what to cut.
        pixels: rows, columns of the sample.
        margin: more pixels on each side; beyond its border the photograph is continued by its mirror image.

    Returns:
        ``[y + 2 margin, x + 2 margin, 3]`` float32 linear light, resized by a bicubic filter whose width grows with the
        reduction, against aliasing; above 1 where the photograph is.
    """
    rows, columns = pixels if view.turns % 2 == 0 else (pixels[1], pixels[0])
    crop, shape = view.crop, picture.shape
    step_y, step_x = crop.height / rows, crop.width / columns
    before = [min(margin, int(crop.top / step_y)), min(margin, int(crop.left / step_x))]
    after = [
        min(margin, int((shape[0] - crop.top - crop.height) / step_y)),
        min(margin, int((shape[1] - crop.left - crop.width) / step_x)),
    ]
    size = (rows + before[0] + after[0], columns + before[1] + after[1])
    whole = Crop(crop.top - before[0] * step_y, crop.left - before[1] * step_x, size[0] * step_y, size[1] * step_x)
    scene = _resized(picture, size, whole)
    missing = [(margin - first, margin - last) for first, last in zip(before, after, strict=True)]
    scene = np.rot90(np.pad(scene, (*missing, (0, 0)), mode="symmetric"), view.turns)
    return np.ascontiguousarray(scene[:, ::-1] if view.mirrored else scene)


def _resized(picture: np.ndarray, size: tuple[int, int], crop: Crop) -> np.ndarray:
    """Resize a rectangle; only the pixels that the filter reaches are converted to linear light."""
    first, last = [], []
    for begin, length, pixels, whole in zip(
        (crop.top, crop.left), (crop.height, crop.width), size, picture.shape[:2], strict=True
    ):
        reach = math.ceil(2 * max(length / pixels, 1.0)) + 2
        first.append(max(int(begin) - reach, 0))
        last.append(min(math.ceil(begin + length) + reach, whole))
    part = picture[first[0] : last[0], first[1] : last[1]]
    light = srgb_to_linear(part) if part.dtype == np.uint8 else part
    rows, columns = light.shape[:2]
    box = (
        max(crop.left - first[1], 0.0),
        max(crop.top - first[0], 0.0),
        min(crop.left - first[1] + crop.width, float(columns)),
        min(crop.top - first[0] + crop.height, float(rows)),
    )
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(light[..., channel])).resize(
                (size[1], size[0]), Image.Resampling.BICUBIC, box=box
            )
        )
        for channel in range(3)
    ]
    return np.maximum(np.stack(planes, axis=-1), 0)
