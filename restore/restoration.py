"""Restore captures: encode once, one step on two paths, one decode for every α."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.atomic import atomic_directory
from metalens.formats.errors import InputError
from metalens.formats.pictures import read_picture, write_picture
from metalens.restore.quality import quality_map
from metalens.restore.restorer import Restorer, blend
from metalens.restore.training_pairs import as_tensor

Report = Callable[[int, int], None]
"""Called with the captures done and in all."""

_SATURATED_SHARE = 0.25


def check_alphas(alphas: Sequence[float]) -> tuple[float, ...]:
    """Refuse α that cannot be used.

    Raises:
        InputError: there is none, or one is not a number between −1 and 2, or two are equal.
    """
    checked = tuple(float(alpha) for alpha in alphas)
    for alpha in checked:
        if not math.isfinite(alpha) or not -1 <= alpha <= 2:
            raise InputError(f"--alpha {alpha:g}: expected a number between -1 and 2 (0 faithful, 1 detailed).")
    if not checked or len(set(checked)) != len(checked):
        raise InputError(f"--alpha {', '.join(f'{a:g}' for a in checked)}: give one or more different values.")
    return checked


@torch.no_grad()
def restore(restorer: Restorer, capture: np.ndarray, alphas: Sequence[float]) -> dict[float, np.ndarray]:
    """Restore one capture.

    The same capture, adapter and α give the same picture: nothing is drawn at random.

    Args:
        restorer: prior and adapter.
        capture: ``[y, x, 3]`` uint8 sRGB, of the sensor's size.
        alphas: how far to go from the neutral (0) to the positive path (1); beyond 1 extrapolates.

    Returns:
        α → ``[y, x, 3]`` uint8.

    Raises:
        InputError: the capture is not of the sensor's size, mostly saturated, or an α cannot be used.
    """
    alphas = check_alphas(alphas)
    _check_capture(restorer, capture)
    device = restorer.prior.alpha_cumprod.device
    positive, neutral = _latents(restorer, capture, device)
    height, width = capture.shape[:2]
    return {
        alpha: as_picture(restorer.prior.decode(blend(positive, neutral, alpha))[0, :, :height, :width])
        for alpha in alphas
    }


def _latents(restorer: Restorer, capture: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Latents of the positive and the neutral path."""
    quality, _ = quality_map(capture, restorer.quality_metric)
    maps = restorer.maps(torch.from_numpy(quality)[None].to(device))
    padded = pad_to_multiple(as_tensor(capture)[None].to(device), restorer.prior.size_multiple)
    encoded = restorer.encode(padded, maps)
    both = restorer.step(encoded.repeat(2, 1, 1, 1), maps.repeat(2, 1, 1, 1), ["positive", "neutral"])
    return both[:1], both[1:]


def pad_to_multiple(pictures: Tensor, multiple: int) -> Tensor:
    """Reflect ``[batch, 3, y, x]`` at its lower and right border until both sides are multiples."""
    height, width = pictures.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return F.pad(pictures, (0, right, 0, below), mode="reflect") if below or right else pictures


def as_picture(values: Tensor) -> np.ndarray:
    """``[3, y, x]`` in 0..1 → ``[y, x, 3]`` uint8."""
    return (values.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def restore_files(
    restorer: Restorer,
    captures: Sequence[Path],
    alphas: Sequence[float],
    output: Path,
    *,
    report: Report = lambda done, total: None,
) -> list[dict[str, str]]:
    """Restore picture files into a new folder, ``NAME-alpha0.75.png`` for each capture and α.

    Every capture is checked before the first is restored; the folder appears whole or not at all.

    Returns:
        One row a file written: ``capture``, ``alpha``, ``restored``.

    Raises:
        InputError: two captures share a name, or :func:`restore` or :func:`read_picture` refuse one.
    """
    alphas = check_alphas(alphas)
    names = [path.stem for path in captures]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two captures are named {twice}; restore them into two folders.")
    for path in captures:
        try:
            _check_capture(restorer, read_picture(path))
        except InputError as error:
            raise InputError(f"{path}: {error}" if str(path) not in str(error) else str(error)) from error
    rows = []
    with atomic_directory(output) as folder:
        for done, path in enumerate(captures):
            report(done, len(captures))
            for alpha, picture in restore(restorer, read_picture(path), alphas).items():
                name = f"{path.stem}-alpha{alpha:g}.png"
                write_picture(folder / name, picture)
                rows.append({"capture": str(path), "alpha": f"{alpha:g}", "restored": str(output / name)})
        report(len(captures), len(captures))
    return rows


def _check_capture(restorer: Restorer, capture: np.ndarray) -> None:
    expected = restorer.camera.sensor.pixels
    if capture.shape[:2] != expected:
        raise InputError(
            f"a capture of {capture.shape[0]} × {capture.shape[1]} pixels (rows × columns); camera "
            f"{restorer.camera.name} takes {expected[0]} × {expected[1]}, and the blur depends on the place in the "
            "frame: give the whole frame as the sensor delivers it."
        )
    saturated = float((capture == 255).all(axis=-1).mean())
    if saturated > _SATURATED_SHARE:
        raise InputError(
            f"{saturated:.0%} of the capture is saturated in all channels, at most {_SATURATED_SHARE:.0%} can be "
            "restored; expose it shorter."
        )
