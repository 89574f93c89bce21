"""Encoding of light in a camera's pictures and its inverse: colour matrix, then sRGB or a power law.

Light here is linear, in shares of white, of the sensor's own channels after white balance: what the lens blurs and the
sensor counts. What undoes the blur must begin from it. Clean photographs are sRGB whatever the camera.
"""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.sensor import Development, Sensor
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear

_LARGEST_CONDITION = 1e3


def has_flat_field(sensor: Sensor) -> bool:
    """Whether the camera is balanced on a white scene (flat field), which is then uniformly white.

    A camera with gains of its own shows with them what the lens makes of the scene.
    """
    return sensor.development is None or sensor.development.white_balance is None


def encode_light(sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """Encode light as the camera does.

    Args:
        sensor: its ``development`` says what is done otherwise than sRGB.
        light: ``[..., 3]`` linear.

    Returns:
        ``[..., 3]`` floats in 0..1: sRGB, or light^(1/gamma) if the sensor has a gamma.
    """
    settings = sensor.development or Development()
    if settings.colour_matrix is not None:
        # Clipped before: a saturated channel would tint its surroundings.
        light = np.clip(light, 0, 1) @ np.array(settings.colour_matrix).T
    return encode_curve(sensor, light)


def encode_curve(sensor: Sensor, light: np.ndarray) -> np.ndarray:
    """Encode light behind the colour matrix, by the camera's curve alone.

    Args:
        sensor: see :func:`encode_light`.
        light: ``[..., 3]`` linear.

    Returns:
        ``[..., 3]`` floats in 0..1.
    """
    gamma = (sensor.development or Development()).gamma
    if gamma is not None:
        return np.asarray(np.clip(light, 0, 1) ** (1 / gamma))
    return linear_to_srgb(light)


def decode_picture(sensor: Sensor, picture: np.ndarray) -> np.ndarray:
    """The light of a camera's picture: the inverse of :func:`encode_light`, where nothing was clipped.

    Args:
        sensor: whose picture it is.
        picture: ``[..., 3]`` uint8, or floats in 0..1.

    Returns:
        ``[..., 3]`` float32 linear light of the sensor's channels; below 0 or above 1 where the matrix was clipped.

    Raises:
        InputError: the colour matrix has no inverse.
    """
    light = _linear(sensor, picture)
    inverse = inverse_colour_matrix(sensor)
    return light if inverse is None else (light @ inverse.T).astype(np.float32)


def rounding_variance(sensor: Sensor, picture: np.ndarray) -> np.ndarray:
    """Variance of the light that a picture of 8 bits stands for: of all that is rounded to it.

    Args:
        sensor: whose picture it is.
        picture: ``[..., 3]`` uint8; or floats, whose rounding counts as none.

    Returns:
        ``[..., 3]`` float32, in shares of white squared.

    Raises:
        InputError: the colour matrix has no inverse.
    """
    if picture.dtype != np.uint8:
        return np.zeros(picture.shape, np.float32)
    value = picture.astype(np.float32)
    upper, lower = (_linear(sensor, np.clip((value + half) / 255, 0, 1)) for half in (0.5, -0.5))
    variance = (upper - lower) ** 2 / 12
    inverse = inverse_colour_matrix(sensor)
    return np.asarray(variance if inverse is None else (variance @ (inverse**2).T).astype(np.float32))


def inverse_colour_matrix(sensor: Sensor) -> np.ndarray | None:
    """What undoes the sensor's colour matrix, ``[3, 3]``, or ``None`` where it has none.

    Raises:
        InputError: there is no such matrix.
    """
    matrix = (sensor.development or Development()).colour_matrix
    if matrix is None:
        return None
    rows = np.array(matrix)
    condition = np.linalg.cond(rows)
    if not condition < _LARGEST_CONDITION:
        raise InputError(
            f"sensor: the colour_matrix {rows.tolist()} cannot be undone (condition {condition:.3g}), so the light of "
            "its pictures is not known; what needs the point spread functions cannot restore them."
        )
    return np.linalg.inv(rows)


def _linear(sensor: Sensor, picture: np.ndarray) -> np.ndarray:
    """Linear values before the camera's curve."""
    gamma = (sensor.development or Development()).gamma
    if gamma is None:
        return srgb_to_linear(picture)
    values = picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture.astype(np.float32)
    return np.power(np.clip(values, 0, 1), np.float32(gamma))
