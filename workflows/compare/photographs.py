"""Training and test photographs of a comparison, identified by the SHA-256 of their files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import as_utf8
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.pictures import read_bytes, with_picture
from metalens.synth.dataset.photograph_survey import ENLARGEMENT
from metalens.synth.photograph_sources import photographs_of
from metalens.synth.photographs import Photograph

TRAINING, TEST = ("embedded:train",), ("embedded:held-out",)
"""Default photographs."""

TEST_SHARE = 4
"""One photograph in so many is held out for the test, if no test photographs are given."""

LARGEST_TEST = 8
"""Number of photographs that are held out at most."""

_ORIENTATION, _LYING = ExifTags.Base.Orientation, (5, 6, 7, 8)


@dataclass(frozen=True)
class HashedPhotograph:
    """A photograph's file, the SHA-256 of its bytes, and its (rows, columns)."""

    path: Path
    sha256: str
    pixels: tuple[int, int]

    def covers(self, pixels: tuple[int, int], enlarged: float = 1.0) -> bool:
        """Whether it fills a frame.

        Args:
            pixels: rows, columns of the frame.
            enlarged: factor by which it may be enlarged, at least 1.

        Returns:
            True if both sides are long enough.
        """
        return all(enlarged * own >= wanted for own, wanted in zip(self.pixels, pixels, strict=True))


@dataclass(frozen=True)
class ComparedPhotographs:
    """Photographs of a comparison.

    Attributes:
        training: for training pairs.
        test: for the captures that are restored; each covers the sensor.
        arguments: of ``metalens synth`` for the training photographs.
        left_out: name → why it is not used.
    """

    training: tuple[HashedPhotograph, ...]
    test: tuple[HashedPhotograph, ...]
    arguments: tuple[str, ...]
    left_out: dict[str, str]


def choose_photographs(
    photos: Sequence[str], test_photos: Sequence[str], pixels: tuple[int, int], sensor: str
) -> ComparedPhotographs:
    """Find the photographs, and hold some out for the test unless test photographs are given.

    The ones held out are the first by SHA-256 of those that cover the sensor, so that names and order of the files do
    not matter. Of several equal files one is taken.

    Args:
        photos: files, folders and names of embedded sets for training; none takes the embedded sets.
        test_photos: the same for the test; none holds out a quarter of ``photos``, 8 at most.
        pixels: rows, columns of the sensor.
        sensor: whose sensor it is, for messages.

    Returns:
        The photographs.

    Raises:
        InputError: there are none, none covers the sensor, or one is in both groups.
    """
    if not photos and not test_photos:
        photos, test_photos = TRAINING, TEST
    left_out: dict[str, str] = {}
    training = _hashed(photographs_of(photos or TRAINING), left_out)
    if test_photos:
        test = _hashed(photographs_of(test_photos), left_out)
        _refuse_overlap(training, test)
    else:
        covering = sorted((each for each in training if each.covers(pixels)), key=lambda each: each.sha256)
        test = covering[: min(max(1, len(training) // TEST_SHARE), LARGEST_TEST)]
        training = [each for each in training if each not in test]
    frame = f"{pixels[0]} × {pixels[1]} pixels"
    for each in test:
        if not each.covers(pixels):
            left_out[each.path.name] = f"{_size(each)} do not cover the sensor's {frame}"
    covering = [each for each in test if each.covers(pixels)]
    if not covering:
        raise InputError(
            f"compare: no test photograph covers the field of {sensor}, {frame}{_largest(test or training)}; give "
            "larger ones."
        )
    if not any(each.covers(pixels, ENLARGEMENT) for each in training):
        raise InputError(
            f"compare: no training photograph can be used: {len(training)} are left beside the test, and they must "
            f"fill {frame} when enlarged {ENLARGEMENT:g} times{_largest(training)}{_first(left_out)}; give more, or "
            "larger ones, with --photos."
        )
    whole = bool(test_photos) and not any(source in photos for source in test_photos)
    arguments = (photos or TRAINING) if whole else [str(each.path) for each in training]
    return ComparedPhotographs(tuple(training), tuple(covering), tuple(arguments), left_out)


def _hashed(photographs: Sequence[Photograph], left_out: dict[str, str]) -> list[HashedPhotograph]:
    """Photographs that can be opened, equal ones once."""
    found: dict[str, HashedPhotograph] = {}
    for photograph in photographs:
        try:
            data = read_bytes(photograph.path)
            pixels = _pixels(photograph.path, data)
        except InputError as error:
            left_out[as_utf8(photograph.path.name)] = str(error)
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        found.setdefault(sha256, HashedPhotograph(photograph.path, sha256, pixels))
    return list(found.values())


def _pixels(path: Path, data: bytes) -> tuple[int, int]:
    """Rows, columns, from the header alone where the format has one that Pillow reads."""
    if path.suffix.lower() == ".exr":
        rows, columns, _ = read_light(path).shape
        return rows, columns
    width, height, turned = with_picture(
        data, str(path), lambda picture: (*picture.size, picture.getexif().get(_ORIENTATION) in _LYING)
    )
    return (width, height) if turned else (height, width)


def _refuse_overlap(training: Sequence[HashedPhotograph], test: Sequence[HashedPhotograph]) -> None:
    known = {each.sha256: each.path for each in training}
    for each in test:
        if each.sha256 in known:
            raise InputError(
                f"compare: {each.path} of --test-photos is the same picture as {known[each.sha256]} of --photos, and a "
                "restorer must not be tested on what it is trained on; leave it out of one of them."
            )


def _largest(photographs: Sequence[HashedPhotograph]) -> str:
    if not photographs:
        return ""
    return f" (the largest has {_size(max(photographs, key=lambda each: each.pixels[0] * each.pixels[1]))})"


def _first(left_out: dict[str, str]) -> str:
    reason = next(iter(left_out.values()), "").rstrip(".")
    return f"; of {len(left_out)} that were left out the first: {reason}" if left_out else ""


def _size(photograph: HashedPhotograph) -> str:
    return f"{photograph.pixels[0]} × {photograph.pixels[1]} pixels"
