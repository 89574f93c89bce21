"""Captures as a user names them: files, folders, pairs, and latents that an earlier restoration kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from metalens.formats.camera.sensor import Sensor
from metalens.formats.captures.capture_picture import CAPTURE_SUFFIXES, read_capture
from metalens.formats.captures.video import Video, is_video, open_video
from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import as_utf8
from metalens.formats.files.input_file import is_file, is_folder
from metalens.formats.pairs.reader import Pairs, is_pairs_folder, pair_names, read_pairs
from metalens.formats.pictures.pictures import list_pictures
from metalens.restore.inference.latents_file import SUFFIX


@dataclass(frozen=True)
class CaptureFile:
    """A picture to restore.

    Attributes:
        name: of the file, without its ending.
        read: reads it when its turn comes, as a camera of this sensor encodes it: ``[y, x, 3]`` uint8, or float32 in
            0..1.
        place: (row, column) on the sensor, if it is a part of the frame.
        lens_hashes: those of the cameras that it may be of, if that is known.
        path: of its file, if it has one of its own.
    """

    name: str
    read: Callable[[Sensor], np.ndarray]
    place: tuple[int, int] | None = None
    lens_hashes: tuple[str, ...] = ()
    path: Path | None = None


@dataclass(frozen=True)
class KeptLatents:
    """Latents kept by an earlier restoration."""

    name: str
    path: Path


def captures_of(sources: Sequence[str | os.PathLike[str]]) -> list[CaptureFile | KeptLatents]:
    """Captures in files, folders of pictures, videos, and folders of pairs (their degraded pictures); latents.

    Raises:
        InputError: a source does not exist, there is no picture, or two captures have the same name.
    """
    found: list[CaptureFile | KeptLatents] = []
    for source in sources:
        latents = _latents_in(Path(source))
        if is_pairs_folder(source):
            found += _pairs(read_pairs(source))
        elif is_file(source) and is_video(source):
            found += _frames(open_video(source))
        elif latents:
            found += [KeptLatents(as_utf8(path.name.removesuffix(SUFFIX)), path) for path in latents]
        else:
            pictures = list_pictures([source], CAPTURE_SUFFIXES)
            found += [CaptureFile(as_utf8(path.stem), partial(read_capture, path), path=path) for path in pictures]
    names = [capture.name for capture in found]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two captures are named {twice}; restore them into two folders.")
    return found


def _frames(video: Video) -> list[CaptureFile]:
    return [
        CaptureFile(f"{video.path.stem}-{number:06d}", partial(_frame, video, number)) for number in range(video.frames)
    ]


def _frame(video: Video, number: int, sensor: Sensor) -> np.ndarray:
    # Its values are those that the camera encoded.
    del sensor
    return video.frame(number)


def _latents_in(source: Path) -> list[Path]:
    if is_folder(source):
        return sorted(source.glob(f"*{SUFFIX}"))
    return [source] if source.name.endswith(SUFFIX) else []


def _pairs(pairs: Pairs) -> list[CaptureFile]:
    manifest = pairs.manifest
    whole = all(camera.sensor == manifest.pixels for camera in manifest.cameras)
    places = None if whole else [(int(row), int(column)) for row, column in pairs.numbers("position")]
    return [
        CaptureFile(
            name,
            partial(_degraded, pairs, index),
            place=None if places is None else places[index],
            lens_hashes=tuple(manifest.lens_hashes),
        )
        for index, name in enumerate(pair_names(pairs))
    ]


def _degraded(pairs: Pairs, index: int, sensor: Sensor) -> np.ndarray:
    # Pairs hold pictures that are encoded already.
    del sensor
    return pairs[index][1]
