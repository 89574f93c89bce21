"""Restore captures: encode once, one step on two paths, one decode for every α."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.atomic import atomic_directory
from metalens.formats.errors import InputError
from metalens.formats.pairs import Pairs, is_pairs_folder, read_pairs
from metalens.formats.pictures import list_pictures, read_picture, write_picture
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


@dataclass(frozen=True)
class Capture:
    """A picture to restore: its name, and how to read it as ``[y, x, 3]`` uint8 when its turn comes."""

    name: str
    read: Callable[[], np.ndarray]


def captures_of(sources: Sequence[str | os.PathLike[str]]) -> list[Capture]:
    """Captures in files, folders of pictures, and folders of pairs (whose degraded pictures are taken).

    Raises:
        InputError: a source does not exist, there is no picture, or two captures have the same name.
    """
    found: list[Capture] = []
    for source in sources:
        if is_pairs_folder(source):
            pairs = read_pairs(source)
            found += [Capture(name, partial(_degraded, pairs, index)) for index, name in enumerate(pair_names(pairs))]
        else:
            found += [Capture(path.stem, partial(read_picture, path)) for path in list_pictures([source])]
    names = [capture.name for capture in found]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two captures are named {twice}; restore them into two folders.")
    return found


def _degraded(pairs: Pairs, index: int) -> np.ndarray:
    return pairs[index][1]


def pair_names(pairs: Pairs) -> list[str]:
    """A name for every sample: its photograph's, numbered where a photograph has several samples."""
    names = [Path(name).stem for name in pairs.source_names()]
    return [
        name if names.count(name) == 1 else f"{name}-{names[:index].count(name)}" for index, name in enumerate(names)
    ]


def restored_name(capture: str, alpha: float) -> str:
    """File name of a restored picture."""
    return f"{capture}-alpha{alpha:g}.png"


def restore_files(
    restorer: Restorer,
    captures: Sequence[Capture],
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
        InputError: :func:`restore` or the reader refuses a capture.
    """
    alphas = check_alphas(alphas)
    for capture in captures:
        picture = capture.read()
        try:
            _check_capture(restorer, picture)
        except InputError as error:
            raise InputError(f"{capture.name}: {error}") from error
    rows = []
    with atomic_directory(output) as folder:
        for done, capture in enumerate(captures):
            report(done, len(captures))
            for alpha, picture in restore(restorer, capture.read(), alphas).items():
                name = restored_name(capture.name, alpha)
                write_picture(folder / name, picture)
                rows.append({"capture": capture.name, "alpha": f"{alpha:g}", "restored": str(output / name)})
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
