"""From light on the pixels to the raw frame: noise and conversion, in the order of a real sensor."""

from __future__ import annotations

import math

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.bayer import bayer_channels
from metalens.synth.sensor.exposure import Exposure
from metalens.synth.sensor.fixed_pattern import CameraFixedPattern, fixed_pattern

MAXIMUM_ELECTRONS = 1e9
"""The brightest pixel that can be exposed."""


def expose(
    sensor: Sensor,
    light: np.ndarray,
    exposure: Exposure,
    generator: np.random.Generator,
    pattern: CameraFixedPattern | None = None,
    *,
    frame_rows: tuple[int, int] | None = None,
) -> np.ndarray:
    """Take a raw frame, or a part of one.

    Args:
        sensor: the sensor; its terms that are None take no random numbers.
        light: ``[y, x, 3]`` linear light on the pixels, 1 for a white scene; values below zero by less than the
            rounding of a convolution count as zero.
        exposure: from :func:`exposure_for`.
        generator: the random numbers of this sample alone.
        pattern: what the camera's shots have in common; by default :func:`fixed_pattern` of the sensor.
        frame_rows: of a part, its first row and the rows of the whole frame, over which the gain drifts.

    Returns:
        ``[y, x]`` uint16 digital numbers.

    Raises:
        InputError: the light, or what exposure and pattern make of it, is NaN, infinite, negative, of another shape, or
            too bright to be counted.
    """
    light = np.asarray(light, dtype=np.float32)
    _check(light)
    pattern = fixed_pattern(sensor, light.shape[:2]) if pattern is None else pattern
    rate = _electron_rate(sensor, light, exposure, pattern)
    electrons = rate if sensor.shot_noise is False else generator.poisson(rate)
    if pattern.dark_e is not None:
        electrons = electrons + pattern.dark_e
    held = np.minimum(electrons, sensor.full_well_e)
    signal = held + sensor.read_noise_e * generator.standard_normal(rate.shape)
    signal = _read_out(sensor, signal, pattern, frame_rows or (0, len(light)), generator)
    number = np.rint(sensor.system_gain * signal + sensor.black_level_dn)
    return np.clip(number, 0, 2**sensor.bit_depth - 1).astype(np.uint16)


def _check(light: np.ndarray) -> None:
    if light.ndim != 3 or light.shape[2] != 3 or 0 in light.shape:
        raise InputError(f"sensor: found light of shape {light.shape}, expected [y, x, 3].")
    # Generators react to an invalid Poisson rate differently (−1, NaN, an error): refused here.
    if not np.isfinite(light).all():
        raise InputError("sensor: the light holds NaN or infinity; check the scene and the psf bank.")
    if light.min() < -1e-4 * max(float(light.max()), 1.0):
        raise InputError(f"sensor: found light of {float(light.min()):.3g}, expected none below zero.")


def _electron_rate(sensor: Sensor, light: np.ndarray, exposure: Exposure, pattern: CameraFixedPattern) -> np.ndarray:
    """Mean electrons of each pixel, by light through its own colour filter and in the dark, ``[y, x]`` float64."""
    channels = bayer_channels(sensor, light.shape[:2])
    seen = np.take_along_axis(light, channels[..., None], axis=2)[..., 0]
    rate = np.maximum(seen, 0).astype(np.float64) * np.asarray(exposure.electrons)[channels]
    if sensor.crosstalk:
        rate = _shared_with_neighbours(rate, sensor.crosstalk)
    rate = rate + sensor.dark_signal_e
    if pattern.hot_e is not None:
        rate += pattern.hot_e
    if not rate.min() >= 0:
        raise InputError(f"sensor: {float(rate.min()):.3g} electrons in a pixel; check the exposure and the pattern.")
    if rate.max() > MAXIMUM_ELECTRONS:
        raise InputError(
            f"sensor: {float(rate.max()):.3g} electrons in a pixel, at most {MAXIMUM_ELECTRONS:.0g}; "
            "check full_well_e, the dark current and the scene."
        )
    return rate


def _shared_with_neighbours(rate: np.ndarray, share: float) -> np.ndarray:
    """Microlens crosstalk: each pixel gives a quarter of the share to each of its 4 neighbours; borders keep theirs."""
    beside = np.pad(rate, 1, mode="edge")
    neighbours = beside[:-2, 1:-1] + beside[2:, 1:-1] + beside[1:-1, :-2] + beside[1:-1, 2:]
    return (1 - share) * rate + share / 4 * neighbours


def _read_out(
    sensor: Sensor,
    signal: np.ndarray,
    pattern: CameraFixedPattern,
    frame_rows: tuple[int, int],
    generator: np.random.Generator,
) -> np.ndarray:
    """Responses of the pixels, then the offsets of rows and columns, then the gain's drift; electrons ``[y, x]``."""
    rows, columns = signal.shape
    if pattern.response is not None:
        signal = signal * pattern.response
    if pattern.line_e is not None:
        signal = signal + pattern.line_e
    if sensor.row_noise_e:
        signal = signal + sensor.row_noise_e * generator.standard_normal((rows, 1))
    if sensor.column_noise_e:
        signal = signal + sensor.column_noise_e * generator.standard_normal((1, columns))
    if sensor.rolling_gain_percent:
        gain = _rolling_gain(sensor.rolling_gain_percent / 100, frame_rows[1], generator)
        signal = signal * gain[frame_rows[0] : frame_rows[0] + rows]
    return signal if pattern.dead is None else np.where(pattern.dead, 0.0, signal)


def _rolling_gain(deviation: float, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Gain of each row ``[y, 1]``: a wave of half a period to two over the frame, as of a supply or a flickering lamp.

    A wave's variance over all phases is half of its amplitude squared.
    """
    periods, phase = generator.uniform(0.5, 2.0), generator.uniform(0.0, 2 * math.pi)
    wave = np.sin(2 * math.pi * periods * np.arange(rows) / rows + phase)
    return 1 + math.sqrt(2) * deviation * wave[:, None]
