"""No-reference quality map of a picture: S_i of DMDiff.

The frame is cut into 7 × 7 overlapping patches of a quarter of its sides at a stride of an eighth (100-pixel
patches every 50 pixels of a 400² picture), and each is scored:

- ``piqe`` needs no weights: Venkatanath et al., "Blind image quality evaluation using perception based features",
  NCC 2015, computed here. A patch without texture gets the worst value, as in the published method.
- ``musiq`` is what DMDiff uses (Ke et al., ICCV 2021). It runs through pyiqa, whose licence is non-commercial, and
  only with weights that are already on this machine: nothing is ever downloaded.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import correlate1d

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import is_installed, missing_package

GRID = 7
"""Patches along each side of the frame."""

METRICS = ("auto", "musiq", "piqe")

SMALLEST_SIDE = 64
"""Smallest side in pixels: a patch is then one block of PIQE."""

MUSIQ_WEIGHTS = "musiq_koniq_ckpt-e95806b9.pth"
_MUSIQ_REPOSITORY = "chaofengc/IQA-PyTorch-Weights"

_BLOCK = 16
_ACTIVITY = 0.1
_SEGMENT = 6
_SEGMENT_DEVIATION = 0.1
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def quality_map(picture: np.ndarray, metric: str = "auto") -> tuple[np.ndarray, str]:
    """Score a picture over its frame.

    Args:
        picture: ``[y, x, 3]`` sRGB, uint8 or float in 0..1, at least 64 pixels a side.
        metric: ``"piqe"``, ``"musiq"``, or ``"auto"``: MUSIQ where pyiqa and its weights are on this machine, PIQE
            otherwise. A model must be given the metric it was trained with; record the name that is returned.

    Returns:
        ``[7, 7]`` float32 in 0..1, 1 the worst, and the name of the metric that was used.

    Raises:
        InputError: the array is no picture, or MUSIQ is asked for where it cannot run.
    """
    if metric not in METRICS:
        raise InputError(f"quality map: metric {metric!r}, expected one of {', '.join(METRICS)}.")
    values = _as_float(picture)
    name = ("musiq" if _musiq_is_ready() else "piqe") if metric == "auto" else metric
    score = _badness_by_musiq() if name == "musiq" else _badness_by_piqe
    height, width = values.shape[0] // 4, values.shape[1] // 4
    left = [column * values.shape[1] // (GRID + 1) for column in range(GRID)]
    rows = []
    # One row of patches at a time limits the memory for large pictures.
    for row in range(GRID):
        top = row * values.shape[0] // (GRID + 1)
        rows.append(score(np.stack([values[top : top + height, start : start + width] for start in left])))
    return np.clip(np.stack(rows), 0, 1).astype(np.float32), name


def piqe(pictures: np.ndarray) -> np.ndarray:
    """Perception-based image quality evaluator, as the authors' code computes it.

    Local contrast is normalised. Blocks of 16 pixels with texture are tested for smooth edge segments (blur, blocking)
    and for noise that is as strong at their centre as around it.

    Args:
        pictures: ``[batch, y, x, 3]`` sRGB in 0..1, at least 16 pixels a side.

    Returns:
        ``[batch]`` float32, 0 (best) to about 100 (worst).
    """
    blocks = _blocks(_normalised_contrast(_grey_levels(pictures)))
    variance = blocks.var(axis=(-2, -1), ddof=1)
    active = variance > _ACTIVITY
    smooth = _has_smooth_edge(blocks)
    noisy = _is_noise(blocks, np.sqrt(variance))
    distortion = active * (smooth * (1 - variance) + noisy * variance)
    score = 100 * (distortion.sum(axis=1) + 1) / (active.sum(axis=1) + 1)
    return score.astype(np.float32)


def _badness_by_piqe(patches: np.ndarray) -> np.ndarray:
    return piqe(patches) / 100


def _grey_levels(pictures: np.ndarray) -> np.ndarray:
    """Luminance in 0..255 relative to each picture's maximum, padded by reflection, ``[batch, y, x]``."""
    grey = np.asarray(pictures, dtype=np.float32) @ _LUMINANCE
    brightest = grey.max(axis=(1, 2), keepdims=True)
    levels = np.rint(255 * (grey / np.where(brightest > 0, brightest, 1)))
    more = [(0, 0), *((0, side % _BLOCK) for side in levels.shape[1:])]
    return np.pad(levels, more, mode="symmetric")


def _normalised_contrast(levels: np.ndarray) -> np.ndarray:
    """Subtract the local mean and divide by the local deviation plus 1, in Gaussian windows of 7 pixels.

    In float64: the variance is a difference of squares, and flat blocks lie close to the thresholds.
    """
    levels = levels.astype(np.float64)
    line = np.exp(-np.square(np.arange(-3, 4)) / (2 * (7 / 6) ** 2))
    line /= line.sum()

    def smoothed(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, line, axis=1, mode="nearest"), line, axis=2, mode="nearest")

    mean = smoothed(levels)
    deviation = np.sqrt(np.abs(smoothed(np.square(levels)) - np.square(mean)))
    return (levels - mean) / (deviation + 1)


def _blocks(contrast: np.ndarray) -> np.ndarray:
    """Cut ``[batch, y, x]`` into ``[batch, block, 16, 16]``; incomplete blocks are dropped."""
    batch, height, width = contrast.shape
    rows, columns = height // _BLOCK, width // _BLOCK
    whole = contrast[:, : rows * _BLOCK, : columns * _BLOCK]
    cut = whole.reshape(batch, rows, _BLOCK, columns, _BLOCK).swapaxes(2, 3)
    return cut.reshape(batch, rows * columns, _BLOCK, _BLOCK)


def _has_smooth_edge(blocks: np.ndarray) -> np.ndarray:
    """Whether six neighbours along one of a block's four edges deviate by less than 0.1, ``[batch, block]``."""
    edges = np.stack(
        [blocks[..., 0, :], blocks[..., -1, :], blocks[..., :, 0], blocks[..., :, -1]],
        axis=-2,
    )
    deviation = sliding_window_view(edges, _SEGMENT, axis=-1).std(axis=-1, ddof=1)
    return (deviation < _SEGMENT_DEVIATION).any(axis=(-2, -1))


def _is_noise(blocks: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Whether a block is noise: its deviation against the ratio of centre and surround, ``[batch, block]``."""
    middle = blocks[..., 7:9]
    # As in the authors' code: delete column 7, then column 8 of the rest, so that the ninth column stays.
    around = np.delete(blocks, [7, 9], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = middle.std(axis=(-2, -1), ddof=1) / around.std(axis=(-2, -1), ddof=1)
        ratio = np.nan_to_num(ratio)
        beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
    return deviation > 2 * beta


def _as_float(picture: np.ndarray) -> np.ndarray:
    array = np.asarray(picture)
    if array.ndim != 3 or array.shape[2] != 3 or min(array.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"quality map: found an array of shape {array.shape}, expected [y, x, 3] with at least "
            f"{SMALLEST_SIDE} pixels a side."
        )
    if array.dtype == np.uint8:
        return array.astype(np.float32) / 255
    if not np.issubdtype(array.dtype, np.floating) or not np.isfinite(array).all():
        raise InputError(f"quality map: found {array.dtype} values, expected uint8 or finite floats in 0..1.")
    return np.clip(array.astype(np.float32), 0, 1)


def cached_musiq_weights() -> Path | None:
    """Path of MUSIQ's weights on this machine, or ``None``; nothing is downloaded."""
    import torch.hub

    beside_torch = Path(torch.hub.get_dir()) / "pyiqa" / MUSIQ_WEIGHTS
    if beside_torch.is_file():
        return beside_torch
    if not is_installed("huggingface_hub"):
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(_MUSIQ_REPOSITORY, MUSIQ_WEIGHTS)
    return Path(found) if isinstance(found, str) else None


def _musiq_is_ready() -> bool:
    return is_installed("pyiqa") and cached_musiq_weights() is not None


def load_musiq() -> Any:
    """MUSIQ with KonIQ-10k's weights, of pyiqa: pictures ``[batch, 3, y, x]`` in 0..1 to opinions in 0..100.

    Raises:
        InputError: pyiqa or the weights are missing, or the file is damaged.
    """
    import torch

    if not is_installed("pyiqa"):
        raise InputError(
            f"quality map, MUSIQ: {missing_package('pyiqa')} (its licence is non-commercial), or use the metric piqe."
        )
    path = cached_musiq_weights()
    if path is None:
        raise InputError(
            f"quality map: MUSIQ's weights are not on this machine; put {MUSIQ_WEIGHTS} of {_MUSIQ_REPOSITORY} "
            f"into {Path(torch.hub.get_dir()) / 'pyiqa'}, or use the metric piqe."
        )
    with warnings.catch_warnings():
        # pyiqa imports dozens of metrics at once, and their libraries raise deprecation warnings.
        warnings.simplefilter("ignore")
        from pyiqa.archs.musiq_arch import MUSIQ

        model = MUSIQ(pretrained=False).eval().requires_grad_(False)
    try:
        # Its own loader would unpickle the file, and print.
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch and pickle raise many kinds for a damaged file
        raise InputError(
            f"{path}: not MUSIQ's weights ({type(error).__name__}); remove the file and fetch it again."
        ) from error
    return model


@functools.lru_cache(maxsize=1)
def _badness_by_musiq() -> Callable[[np.ndarray], np.ndarray]:
    """MUSIQ's scores of patches, inverted and scaled to 0..1."""
    import torch

    model = load_musiq()

    def badness(patches: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            opinion = model(torch.from_numpy(np.ascontiguousarray(patches.transpose(0, 3, 1, 2))))
        return 1 - opinion.flatten().numpy() / 100

    return badness
