"""Steadier frames of a video: latents drawn towards those of the previous frame where the scene stands still.

    z_t ← z_t + s g (z_{t−1} − z_t)

with z_{t−1} the previous frame's steadied latents, s the share that is asked for and g in 0..1 the gate at each latent.
The gate is 1 where the two captures differ as the camera's noise lets them, and 0 where they differ twice as much: what
moves is restored from its own frame alone. In a scene that stands still this is a recursive average, which leaves
√((1 − s) / (1 + s)) of independent noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import decode_picture, encode_light, rounding_variance
from metalens.formats.pictures.scene import display_values
from metalens.restore.inference.restoration import Latents

STILL, MOVED = 1.5, 3.0
"""Root mean square difference of two captures, in multiples of what noise makes of it: a place stands still up to the
first, and has moved from the second on."""

_NEIGHBOURHOOD = 9
"""Pixels along a side over which differences are averaged."""

_STEP = 1e-3
"""Step of light, for the slope of the camera's curve."""


@dataclass(frozen=True)
class SteadyFrame:
    """What is kept of a frame for the next one.

    Attributes:
        capture: ``[y, x, 3]``, uint8 or floats in 0..1.
        latents: steadied.
    """

    capture: np.ndarray
    latents: Latents


def steadied(
    capture: np.ndarray, latents: Latents, previous: SteadyFrame, share: float, sensor: Sensor, stride: int
) -> Latents:
    """Draw a frame's latents towards those of the frame before it.

    Args:
        capture: ``[y, x, 3]``, uint8 or floats in 0..1.
        latents: of this capture.
        previous: the frame before.
        share: s, in 0..1; 0 changes nothing.
        sensor: of the camera, whose noise the gate needs.
        stride: pixels per latent along a side.

    Returns:
        New latents; those given stay as they are.

    Raises:
        InputError: the frames have different sizes, or the share is not in 0..1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"--steady {share:g}: expected a share from 0 to 1.")
    if capture.shape != previous.capture.shape:
        raise InputError(
            f"--steady: a frame of {capture.shape[0]} × {capture.shape[1]} pixels after one of "
            f"{previous.capture.shape[0]} × {previous.capture.shape[1]}; frames of a sequence have one size."
        )
    gate = share * _at_latents(still_places(capture, previous.capture, sensor), latents.positive, stride)
    return replace(
        latents,
        positive=torch.lerp(latents.positive, previous.latents.positive, gate),
        neutral=torch.lerp(latents.neutral, previous.latents.neutral, gate),
    )


def still_places(capture: np.ndarray, before: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Where two captures differ by noise alone.

    Args:
        capture: ``[y, x, 3]``, uint8 or floats in 0..1.
        before: of the same shape.
        sensor: of the camera.

    Returns:
        ``[y, x]`` float32, 1 where the scene stands still, 0 where it moved.
    """
    now, then = display_values(capture), display_values(before)
    expected = _display_variance(capture, sensor) + _display_variance(before, sensor)
    found = uniform_filter(np.square(now - then).mean(axis=-1), _NEIGHBOURHOOD, mode="nearest")
    noise = uniform_filter(expected.mean(axis=-1), _NEIGHBOURHOOD, mode="nearest")
    ratio = np.sqrt(np.maximum(found, 0) / np.maximum(noise, 1e-12))
    return np.clip((MOVED - ratio) / (MOVED - STILL), 0, 1).astype(np.float32)


def _display_variance(picture: np.ndarray, sensor: Sensor) -> np.ndarray:
    """Variance of a picture's values by the sensor's noise and by rounding, ``[y, x, 3]``."""
    light = decode_picture(sensor, picture).clip(0, 1)
    variance = noise_variance(sensor, light) + rounding_variance(sensor, picture)
    below, above = (light - _STEP).clip(0, 1), (light + _STEP).clip(0, 1)
    slope = (encode_light(sensor, above) - encode_light(sensor, below)) / np.maximum(above - below, _STEP)
    return np.asarray(variance * np.square(slope))


def _at_latents(gate: np.ndarray, latents: Tensor, stride: int) -> Tensor:
    """The least of the gate over the pixels of each latent, padded as the picture was, ``[1, 1, y, x]``."""
    rows, columns = (side * stride for side in latents.shape[-2:])
    values = torch.from_numpy(gate)[None, None]
    values = F.pad(values, (0, columns - gate.shape[1], 0, rows - gate.shape[0]), mode="replicate")
    return -F.max_pool2d(-values, stride).to(latents)
