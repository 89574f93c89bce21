"""Richardson–Lucy deconvolution (Richardson 1972, 10.1364/JOSA.62.000055; Lucy 1974, 10.1086/111605).

    x ← x / Aᵀ1 · Aᵀ( captured / (A x) )

This is the maximum-likelihood iteration for Poisson noise, in linear light. A is the camera's blur, which varies over
the field (:mod:`metalens.restore.deconvolution.local_blur`). The estimate x extends beyond the frame, since light from
outside also reaches the frame's pixels; the published iteration has one function and a periodic frame. The iteration
amplifies noise, so it is stopped early, as is usual: at the number of iterations with the highest mean PSNR on training
pairs. That PSNR rises and then falls; the search goes on until it has not risen for 10 iterations, up to 500.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from metalens.formats.pictures.defective_pixels import fill_defective
from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.inference.capture import Capture
from metalens.restore.methods.method import Description, Fitted, Method, Training
from metalens.restore.methods.tuning import tuned, tuning_pairs
from metalens.restore.metrics.measures import psnr

MOST_ITERATIONS = 500

PATIENCE = 10
"""Iterations without a higher PSNR after which the search ends."""

_DARKEST = 1e-4
"""Added to numerator and denominator of the ratio, so that black pixels do not divide by 0: 1/40 of 1/255."""

_LEAST_SEEN = 0.01


def iterations(blur: LocalBlur, captured: Tensor) -> Iterator[Tensor]:
    """Yield the successive Richardson–Lucy estimates, without end.

    Args:
        blur: the operator A.
        captured: ``[3, y, x]`` linear light.

    Yields:
        ``[3, y, x]`` linear light, not clipped.
    """
    scene = blur.extend(captured.clamp_min(0)) + _DARKEST
    seen = blur.adjoint(torch.ones_like(captured))
    while True:
        ratio = (captured + _DARKEST) / blur.forward(scene).clamp_min(_DARKEST)
        # A point outside, from which almost no light reaches the frame, keeps its value: Aᵀ1 is close to 0 there.
        scene = torch.where(seen > _LEAST_SEEN, scene * blur.adjoint(ratio).clamp_min(0) / seen, scene)
        yield (blur.crop(scene) - _DARKEST).clamp_min(0)


def richardson_lucy(capture: Capture, bank: PsfBank, count: int, device: str = "cpu") -> np.ndarray:
    """Deconvolve a capture with a fixed number of Richardson–Lucy iterations.

    Args:
        capture: the picture and its place on the sensor.
        bank: point spread functions of the camera.
        count: iterations, 1 or more.
        device: device name of torch.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    for number, light in enumerate(_of(capture, bank, device), start=1):
        if number == count:
            return _picture(light)
    raise AssertionError("the iterations have no end")


def _of(capture: Capture, bank: PsfBank, device: str) -> Iterator[Tensor]:
    pixels = capture.picture.shape[0], capture.picture.shape[1]
    sensor = bank.camera.sensor
    light = decode_picture(sensor, fill_defective(sensor, capture.picture, capture.corner))
    return iterations(
        LocalBlur(bank, pixels, capture.corner, device), torch.from_numpy(light.transpose(2, 0, 1).copy()).to(device)
    )


def _picture(light: Tensor) -> np.ndarray:
    return to_8_bit(linear_to_srgb(light.cpu().numpy().transpose(1, 2, 0)))


def best_count(curve: Iterable[float], *, patience: int = PATIENCE, most: int = MOST_ITERATIONS) -> int:
    """Find the number of iterations with the highest figure; reads no further than it needs.

    Args:
        curve: a figure after 1, 2, … iterations, higher is better.
        patience: iterations without a higher figure after which the search ends, 1 or more.
        most: iterations at which it ends anyway.

    Returns:
        The number, 1 or more.
    """
    best, count = -np.inf, 1
    for number, value in enumerate(islice(curve, most), start=1):
        if value > best:
            best, count = value, number
        elif number - count >= patience:
            break
    return count


def _fit(training: Training) -> Fitted:
    """Choose the number of iterations."""
    pairs = tuning_pairs(training.pairs)
    estimates = [_of(capture, training.bank, training.device) for _, capture in pairs]
    curve = (
        float(np.mean([psnr(clean, _picture(light)) for (clean, _), light in zip(pairs, lights, strict=True)]))
        for lights in zip(*estimates, strict=True)
    )
    count = best_count(curve)
    return tuned(lambda capture: richardson_lucy(capture, training.bank, count, training.device), iterations=count)


METHOD = Method(
    Description(
        title="Richardson–Lucy",
        reference="Richardson 1972, Lucy 1974",
        knows="the bank",
        differs="a blur that varies over the field; stopped where PSNR is best on training pairs",
        learns=False,
    ),
    _fit,
)
