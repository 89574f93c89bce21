"""Blur of a frame part by part, for frames whose operator would not fit into memory.

The operator of a frame keeps the transforms of all waves, some hundred bytes a pixel: 14 GiB for 24 megapixels. Each
part has its own operator, which is made, used and dropped; its scene goes beyond the part by as much as the point
spread functions reach. Making an operator takes seconds, so that a frame that fits into memory is blurred whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank
from metalens.synth.blur.image_frame import frame_of
from metalens.synth.blur.operator import BlurSettings, blur, shift_variant_blur

LARGEST_WHOLE = 16_000_000
"""Pixels of a frame that is blurred whole."""

LARGEST_SIDE = 1536
"""Pixels along each side of a part at most: its operator takes about 2 GiB while it is made."""


def blur_in_parts(
    bank: PsfBank, scenes: Sequence[np.ndarray], settings: BlurSettings | None = None, *, side: int = LARGEST_SIDE
) -> tuple[list[np.ndarray], float]:
    """Blur scenes of the whole sensor, part by part.

    Args:
        bank: point spread functions of the camera.
        scenes: ``[y, x, channel]`` linear light on the sensor's pixels; continued by its mirror image.
        settings: of the blur; without distortion, which moves light from one part to another.
        side: pixels along each side of a part at most, 1 or more.

    Returns:
        The images ``[y, x, channel]`` float32, within the settings' tolerance of
        :func:`metalens.synth.blur.operator.blur`, and the largest estimated change of a part, as its report has it.

    Raises:
        InputError: a scene has another size than the sensor, distortion is asked for, or two nodes are closer than a
            pixel.
    """
    settings, pixels = settings or BlurSettings(), bank.camera.sensor.pixels
    if settings.distortion:
        raise InputError("blur: a frame with distortion cannot be blurred in parts; blur it whole.")
    for scene in scenes:
        if scene.shape[:2] != pixels:
            raise InputError(f"blur: found a scene of shape {scene.shape}, expected {pixels[0]} × {pixels[1]} pixels.")
    surround = max(frame_of(bank, bank.intensity.shape[-2:], None, (0, 0), 0).margin)
    images = [np.empty(scene.shape, np.float32) for scene in scenes]
    changes = []
    starts, sizes = zip(*(_cut(length, side) for length in pixels), strict=True)
    for top in starts[0]:
        for left in starts[1]:
            operator = shift_variant_blur(bank, settings, pixels=sizes, origin=(top, left), surround=surround)
            changes.append(operator.report.change)
            rows, columns = (
                _mirrored(first, size, length, surround)
                for first, size, length in zip((top, left), sizes, pixels, strict=True)
            )
            for scene, image in zip(scenes, images, strict=True):
                part = np.asarray(blur(operator, scene[rows[:, None], columns]))
                image[top : top + sizes[0], left : left + sizes[1]] = part
    return images, max(changes)


def _cut(length: int, side: int) -> tuple[list[int], int]:
    """Starts and size of the fewest equal parts of at most ``side`` samples that cover ``length``."""
    count = -(-length // side)
    size = -(-length // count)
    return [min(number * size, length - size) for number in range(count)], size


def _mirrored(first: int, size: int, length: int, surround: int) -> np.ndarray:
    """Indices of a part's samples and its surround, mirrored at the ends of the frame."""
    period = np.mod(np.arange(first - surround, first + size + surround), 2 * length)
    return np.where(period < length, period, 2 * length - 1 - period)
