"""The most probable scene, given what the camera saw and what is expected: conjugate gradients on the blur.

    x = x̂ + D u,    u = argmin  Σ w (y − H x)² + Σ u²

in linear light: y the captured light, w its weight (one over the variance), H the camera's blur
(:mod:`metalens.restore.deconvolution.local_blur`), x̂ the expected scene and D the square root of the covariance of its
error. The unknowns u have unit variance, so few iterations do (MoDL: Aggarwal, Mani & Jacob 2019,
10.1109/TMI.2018.2865356). All steps are differentiable.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_noise import noise_variance
from metalens.formats.pictures.encoding import decode_picture, inverse_colour_matrix, rounding_variance
from metalens.formats.pictures.scene import display_values
from metalens.restore.deconvolution.local_blur import LocalBlur

RESTORER_ERROR = 0.035
"""Standard deviation of a restored picture's error, in display values of 0..1; see docs/restoration.md."""

ITERATIONS = 5
"""Iterations of conjugate gradients."""

_CLIPPED = 254

Operator = Callable[[Tensor], Tensor]


def measured(sensor: Sensor, capture: np.ndarray, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Captured light and its weight: one over the variance of the sensor's noise and of the quantisation.

    Args:
        sensor: of the camera.
        capture: ``[y, x, 3]`` as the camera encodes it, uint8 or floats in 0..1.
        device: of the result.

    Returns:
        Two of ``[3, y, x]`` float32; a clipped pixel has weight 0.
    """
    light = decode_picture(sensor, capture)
    variance = noise_variance(sensor, light.clip(0)) + rounding_variance(sensor, capture)
    # The colour matrix mixes channels: one clipped channel makes all three unreliable.
    says_something = display_values(capture) < _CLIPPED / 255
    if inverse_colour_matrix(sensor) is not None:
        says_something = np.all(says_something, axis=-1, keepdims=True)
    seen, weight = (
        torch.from_numpy(each.astype(np.float32).transpose(2, 0, 1).copy()).to(device)
        for each in (light, says_something / variance)
    )
    return seen, weight


def most_probable(
    blur: LocalBlur,
    light: Tensor,
    weight: Tensor,
    expected: Tensor,
    *,
    deviation: Operator,
    transposed: Operator,
    iterations: int,
) -> Tensor:
    """Solve for the scene.

    Args:
        blur: of the picture.
        light: ``[3, y, x]`` captured light.
        weight: of the same shape; see :func:`measured`.
        expected: x̂, the scene with the blur's margin around the picture.
        deviation: D, on scenes.
        transposed: Dᵀ.
        iterations: of conjugate gradients.

    Returns:
        The scene, of the shape of ``expected``.
    """

    residual = transposed(blur.adjoint(weight * (light - blur.forward(expected))))
    direction, size, scene = residual, residual.square().sum(), expected
    for iteration in range(iterations):
        if not size > 0:
            break
        step = deviation(direction)
        image = blur.forward(step)
        length = size / (direction.square().sum() + (weight * image.square()).sum())
        scene = scene + length * step
        if iteration == iterations - 1:
            # Nothing reads the next direction.
            break
        residual = residual - length * (direction + transposed(blur.adjoint(weight * image)))
        before, size = size, residual.square().sum()
        direction = residual + size / before * direction
    return scene


def slope(light: Tensor) -> Tensor:
    """Derivative of linear light with respect to the sRGB display value, at this light."""
    curved = 2.4 / 1.055 * light.clamp(0.0031308, 1.0) ** (1 - 1 / 2.4)
    return torch.where(light > 0.0031308, curved, torch.full_like(light, 1 / 12.92))
