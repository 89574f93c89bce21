"""Consistency of a restored picture with the capture: blurred again by the bank, it should equal the capture.

This detects invented detail that contradicts the capture, but not invented detail that the blur removes. Noise and
mosaic of the capture are not simulated again: so the figure of the clean picture is the upper bound, which the table
lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.scene import srgb_to_linear
from metalens.formats.psf.bank import PsfBank
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.metrics.measures import psnr


def blurred_again(
    pictures: Sequence[np.ndarray], bank: PsfBank, device: str = "cpu", *, place: tuple[int, int] | None = None
) -> list[np.ndarray]:
    """Blur pictures as the camera does, without noise.

    Args:
        pictures: ``[y, x, 3]`` uint8 of the whole frame unless ``place`` is given, all of one shape.
        bank: point spread functions on a grid.
        device: of torch.
        place: (row, column) on the sensor of the first pixel, if they are parts of the frame.

    Returns:
        ``[y, x, 3]`` float32 each, encoded as the camera does. The scene beyond the frame is its mirror image.
    """
    blur = LocalBlur(bank, (pictures[0].shape[0], pictures[0].shape[1]), place or (0, 0), device=device)
    found = []
    for picture in pictures:
        light = torch.from_numpy(srgb_to_linear(picture).transpose(2, 0, 1).copy()).to(device)
        blurred = blur.forward(blur.extend(light)).cpu().numpy().transpose(1, 2, 0)
        found.append(encode_light(bank.camera.sensor, blurred).astype(np.float32))
    return found


def consistency(
    captured: np.ndarray, pictures: Sequence[np.ndarray], bank: PsfBank, device: str = "cpu"
) -> list[float]:
    """PSNR between the capture and each picture after blurring it again.

    A border of half a point spread function is excluded, since light from beyond the frame dominates there.

    Args:
        captured: ``[y, x, 3]`` uint8, a whole frame.
        pictures: restored pictures of the same shape.
        bank: point spread functions on a grid.
        device: device name of torch.

    Returns:
        dB for each picture.
    """
    window = bank.intensity.shape[-2:]
    rows, columns = (min(side // 2, length // 4) for side, length in zip(window, captured.shape[:2], strict=True))
    inner = (slice(rows, captured.shape[0] - rows), slice(columns, captured.shape[1] - columns))
    reference = captured[inner].astype(np.float32) / 255
    return [psnr(reference, again[inner]) for again in blurred_again(pictures, bank, device)]
