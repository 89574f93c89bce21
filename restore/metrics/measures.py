"""Full-reference metrics: the difference between a restored picture and the clean one.

All take ``[y, x, 3]`` sRGB, uint8 or float in 0..1, and compare the encoded values, as is usual in publications.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from skimage.metrics import structural_similarity

from metalens.formats.files.errors import InputError
from metalens.restore.metrics.efficientnet_distance import efficientnet_distance
from metalens.restore.metrics.shift_tolerant_lpips import SMALLEST_SIDE, shift_tolerant_lpips

Network = Literal["alex", "vgg", "efficientnet"]
"""Networks of the perceptual distance: both of the shift-tolerant LPIPS, and EfficientNet-Lite0."""

ZONES = ("centre", "middle", "edge")
"""Zones of the field, divided at one and two thirds of the half-diagonal."""


def psnr(clean: np.ndarray, picture: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all pixels and channels.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        picture: of the same shape.

    Returns:
        dB against a peak of 1; infinite for equal pictures.

    Raises:
        InputError: the pictures differ in shape or are none.

    Example:
        >>> clean = np.full((8, 8, 3), 100, np.uint8)
        >>> f"{psnr(clean, clean + np.uint8(2)):.1f} dB"
        '42.1 dB'
    """
    one, other = _as_floats(clean, picture)
    return _decibels(np.square(one - other))


def ssim(clean: np.ndarray, picture: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004, 10.1109/TIP.2003.819861), mean over the channels.

    The window is the paper's: a Gaussian of σ = 1.5 pixels, 11 × 11.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        picture: of the same shape.

    Returns:
        1 for equal pictures.

    Raises:
        InputError: the pictures differ in shape, are none, or are smaller than the window.
    """
    return _similarity(clean, picture)[0]


def ssim_map(clean: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """SSIM around every pixel, mean over the channels; see :func:`ssim`.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        picture: of the same shape.

    Returns:
        ``[y, x]``, at most 1.

    Raises:
        InputError: the pictures differ in shape, are empty, or are smaller than the window.
    """
    return _similarity(clean, picture)[1].mean(axis=-1)


def _similarity(clean: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    one, other = _as_floats(clean, picture)
    if min(one.shape[:2]) < 11:
        raise InputError(f"SSIM: pictures of shape {one.shape}, each side must have at least 11 pixels.")
    mean, similarity = structural_similarity(
        one,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=2,
        full=True,
    )
    return float(mean), similarity


def perceptual_distance(clean: np.ndarray, picture: np.ndarray, network: Network = "vgg") -> float:
    """Perceptual distance: the shift-tolerant LPIPS, or features of EfficientNet-Lite0.

    See :mod:`metalens.restore.metrics.shift_tolerant_lpips` and :mod:`metalens.restore.metrics.efficientnet_distance`.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        picture: of the same shape.
        network: ``"alex"``, ``"vgg"`` or ``"efficientnet"``.

    Returns:
        0 for equal pictures.

    Raises:
        InputError: the pictures differ in shape, are none or too small, or the weights are not installed.
    """
    return perceptual_distances(clean, [picture], network)[0]


def perceptual_distances(clean: np.ndarray, pictures: Sequence[np.ndarray], network: Network = "vgg") -> list[float]:
    """:func:`perceptual_distance` of many pictures from one clean one; its features are computed only once.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        pictures: of the same shape.
        network: ``"alex"``, ``"vgg"`` or ``"efficientnet"``.

    Returns:
        One distance for each picture, 0 for equal pictures.

    Raises:
        InputError: the pictures differ in shape, are empty or too small, or the weights are not installed.
    """
    import torch

    arrays = _as_floats(clean, *pictures)
    if min(arrays[0].shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"perceptual distance: pictures of shape {arrays[0].shape}, each side must have at least "
            f"{SMALLEST_SIDE} pixels."
        )
    distance = efficientnet_distance() if network == "efficientnet" else shift_tolerant_lpips(network)
    with torch.no_grad():
        tensors = [torch.from_numpy(array.transpose(2, 0, 1).astype(np.float32))[None] for array in arrays]
        reference = distance.features(tensors[0])
        return [float(distance.compare(reference, distance.features(tensor))) for tensor in tensors[1:]]


def field_zones(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Divide a frame into zones by the distance from its centre.

    Args:
        shape: (rows, columns, …).

    Returns:
        zone → ``[y, x]`` bool: closer than a third of the half-diagonal, up to two thirds, and beyond.
    """
    rows, columns = shape[:2]
    y = np.arange(rows)[:, None] - (rows - 1) / 2
    x = np.arange(columns)[None, :] - (columns - 1) / 2
    radius = np.hypot(y, x) / math.hypot(rows / 2, columns / 2)
    return {
        "centre": radius < 1 / 3,
        "middle": (radius >= 1 / 3) & (radius < 2 / 3),
        "edge": radius >= 2 / 3,
    }


def psnr_by_zone(clean: np.ndarray, picture: np.ndarray) -> dict[str, float]:
    """PSNR of each zone of :func:`field_zones`.

    Args:
        clean: ``[y, x, 3]`` sRGB, uint8 or float in 0..1.
        picture: of the same shape.

    Returns:
        Zone → dB.

    Raises:
        InputError: the pictures differ in shape or are none.
    """
    one, other = _as_floats(clean, picture)
    squared = np.square(one - other)
    return {zone: _decibels(squared[mask]) for zone, mask in field_zones(one.shape).items() if mask.any()}


def _decibels(squared_error: np.ndarray) -> float:
    mean = float(squared_error.mean())
    return -10 * math.log10(mean) if mean > 0 else math.inf


def _as_floats(*pictures: np.ndarray) -> list[np.ndarray]:
    arrays = [np.asarray(picture) for picture in pictures]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 3 or arrays[0].shape[2] != 3 or 0 in arrays[0].shape:
        found = " and ".join(str(array.shape) for array in arrays)
        raise InputError(f"measures: found pictures of shape {found}, expected the same [y, x, 3].")
    return [_as_float(array) for array in arrays]


def _as_float(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array.astype(np.float64) / 255
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"measures: found {array.dtype} values, expected uint8 or floats in 0..1.")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise InputError("measures: found values outside 0..1; clip the picture, or give uint8.")
    return array.astype(np.float64)
