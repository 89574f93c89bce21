"""Captures as linear light: repeats averaged, the dark frame subtracted, white balanced, the mosaic filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.captures.camera_raw import is_camera_raw, read_camera_raw
from metalens.formats.captures.screen_captures import AlignmentSet
from metalens.formats.files.errors import InputError
from metalens.synth.sensor import bayer_channels, demosaic

SATURATED_SHARE = 1e-4
"""Largest share of saturated samples; pixels that are saturated in the dark do not count."""

Region = tuple[int, int, int, int]
"""Top, left, rows, columns on the sensor."""


@dataclass(frozen=True)
class FrameReader:
    """Converts raw files to linear light.

    Attributes:
        captures: that name the files.
        sensor: that took them.
        dark: ``[plane, y, x]`` mean of the dark frames, digital numbers.
        stuck: ``[plane, y, x]`` which samples are at full scale in the dark.
        full_scale: the number of a saturated sample.
        white: digital numbers above the dark, of red, green and blue, that are scaled to 1.
    """

    captures: AlignmentSet
    sensor: Sensor
    dark: np.ndarray
    stuck: np.ndarray
    full_scale: float
    white: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def light(self, name: str, region: Region | None = None) -> np.ndarray:
        """Read the linear light of a file.

        Args:
            name: of the file.
            region: in which saturation matters; by default everywhere.

        Returns:
            ``[y, x, 3]`` float64 linear light of the whole sensor; 1 is the white level.

        Raises:
            InputError: the file cannot be read, or is saturated.
        """
        signal = self.signal(name, region)
        if len(signal) == 3:
            return np.moveaxis(signal, 0, -1) / np.array(self.white)
        channels = bayer_channels(self.sensor, self.sensor.pixels)
        return demosaic(signal[0] / np.array(self.white)[channels], self.sensor.bayer)

    def signal(self, name: str, region: Region | None = None) -> np.ndarray:
        """Mean of a file's frames above the dark, in digital numbers.

        Args:
            name: of the file.
            region: in which saturation matters; by default everywhere.

        Returns:
            ``[plane, y, x]`` of the whole sensor.

        Raises:
            InputError: the file cannot be read, or is saturated.
        """
        frames = _frames(self.captures, name, self.sensor)
        top, left, rows, columns = region or (0, 0, *self.sensor.pixels)
        part = (..., slice(top, top + rows), slice(left, left + columns))
        counted = ~self.stuck[part]
        full = (frames[part] >= self.full_scale) & counted
        samples = len(frames) * int(counted.sum())
        if full.sum() > SATURATED_SHARE * samples:
            raise InputError(
                f"{self.captures.path(name)}: saturated: {int(full.sum())} of its {samples} samples "
                f"({100 * full.sum() / samples:.2g} %) are at full scale, {self.full_scale:g} DN; expose all captures "
                "shorter."
            )
        return frames.mean(axis=0, dtype=np.float64) - self.dark

    def by_channel(self, signal: np.ndarray) -> list[np.ndarray]:
        """The samples of red, green and blue, each flat, of planes ``[plane, y, x]``."""
        if len(signal) == 3:
            return [plane.ravel() for plane in signal]
        channels = bayer_channels(self.sensor, self.sensor.pixels)
        return [signal[0][channels == channel] for channel in range(3)]


def _frames(captures: AlignmentSet, name: str, sensor: Sensor) -> np.ndarray:
    """Raw frames ``[frame, plane, y, x]`` of a file; without ``full_scale_dn`` they hold the sensor's own numbers."""
    frames = captures.frames(name, sensor.pixels)
    most = 2**sensor.bit_depth - 1
    if captures.full_scale_dn is None and frames.max() > most:
        raise InputError(
            f"{captures.path(name)}: holds {frames.max():g} DN, more than the {most} of {sensor.bit_depth} bits; for "
            f"left-aligned numbers of 16 bits give full_scale_dn = {most << max(0, 16 - sensor.bit_depth)}, else the "
            "sensor's bit_depth."
        )
    return frames


def _full_scale(captures: AlignmentSet, sensor: Sensor) -> float:
    """The number of a saturated sample: a raw file's own, else the sensor's largest."""
    path = captures.path(captures.white)
    if not is_camera_raw(path):
        return float(2**sensor.bit_depth - 1)
    raw = read_camera_raw(path)
    if captures.colour == "bayer" and raw.bayer != sensor.bayer:
        raise InputError(
            f"{path}: its colour filters are {raw.bayer or 'none'}, those of the sensor {sensor.bayer}; set bayer in "
            "the lens file."
        )
    return raw.white


def frame_reader(captures: AlignmentSet) -> FrameReader:
    """Read the dark frames and measure the white level.

    Raises:
        InputError: they cannot be read, differ in size, are saturated, or the white screen is not brighter than they.
    """
    sensor = captures.camera().sensor
    full_scale = captures.full_scale_dn or _full_scale(captures, sensor)
    shape = (1 if captures.colour == "bayer" else 3, *sensor.pixels)
    total, count = np.zeros(shape), 0
    stuck = np.ones(shape, dtype=bool)
    for name in captures.darks:
        frames = _frames(captures, name, sensor)
        total = total + frames.sum(axis=0, dtype=np.float64)
        count += len(frames)
        stuck &= (frames >= full_scale).all(axis=0)
    if stuck.mean() > 0.01:
        raise InputError(
            f"{captures.path(captures.darks[0])}: {100 * stuck.mean():.2g} % of its samples are at full scale; dark "
            "frames are taken with the lens capped."
        )
    reader = FrameReader(captures, sensor, total / count, stuck, full_scale)
    white = captures.path(captures.white)
    levels = []
    for colour, samples in zip(("red", "green", "blue"), reader.by_channel(reader.signal(captures.white)), strict=True):
        level = float(np.percentile(samples, 95))
        if level <= 0:
            raise InputError(
                f"{white}: the white screen's {colour} lies {-level:z.3g} DN below the dark frames; were the two "
                "swapped, or the exposure changed?"
            )
        if level < 0.02 * full_scale:
            raise InputError(
                f"{white}: the white screen's {colour} lies {level:.3g} DN above the dark, at least "
                f"{0.02 * full_scale:.3g} DN are needed; expose all captures longer."
            )
        levels.append(level)
    return replace(reader, white=(levels[0], levels[1], levels[2]))
