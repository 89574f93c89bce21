"""Frames of a sequence: each steadied by the one before it, in runs that may be interrupted, and the flicker of all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.camera.unknown import is_unknown
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.scene import display_values, linear_to_srgb
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.capture_files import CaptureFile, KeptLatents
from metalens.restore.inference.latents_file import SUFFIX, load_latents, save_latents
from metalens.restore.inference.restoration import Latents
from metalens.restore.inference.steadying import SteadyFrame, steadied
from metalens.restore.metrics.flicker import FEWEST_FRAMES, flicker

PREVIOUS = f"-previous{SUFFIX}"
"""Behind a frame's name: its latents, as long as the next frame is not written."""

_NUMBERS = re.compile(r"(\d+)")


def frames_in_order(captures: Sequence[CaptureFile | KeptLatents]) -> list[CaptureFile]:
    """Captures as frames, in the order of the numbers in their names: ``frame2`` before ``frame10``.

    Args:
        captures: result of :func:`metalens.restore.inference.capture_files.captures_of`.

    Raises:
        InputError: some are kept latents, which have no capture beside them.
    """
    frames = [capture for capture in captures if isinstance(capture, CaptureFile)]
    if len(frames) < len(captures):
        raise InputError("--frames: kept latents do not hold what the camera saw; give the captures.")

    def order(frame: CaptureFile) -> list[tuple[int, str]]:
        parts = _NUMBERS.split(frame.name)
        return [(int(each), "") if each.isdecimal() else (-1, each) for each in parts]

    return sorted(frames, key=order)


@dataclass
class Steadying:
    """Steadies frames one after another, and keeps what the next one needs on disk.

    Attributes:
        restorer: prior and adapter.
        frames: all, in their order.
        share: how far each is drawn towards the one before.
        folder: where the latents of the last frame are kept.
        previous: the last frame of this run.
    """

    restorer: Restorer
    frames: Sequence[CaptureFile]
    share: float
    folder: Path
    previous: SteadyFrame | None = None

    def __post_init__(self) -> None:
        if is_unknown(self.restorer.camera):
            raise InputError(
                "--steady: needs the noise of the camera to tell what moves, and the adapter's camera is unknown; give "
                "its psf.h5 with --psf."
            )

    def __call__(self, frame: CaptureFile, picture: np.ndarray, latents: Latents) -> tuple[Latents, bool]:
        """Steady a frame's latents, and keep them.

        Args:
            frame: the frame.
            picture: its capture, ``[y, x, 3]``.
            latents: of it.

        Returns:
            The steadied latents, and whether there was a frame before to steady them by.

        Raises:
            InputError: the frame has another size than the one before, or the disk refuses the write.
        """
        before = self.previous or self._kept_before(frame)
        sensor, stride = self.restorer.camera.sensor, self.restorer.prior.latent_stride
        if before is not None:
            latents = steadied(picture, latents, before, self.share, sensor, stride)
        save_latents(self._path(frame), latents, restorer=self.restorer, capture=picture)
        self.previous = SteadyFrame(picture, latents)
        return latents, before is not None

    def written(self, frame: CaptureFile) -> None:
        """Forget the frames before one whose pictures are written."""
        for other in self.frames:
            if other is not frame:
                self._path(other).unlink(missing_ok=True)

    def finish(self) -> None:
        """Forget the last frame."""
        for frame in self.frames:
            self._path(frame).unlink(missing_ok=True)

    def _kept_before(self, frame: CaptureFile) -> SteadyFrame | None:
        """The nearest frame before one that an interrupted run kept."""
        place = next(number for number, each in enumerate(self.frames) if each is frame)
        for other in reversed(self.frames[:place]):
            if self._path(other).is_file():
                return SteadyFrame(
                    other.read(self.restorer.camera.sensor), load_latents(self._path(other), self.restorer)
                )
        return None

    def _path(self, frame: CaptureFile) -> Path:
        return self.folder / f"{frame.name}{PREVIOUS}"


def sequence_flicker(
    restorer: Restorer, frames: Sequence[CaptureFile], files: dict[str, list[Path]]
) -> dict[str, float]:
    """Flicker of captures and of restored frames, from their files.

    Args:
        restorer: of the camera.
        frames: those that were restored, in their order.
        files: label of a restoration → its file for each frame.

    Returns:
        ``captured`` and each label → display values of 0..1; empty for fewer than three frames.
    """
    if len(frames) < FEWEST_FRAMES:
        return {}
    sensor = restorer.camera.sensor
    found = {"captured": flicker(display_values(frame.read(sensor)) for frame in frames)}
    return found | {label: flicker(_displayed(paths)) for label, paths in files.items()}


def _displayed(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    return (linear_to_srgb(read_light(path)) for path in paths)
