"""Conversion between pictures and the tensors of the networks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def as_tensor(picture: np.ndarray) -> Tensor:
    """``[y, x, 3]`` uint8, or floats in 0..1 → ``[3, y, x]`` float32 in 0..1."""
    values = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
    return values.float().div_(255) if picture.dtype == np.uint8 else values.float()


def as_picture(values: Tensor) -> np.ndarray:
    """``[3, y, x]`` in 0..1 → ``[y, x, 3]`` uint8."""
    return (values.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def as_values(values: Tensor) -> np.ndarray:
    """``[3, y, x]`` → ``[y, x, 3]`` float32, cut off at 0 and 1 and not rounded."""
    return values.float().clamp(0, 1).permute(1, 2, 0).cpu().contiguous().numpy()


def pad_to_multiple(pictures: Tensor, multiple: int) -> Tensor:
    """Pad pictures at the lower and right border by reflection until both sides are multiples.

    Args:
        pictures: ``[batch, 3, y, x]``.
        multiple: pixels.

    Returns:
        ``[batch, 3, y', x']`` with both sides rounded up.
    """
    height, width = pictures.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return F.pad(pictures, (0, right, 0, below), mode="reflect") if below or right else pictures


def light_of_display(display: Tensor) -> Tensor:
    """Linear light of sRGB display values; beyond 0..1 it goes on with slope 1, so that gradients stay."""
    inside = display.clamp(0, 1)
    curve = torch.where(inside > 0.04045, ((inside.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4, inside / 12.92)
    return curve + (display - inside)


def display_of(light: Tensor) -> Tensor:
    """sRGB display values of linear light: the inverse of :func:`light_of_display`."""
    inside = light.clamp(0, 1)
    curve = torch.where(inside > 0.0031308, 1.055 * inside.clamp_min(0.0031308) ** (1 / 2.4) - 0.055, 12.92 * inside)
    return curve + (light - inside)
