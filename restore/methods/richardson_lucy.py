"""Richardson–Lucy deconvolution (Richardson 1972, 10.1364/JOSA.62.000055; Lucy 1974, 10.1086/111605).

    x ← x / Aᵀ1 · Aᵀ( captured / (A x) )

This is the maximum-likelihood iteration for Poisson noise, in linear light. A is the camera's blur, which varies over
the field (:mod:`metalens.restore.deconvolution.local_blur`). The estimate x extends beyond the frame, since light from
outside also reaches the frame's pixels; the published iteration has one function and a periodic frame. The iteration
amplifies noise, so it is stopped early, as is usual: at the number of iterations, up to 40, with the highest PSNR on
training pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from metalens.formats.pictures.encoding import decode_picture
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.methods.method import Capture, Description, Fitted, Method, Training
from metalens.restore.methods.tuning import tuned, tuning_pairs
from metalens.restore.metrics.measures import psnr

MOST_ITERATIONS = 40

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
    light = decode_picture(bank.camera.sensor, capture.picture)
    return iterations(
        LocalBlur(bank, pixels, capture.place, device), torch.from_numpy(light.transpose(2, 0, 1).copy()).to(device)
    )


def _picture(light: Tensor) -> np.ndarray:
    return to_8_bit(linear_to_srgb(light.cpu().numpy().transpose(1, 2, 0)))


def _fit(training: Training) -> Fitted:
    """Choose the number of iterations."""
    curves = []
    for clean, capture in tuning_pairs(training):
        estimates = _of(capture, training.bank, training.device)
        curves.append([psnr(clean, _picture(next(estimates))) for _ in range(MOST_ITERATIONS)])
    count = 1 + int(np.mean(curves, axis=0).argmax())
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
