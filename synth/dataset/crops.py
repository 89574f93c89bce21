"""The crop of a photograph for one sample: scale, position (sharp regions preferred), rotation and mirroring."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from metalens.formats.pictures.resizing import StoredLight, resized, strips
from metalens.formats.pictures.scene import Crop, centre_crop, linear_to_srgb
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


def sharpness_of(photograph: StoredLight) -> Sharpness:
    """Measure a photograph's sharpness, a strip at a time."""

    def grey_of(rows: slice) -> np.ndarray:
        light = photograph.part(rows, slice(0, photograph.pixels[1]))
        # In sRGB values, which follow perception: an edge in the shadows counts as much as one in bright parts.
        return linear_to_srgb(light.sum(axis=-1, dtype=np.float32) * np.float32(1 / 3))

    levels, pixels = [], photograph.pixels
    read: Callable[[slice], np.ndarray] = grey_of
    while True:
        energy, halved = _level(pixels, read)
        levels.append(np.pad(energy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))))
        if min(halved.shape) < _TILE:
            return Sharpness(photograph.pixels, tuple(levels))
        pixels, read = (halved.shape[0], halved.shape[1]), halved.__getitem__


def _level(pixels: tuple[int, int], read: Callable[[slice], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Energy of the Laplacian in the tiles of one level, and the grey values of the next.

    Args:
        pixels: rows, columns of the level.
        read: gives the grey values of its rows.

    Returns:
        ``[tile, tile]`` float64, and ``[y, x]`` float32 of half the size.
    """
    energy, halved = [], []
    for rows in strips(pixels, _TILE):
        above, below = rows.start > 0, rows.stop < pixels[0]
        grey = read(slice(rows.start - above, rows.stop + below))
        inner = np.pad(grey, ((1 - above, 1 - below), (1, 1)), mode="edge")
        middle = inner[1:-1, 1:-1]
        squared = np.square(4 * middle - inner[:-2, 1:-1] - inner[2:, 1:-1] - inner[1:-1, :-2] - inner[1:-1, 2:])
        tiles = np.pad(squared, [(0, -length % _TILE) for length in squared.shape])
        shape = (tiles.shape[0] // _TILE, _TILE, tiles.shape[1] // _TILE, _TILE)
        energy.append(tiles.reshape(shape).sum(axis=(1, 3)))
        height, width = (length // 2 for length in middle.shape)
        halved.append(middle[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3)))
    return np.concatenate(energy).astype(np.float64), np.concatenate(halved)


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

    Returns:
        The crop in pixels of the photograph, its quarter turns, and whether it is mirrored.
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


def cut_scene(photograph: StoredLight, view: View, pixels: tuple[int, int], margin: int = 0) -> np.ndarray:
    """Cut and resize the scene that a view shows, with a margin.

    Args:
        photograph: to be cut.
        view: what to cut.
        pixels: rows, columns of the sample.
        margin: more pixels on each side; beyond its border the photograph is continued by its mirror image.

    Returns:
        ``[y + 2 margin, x + 2 margin, 3]`` float32 linear light, resized by a bicubic filter whose width grows with the
        reduction, against aliasing; above 1 where the photograph is.
    """
    rows, columns = pixels if view.turns % 2 == 0 else (pixels[1], pixels[0])
    crop, shape = view.crop, photograph.pixels
    step_y, step_x = crop.height / rows, crop.width / columns
    before = [min(margin, int(crop.top / step_y)), min(margin, int(crop.left / step_x))]
    after = [
        min(margin, int((shape[0] - crop.top - crop.height) / step_y)),
        min(margin, int((shape[1] - crop.left - crop.width) / step_x)),
    ]
    size = (rows + before[0] + after[0], columns + before[1] + after[1])
    whole = Crop(crop.top - before[0] * step_y, crop.left - before[1] * step_x, size[0] * step_y, size[1] * step_x)
    scene = np.maximum(resized(photograph, size, whole, Image.Resampling.BICUBIC), 0)
    missing = [(margin - first, margin - last) for first, last in zip(before, after, strict=True)]
    scene = np.rot90(np.pad(scene, (*missing, (0, 0)), mode="symmetric"), view.turns)
    return np.ascontiguousarray(scene[:, ::-1] if view.mirrored else scene)
