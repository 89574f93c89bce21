"""Thumbnails of photographs in a manifest, by which a crop or a turned copy of a photograph is recognised.

A picture is looked for in every place, in sizes down to :data:`SMALLEST` of the photograph's longer side, in the four
turns by a right angle and their mirror images: normalised cross-correlation through the Fourier transform (J. P. Lewis,
Fast Normalized Cross-Correlation, 1995), of thumbnails whose finest and broadest detail is filtered out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from PIL import Image
from scipy import ndimage

from metalens.formats.pictures.resizing import strips

SIDE = 48
"""Longer side of a thumbnail in pixels."""

SMALLEST = 0.45
"""Longer side of the smallest crop that is looked for, over that of the photograph."""

ALIKE = 0.82
"""A larger correlation is taken for the same picture.

Of 34 photographs of Kodak's set and Set14 no two reach 0.78. Crops of nine tenths and of three quarters of each side,
shrunk to 70 %, turned and saved as JPEG of quality 70, have 0.83 at least (``tests/formats/pairs/test_thumbnail.py``).
"""

_STEP = 0.965
_FINEST, _BROADEST = 0.8, 4.0
"""Standard deviations of Gaussian filters in pixels."""

_LEVELS = 16
_LEAST_SIDE = 8

TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda picture: picture,
    "turned by 90°": lambda picture: np.rot90(picture),
    "turned by 180°": lambda picture: np.rot90(picture, 2),
    "turned by 270°": lambda picture: np.rot90(picture, 3),
    "mirrored": lambda picture: picture[:, ::-1],
    "mirrored and turned by 90°": lambda picture: np.rot90(picture[:, ::-1]),
    "upside down": lambda picture: picture[::-1],
    "mirrored and turned by 270°": lambda picture: np.rot90(picture[:, ::-1], 3),
}
"""What may have been done to a picture → the function that does it."""

UNDOES = {"turned by 90°": "turned by 270°", "turned by 270°": "turned by 90°"}
"""Turn → the one that undoes it; all others undo themselves."""


def thumbnail_of(picture: np.ndarray) -> str:
    """A small grey picture of a photograph, as text for a manifest.

    Args:
        picture: ``[y, x, 3]`` uint8 sRGB.

    Returns:
        Base64 of the number of columns, and of 4 bits a pixel; about 1000 letters.
    """
    rows, columns = picture.shape[:2]
    scale = SIDE / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    grey = np.concatenate([np.asarray(Image.fromarray(picture[part]).convert("L")) for part in strips((rows, columns))])
    small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)).astype(np.float64)
    low, high = np.percentile(small, (1, 99))
    levels = ((small - low) / max(high - low, 1) * (_LEVELS - 1)).round().clip(0, _LEVELS - 1).astype(np.uint8).ravel()
    padded = np.append(levels, np.zeros(levels.size % 2, np.uint8))
    return base64.b64encode(bytes([size[0]]) + (padded[::2] << 4 | padded[1::2]).tobytes()).decode()


def picture_of(thumbnail: str) -> np.ndarray | None:
    """Decode a thumbnail.

    Args:
        thumbnail: of :func:`thumbnail_of`.

    Returns:
        ``[y, x]`` float32, 0 to 15; None if the text holds no thumbnail, or a side is shorter than 8 pixels.
    """
    try:
        data = np.frombuffer(base64.b64decode(thumbnail, validate=True), np.uint8)
    except binascii.Error:
        return None
    if not data.size or not _LEAST_SIDE <= data[0] <= SIDE:
        return None
    levels = np.stack([data[1:] >> 4, data[1:] & 15], axis=1).ravel()
    rows = levels.size // int(data[0])
    if not _LEAST_SIDE <= rows <= SIDE:
        return None
    return levels[: rows * int(data[0])].reshape(rows, -1).astype(np.float32)


@dataclass(frozen=True)
class Found:
    """Where a picture is in others.

    Attributes:
        correlation: ``[other]``, the largest of all places, sizes and turns.
        turn: ``[other]``, index into :data:`TURNS`.
        size: ``[other]``, longer side of the picture over that of the other.
    """

    correlation: np.ndarray
    turn: np.ndarray
    size: np.ndarray


class Thumbnails:
    """Photographs in which pictures are looked for.

    Args:
        pictures: ``[y, x]`` of each, of :func:`picture_of`.
    """

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        values = np.zeros((len(pictures), SIDE, SIDE), np.float32)
        for number, picture in enumerate(pictures):
            values[number, : picture.shape[0], : picture.shape[1]] = _filtered(picture)
        self._sides = np.array([each.shape for each in pictures])
        self._spectrum = scipy.fft.rfft2(values)
        self._sums, self._squares = _integral(values), _integral(values**2)

    def search(self, picture: np.ndarray, *, whole: bool = False) -> Found:
        """Look for a picture, as a crop or turned.

        Args:
            picture: ``[y, x]``, of :func:`picture_of`.
            whole: only as large as the photographs, which takes a fifteenth of the time.

        Returns:
            For each photograph its best correlation, the turn and the relative size of the crop.
        """
        count = len(self._sides)
        best = Found(np.full(count, -1.0), np.zeros(count, int), np.ones(count))
        for turn, turned in enumerate(TURNS.values()):
            size = 1.0
            while size >= (1.0 if whole else SMALLEST):
                self._compare(turned(picture), size, turn, best)
                size *= _STEP
        return best

    def _compare(self, picture: np.ndarray, size: float, turn: int, best: Found) -> None:
        """Correlate with a picture of a certain size, and note in ``best`` where it is larger."""
        rows, columns = (max(_LEAST_SIDE, round(side * size)) for side in picture.shape)
        resized = Image.fromarray(np.ascontiguousarray(picture)).resize((columns, rows), Image.Resampling.BOX)
        template = _filtered(np.asarray(resized))
        template = template - template.mean()
        power = float((template**2).sum())
        if power <= 0:
            return
        places = SIDE - rows + 1, SIDE - columns + 1
        # Places where the template lies inside do not wrap around.
        spectrum = self._spectrum * scipy.fft.rfft2(template, (SIDE, SIDE)).conj()
        product = scipy.fft.irfft2(spectrum, (SIDE, SIDE))[:, : places[0], : places[1]]
        sums, squares = (_over_windows(each, rows, columns) for each in (self._sums, self._squares))
        # A flat place correlates with nothing.
        variance = np.maximum(squares - sums**2 / (rows * columns), 0.1 * power)
        found = product / np.sqrt(variance * power)
        for axis, side in ((1, rows), (2, columns)):
            place = np.arange(places[axis - 1]).reshape((-1, 1) if axis == 1 else (1, -1))
            found[np.broadcast_to(place > (self._sides[:, axis - 1] - side)[:, None, None], found.shape)] = -1
        largest = found.max(axis=(1, 2))
        better = largest > best.correlation
        best.correlation[better] = largest[better]
        best.turn[better], best.size[better] = turn, size


def _filtered(picture: np.ndarray) -> np.ndarray:
    """Without its finest detail, which the place between pixels changes, and its broadest, which pictures share."""
    fine, broad = (ndimage.gaussian_filter(picture, each, mode="nearest") for each in (_FINEST, _BROADEST))
    return np.asarray(fine - broad, np.float32)


def _integral(pictures: np.ndarray) -> np.ndarray:
    return np.pad(pictures.astype(np.float64).cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))


def _over_windows(integral: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Sums over all windows of this size."""
    lower, upper = integral[:, rows:], integral[:, :-rows]
    return np.asarray(lower[:, :, columns:] - lower[:, :, :-columns] - upper[:, :, columns:] + upper[:, :, :-columns])
