"""Hot and dead pixels in a camera's picture: found by what no lens can make, and filled from around them.

A defective pixel falsifies one number of the mosaic. Demosaicing keeps the numbers of the mosaic and spreads this one
over the missing colours of its neighbours. Light that came through a lens reaches several neighbouring pixels, of which
some have another colour filter. So a pixel is defective if its number lies outside of all its neighbours of the same
colour, far beyond the noise and their spread, while the pixels next to it, of other colours, show nothing of it.

Filled are all pixels that linear demosaicing by 5 × 5 filters (Malvar et al. 2004, 10.1109/ICASSP.2004.1326587) reaches
from it: harmonic interpolation, where each is the mean of its four neighbours.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.pictures.encoding import decode_picture, encode_light, rounding_variance
from metalens.formats.pictures.scene import to_8_bit

LEAST_DEVIATION = 4.0
"""Standard deviations of the noise beyond all neighbours from which a pixel is defective."""

LEAST_STEP = 0.5
"""The same in shares of the neighbours' range."""

MOST_SHARED, MOST_SHARED_MEAN = 0.25, 0.1
"""Shares of its deviation that the pixels next to a defective one may show, each and in the mean.

Behind a lens it would be half: the light of a point in an image of full width 2 pixels."""

_SAME_COLOUR = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if (y, x) != (0, 0)]
_BESIDE = [(-1, 0), (1, 0), (0, -1), (0, 1)]
_SPREAD = np.abs(np.mgrid[-2:3, -2:3]).sum(axis=0) <= 2


def fill_defective(sensor: Sensor, picture: np.ndarray, place: tuple[int, int] | None = None) -> np.ndarray:
    """Fill the hot and dead pixels of a picture; the others stay as they are.

    Args:
        sensor: the camera's: Bayer pattern, noise and encoding.
        picture: ``[y, x, 3]`` uint8, or floats in 0..1, as the camera encodes it.
        place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

    Returns:
        A picture of the same shape and type; the same one, if nothing is defective.
    """
    defective = defective_pixels(sensor, picture, place)
    if not defective.any():
        return picture
    spread = ndimage.binary_dilation(defective, _SPREAD)
    light = decode_picture(sensor, picture)
    encoded = encode_light(sensor, _harmonic(light, spread))
    filled = picture.copy()
    filled[spread] = to_8_bit(encoded) if picture.dtype == np.uint8 else encoded
    return filled


def defective_pixels(sensor: Sensor, picture: np.ndarray, place: tuple[int, int] | None = None) -> np.ndarray:
    """Find hot and dead pixels.

    Args:
        sensor: see :func:`fill_defective`.
        picture: ``[y, x, 3]`` uint8, or floats in 0..1.
        place: (row, column) on the sensor of its first pixel.

    Returns:
        ``[y, x]`` bool; False everywhere in a picture of fewer than 5 pixels a side.
    """
    shape = picture.shape[:2]
    if min(shape) < 5:
        return np.zeros(shape, dtype=bool)
    channel = _channels(sensor, shape, place or (0, 0))[..., None]
    light = decode_picture(sensor, picture)
    mosaic, variance = (
        np.take_along_axis(values, channel, axis=-1)[..., 0] for values in (light, _variance(sensor, picture, light))
    )
    neighbours = _shifted(mosaic, _SAME_COLOUR)
    highest, lowest = neighbours.max(axis=0), neighbours.min(axis=0)
    # Another defective pixel among the neighbours is an extreme.
    deviation = mosaic - (neighbours.sum(axis=0) - highest - lowest) / (len(neighbours) - 2)
    beyond = np.maximum(mosaic - highest, lowest - mosaic)
    # The neighbours' noise too: a dead pixel in bright light has little of its own.
    noise = np.sqrt(np.maximum(variance, _shifted(variance, _BESIDE).mean(axis=0)))
    beside, size = _shifted(deviation, _BESIDE) * np.sign(deviation), np.abs(deviation)
    alone = (beside.max(axis=0) < MOST_SHARED * size) & (beside.mean(axis=0) < MOST_SHARED_MEAN * size)
    return np.asarray((beyond > LEAST_DEVIATION * noise) & (beyond > LEAST_STEP * (highest - lowest)) & alone)


def _channels(sensor: Sensor, shape: tuple[int, ...], place: tuple[int, int]) -> np.ndarray:
    """Colour channel of each pixel's filter ``[y, x]``."""
    tile = np.array(["RGB".index(letter) for letter in sensor.bayer]).reshape(2, 2)
    rows, columns = (first + np.arange(length) for first, length in zip(place, shape, strict=True))
    return tile[rows[:, None] % 2, columns % 2]


def _variance(sensor: Sensor, picture: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Variance of the light ``[y, x, channel]`` of a picture by noise and by rounding to 8 bits."""
    noise = noise_variance(sensor, light.clip(0))
    return noise + rounding_variance(sensor, picture) if picture.dtype == np.uint8 else noise


def _shifted(values: np.ndarray, offsets: list[tuple[int, int]]) -> np.ndarray:
    """``[offset, y, x]`` the neighbours of each pixel; beyond the border its mirror image, which keeps the pattern."""
    padded = np.pad(values, 2, mode="reflect")
    height, width = values.shape
    return np.stack([padded[2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in offsets])


def _harmonic(light: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Light ``[pixel, 3]`` in a hole ``[y, x]``, where each pixel is the mean of its neighbours in the frame."""
    from scipy import sparse  # 0.1 s, which captures without defective pixels do not need
    from scipy.sparse.linalg import spsolve

    number = np.full(hole.shape, -1)
    count = int(hole.sum())
    number[hole] = np.arange(count)
    pairs, known, neighbours = [], np.zeros((count, 3)), np.zeros(count)
    rows, columns = np.nonzero(hole)
    for step_y, step_x in _BESIDE:
        y, x = rows + step_y, columns + step_x
        own = np.flatnonzero((y >= 0) & (y < hole.shape[0]) & (x >= 0) & (x < hole.shape[1]))
        neighbours[own] += 1
        unknown = hole[y[own], x[own]]
        pairs.append(np.stack([own[unknown], number[y[own], x[own]][unknown]]))
        known[own[~unknown]] += light[y[own], x[own]][~unknown]
    places = np.concatenate(pairs, axis=1)
    system = sparse.diags(neighbours) - sparse.csr_matrix((np.ones(places.shape[1]), places), shape=(count, count))
    return np.asarray(spsolve(system.tocsc(), known)).reshape(count, 3)
