"""Fixed patterns of a camera, equal in all its shots: DSNU, PRNU, rows and columns, hot and dead pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from metalens.formats.camera.sensor import Sensor

_Term = Literal["dsnu", "prnu", "rows", "columns", "hot", "dead"]


@dataclass(frozen=True)
class CameraFixedPattern:
    """The fixed patterns of one camera; ``None`` where it has none.

    Attributes:
        hot_e: ``[y, x]`` mean additional dark signal of hot pixels in electrons, 0 at the others.
        dark_e: ``[y, x]`` DSNU: offset of the dark signal in electrons, of mean 0.
        line_e: ``[y, x]`` offset of rows and columns in electrons, of mean 0.
        response: ``[y, x]`` PRNU: response of each pixel, of mean 1; 0 for a dead one.
        dead: ``[y, x]`` bool, pixels that read the black level.
    """

    hot_e: np.ndarray | None
    dark_e: np.ndarray | None
    line_e: np.ndarray | None
    response: np.ndarray | None
    dead: np.ndarray | None


# One entry: the patterns of a 24-megapixel sensor are 400 MB.
@lru_cache(maxsize=1)
def fixed_pattern(sensor: Sensor, shape: tuple[int, int]) -> CameraFixedPattern:
    """Draw the patterns of a camera from its ``camera_seed`` (0 without one).

    Each term has random numbers of its own, so that switching one leaves the others as they are.

    Args:
        sensor: the sensor.
        shape: rows, columns.

    Returns:
        The same arrays for the same sensor; they cannot be written to.
    """
    patterns = (_hot(sensor, shape), _normal(sensor, "dsnu", sensor.dsnu_e, shape), _lines(sensor, shape))
    response, dead = None, None
    if sensor.prnu_percent:
        # A pixel responds to more light with more signal, however far out in the Gaussian's tail it is.
        response = np.maximum(1 + _drawn_normal(sensor, "prnu", shape) * np.float32(sensor.prnu_percent / 100), 0)
    if sensor.dead_pixel_share:
        dead = _drawn(sensor, "dead").random(shape, dtype=np.float32) < sensor.dead_pixel_share
    for each in (*patterns, response, dead):
        if each is not None:
            each.flags.writeable = False
    return CameraFixedPattern(*patterns, response, dead)


def _hot(sensor: Sensor, shape: tuple[int, int]) -> np.ndarray | None:
    """Dark currents of hot pixels are about exponentially distributed."""
    if not sensor.hot_pixel_share or sensor.hot_pixel_e is None:
        return None
    generator = _drawn(sensor, "hot")
    is_hot = generator.random(shape, dtype=np.float32) < sensor.hot_pixel_share
    return np.where(is_hot, generator.exponential(sensor.hot_pixel_e, shape), 0.0).astype(np.float32)


def _lines(sensor: Sensor, shape: tuple[int, int]) -> np.ndarray | None:
    rows = _normal(sensor, "rows", sensor.row_pattern_e, (shape[0], 1))
    columns = _normal(sensor, "columns", sensor.column_pattern_e, (1, shape[1]))
    if rows is None and columns is None:
        return None
    return (0 if rows is None else rows) + (0 if columns is None else columns) + np.zeros(shape, dtype=np.float32)


def _normal(sensor: Sensor, term: _Term, deviation: float | None, shape: tuple[int, int]) -> np.ndarray | None:
    return _drawn_normal(sensor, term, shape) * np.float32(deviation) if deviation else None


def _drawn_normal(sensor: Sensor, term: _Term, shape: tuple[int, int]) -> np.ndarray:
    return _drawn(sensor, term).standard_normal(shape, dtype=np.float32)


def _drawn(sensor: Sensor, term: _Term) -> np.random.Generator:
    # A spawn key keeps these apart from the samples' generators, which are seeded by plain numbers.
    key = (get_args(_Term).index(term),)
    return np.random.default_rng(np.random.SeedSequence(sensor.camera_seed or 0, spawn_key=key))
