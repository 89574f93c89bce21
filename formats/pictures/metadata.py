"""What a camera says of its picture, carried from a capture to the picture that is restored from it (Exif 3.0).

Kept are camera, lens, exposure, place, date, author and rights. Left out is what the new picture makes untrue: the
orientation, by which it was turned; preview and sizes; the maker's note, whose offsets belong to the old file.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from PIL import ExifTags, Image

from metalens.formats.pictures.pictures import read_bytes, with_picture

LARGEST = 2**16
"""Bytes of Exif data that are carried."""

_TIFF = (b"II*\0", b"MM\0*")

_KEPT = tuple(
    int(each)
    for each in (
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.DateTime,
        ExifTags.Base.Artist,
        ExifTags.Base.Copyright,
    )
)
"""Tags of the first directory, all texts."""

_LEFT_OUT = {
    int(each)
    for each in (
        ExifTags.Base.MakerNote,
        ExifTags.Base.ExifImageWidth,
        ExifTags.Base.ExifImageHeight,
        ExifTags.Base.ExifInteroperabilityOffset,
        ExifTags.Base.ComponentsConfiguration,
        ExifTags.Base.CompressedBitsPerPixel,
    )
}
"""Tags of the Exif directory."""

_SRGB = 1
"""Value of the tag ColorSpace."""


@dataclass(frozen=True)
class Metadata:
    """What is carried.

    Attributes:
        exif: an Exif block behind ``Exif\\0\\0``, or empty.
        texts: the texts of its first directory, by number of the tag.
        carried: whether all is here that the file says and that may be carried; not if its block is damaged or larger
            than :data:`LARGEST`.
    """

    exif: bytes = b""
    texts: dict[int, str] = field(default_factory=dict)
    carried: bool = True


NO_METADATA = Metadata()


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Read what can be carried of a picture, or of a raw file in the form of TIFF, such as DNG.

    Args:
        path: the file.

    Returns:
        Nothing, if the file has no Exif data, as OpenEXR and raw files of another form.

    Raises:
        InputError: the file cannot be read.
    """
    target = Path(path)
    data = read_bytes(target)
    is_tiff = data[:4] in _TIFF
    if target.suffix.lower() == ".exr":
        return NO_METADATA
    try:
        with warnings.catch_warnings():
            # Pillow warns of damaged blocks, and goes on with what it can read.
            warnings.simplefilter("error")
            if is_tiff:
                exif = Image.Exif()
                exif.load(b"Exif\0\0" + data)
                return _carried(exif)
            return with_picture(data, str(target), lambda picture: _carried(picture.getexif()))
    # As Pillow's readers of pictures do, on damaged files.
    except Exception:
        return Metadata(carried=False)


def _carried(exif: Image.Exif) -> Metadata:
    kept = Image.Exif()
    texts = {tag: exif[tag].strip("\0 ") for tag in _KEPT if isinstance(exif.get(tag), str)}
    kept.update(texts)
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        known = {tag: value for tag, value in exif.get_ifd(directory).items() if tag not in _LEFT_OUT}
        if known and directory == ExifTags.IFD.Exif:
            known[int(ExifTags.Base.ColorSpace)] = _SRGB
        if known:
            kept.get_ifd(directory).update(known)
    content = kept.tobytes() if len(kept) or kept._ifds else b""
    if len(content) > LARGEST:
        return Metadata(carried=False)
    return Metadata(content, texts)
