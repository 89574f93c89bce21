"""Photographs to restore, of pairs in the project and uploads: each a folder with its capture and what is known of it.

    metalens-app/photographs/KEY/   about.json, NAME.png, and clean.png where the clean picture is known

The key is a hash of the capture and its place, and the name is made safe, so that no file is ever named by an upload.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metalens.app.project import Project
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.json_file import read_record
from metalens.formats.pairs.example import EXAMPLE
from metalens.formats.pairs.reader import pair_names, read_pairs
from metalens.formats.pictures.pictures import decode_picture, with_picture, write_picture

LARGEST_UPLOAD = 64 * 2**20
"""Bytes of one picture."""

MOST_PIXELS = 16_000_000
"""Largest number of pixels of an upload: the browser shows it whole."""

MOST_AT_ONCE = 16
MOST_KEPT = 200
"""Uploads at once, and photographs of a project."""

_KEEPING = Lock()

KEY = re.compile(r"[0-9a-f]{16}")

_Place = tuple[Annotated[int, Field(ge=0, le=2**16)], Annotated[int, Field(ge=0, le=2**16)]]


class About(BaseModel):
    """What is known of a photograph.

    Attributes:
        title: for people; it may hold anything.
        source: the folder of pairs, ``embedded:example``, or ``upload``.
        pixels: rows, columns of the capture.
        place: (row, column) on the sensor of its first pixel, if it is a part of the frame.
        lens_hashes: of the cameras that it may be of; empty if that is not known.
        foreign: that it was cut to the sensor of a camera that did not take it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[str, Field(max_length=1000)]
    source: Annotated[str, Field(max_length=1000)]
    pixels: tuple[int, int]
    place: _Place | None = None
    lens_hashes: tuple[str, ...] = ()
    foreign: bool = False


@dataclass(frozen=True)
class Photograph:
    """A photograph of the project.

    Attributes:
        folder: with its files.
        about: what is known of it.
    """

    folder: Path
    about: About

    @property
    def key(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def capture(self) -> Path:
        """The capture as PNG."""
        return next(path for path in sorted(self.folder.glob("*.png")) if path.name != "clean.png")

    @property
    def clean(self) -> Path | None:
        """The clean picture, where it is known."""
        path = self.folder / "clean.png"
        return path if path.is_file() else None


def photographs_in(project: Project) -> list[Photograph]:
    """All photographs of a project, those of pairs first."""
    folders = [path for path in project.part("photographs").iterdir() if KEY.fullmatch(path.name)]
    found = [Photograph(folder, _about(folder)) for folder in folders]
    return sorted(
        found, key=lambda each: (each.about.source == "upload", each.about.source, each.about.title, each.key)
    )


def photograph(project: Project, key: str) -> Photograph:
    """The photograph of a key.

    Args:
        project: where it is kept.
        key: the name of its folder.

    Returns:
        Its folder, and what is known of it.

    Raises:
        InputError: there is none.
    """
    folder = project.own / "photographs" / key
    if not KEY.fullmatch(key) or not folder.is_dir():
        raise InputError(f"{shown(key)}: no such photograph; choose another one.")
    return Photograph(folder, _about(folder))


def _about(folder: Path) -> About:
    return read_record(folder / "about.json", About, "description of a photograph", "delete its folder")


def add_pairs(project: Project, source: str, most: int = 24) -> list[Photograph]:
    """Take the first pairs of a folder as photographs whose clean picture is known.

    Args:
        project: where they are kept.
        source: a folder of pairs, relative to the project's, or the pair that comes with the package.
        most: pairs that are taken.

    Returns:
        A photograph of each pair that was taken, in the order of the pairs.

    Raises:
        InputError: there are no pairs, or they are damaged.
    """
    pairs = read_pairs(source if source == EXAMPLE else project.inside(source))
    manifest = pairs.manifest
    whole = all(camera.sensor == manifest.pixels for camera in manifest.cameras)
    found = []
    for number, name in list(enumerate(pair_names(pairs)))[:most]:
        sample = pairs.sample(number)
        about = About(
            title=name,
            source=source,
            pixels=manifest.pixels,
            place=None if whole else (int(sample.position[0]), int(sample.position[1])),
            lens_hashes=tuple(manifest.lens_hashes),
        )
        found.append(_kept(project, about, sample.degraded, sample.clean))
    pairs.close()
    return found


def add_upload(project: Project, data: bytes, name: str) -> Photograph:
    """Keep an uploaded picture.

    Args:
        project: where it is kept.
        data: content of the file.
        name: as the browser tells it; shown to people, never used as a path.

    Returns:
        The photograph in the project, without a clean picture.

    Raises:
        InputError: it is too large or no picture that is read, or there are too many already.
    """
    title = shown(name) or "upload"
    if len(data) > LARGEST_UPLOAD:
        raise InputError(
            f"{title}: {len(data)} bytes, at most {LARGEST_UPLOAD // 2**20} MiB are taken; shrink it first."
        )
    if len(list(project.part("photographs").iterdir())) >= MOST_KEPT:
        raise InputError(
            f"{title}: the project has {MOST_KEPT} photographs; delete some in {project.own.name}/photographs."
        )
    _require_few_pixels(data, title)
    picture = decode_picture(data, origin=title)
    return _kept(project, About(title=title, source="upload", pixels=picture.shape[:2]), picture, None)


def cut_to_sensor(project: Project, given: Photograph, picture: np.ndarray, sensor: tuple[int, int]) -> Photograph:
    """The middle of a picture as if the camera had taken it: what can be restored of an unknown camera's picture.

    Args:
        project: where it is kept.
        given: the photograph.
        picture: its capture ``[y, x, 3]`` uint8.
        sensor: rows, columns of the camera's sensor.

    Returns:
        A new photograph in the project, of at most the sensor's rows and columns, marked as foreign.
    """
    rows, columns = (min(side, most) for side, most in zip(picture.shape[:2], sensor, strict=True))
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    part = picture[top : top + rows, left : left + columns]
    place = ((sensor[0] - rows) // 2, (sensor[1] - columns) // 2)
    about = given.about.model_copy(
        update={"pixels": (rows, columns), "place": None if (rows, columns) == sensor else place, "foreign": True}
    )
    return _kept(project, about, part, None)


def _require_few_pixels(data: bytes, title: str) -> None:
    """Refuse a picture by its header alone."""
    columns, rows = with_picture(data, title, lambda picture: picture.size)
    if columns * rows > MOST_PIXELS:
        raise InputError(f"{title}: {columns} × {rows} pixels, the app takes {MOST_PIXELS}; use metalens restore.")


def _kept(project: Project, about: About, capture: np.ndarray, clean: np.ndarray | None) -> Photograph:
    told = about.model_dump_json()
    key = hashlib.sha256(np.ascontiguousarray(capture).tobytes() + told.encode()).hexdigest()[:16]
    folder = project.part("photographs") / key
    # Two pages may keep the same one.
    with _KEEPING:
        try:
            if not folder.is_dir():
                with atomic_directory(folder) as part:
                    (part / "about.json").write_text(told, encoding="utf-8")
                    write_picture(part / f"{file_name(about.title)}.png", capture)
                    if clean is not None:
                        write_picture(part / "clean.png", clean)
        except InputError:
            # So may another app in this project, in a process of its own.
            if not folder.is_dir():
                raise
    return Photograph(folder, about)


def file_name(title: str) -> str:
    """A file name without its ending that is harmless everywhere.

    >>> file_name('<img src=x>/../a b.png'), file_name("clean.png")
    ('img-src-x-a-b', 'capture')
    """
    name = re.sub(r"[^A-Za-z0-9_]+", "-", re.sub(r"\.[A-Za-z]{1,5}$", "", title)).strip("-")[:40]
    return "capture" if name in ("", "clean") else name
