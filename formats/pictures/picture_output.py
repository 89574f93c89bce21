"""Restored pictures as files: PNG or TIFF of 8 or 16 bits as sRGB, and OpenEXR of linear light.

Values are floats until they are written. What the capture's file says of its camera is carried on, and the colours are
named: sRGB by a chunk of the PNG or a profile in the TIFF, whatever profile the capture had, since it was converted.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import OpenEXR
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from metalens.formats.files.atomic import atomic_file
from metalens.formats.pictures.light import SRGB_PRIMARIES
from metalens.formats.pictures.metadata import NO_METADATA, Metadata
from metalens.formats.pictures.scene import srgb_to_linear, to_8_bit

Container = Literal["png", "tiff", "exr"]

_SUFFIX: dict[str, str] = {"png": ".png", "tiff": ".tif", "exr": ".exr"}

_EXR_NAME = {
    int(ExifTags.Base.ImageDescription): "comments",
    int(ExifTags.Base.Make): "cameraMake",
    int(ExifTags.Base.Model): "cameraModel",
    int(ExifTags.Base.DateTime): "capDate",
    int(ExifTags.Base.Artist): "owner",
}
"""Tag of Exif → standard attribute of OpenEXR."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
"""PNG's filter that subtracts the row above."""

_PROFILE_DATE, _PROFILE_IDENTITY = slice(24, 36), slice(84, 100)
"""Bytes of an ICC profile's header: when it was made, and a hash that may be 0."""


@dataclass(frozen=True)
class PictureForm:
    """How pictures are written.

    Attributes:
        container: ``png``, ``tiff``, or ``exr`` for linear light in float32.
        depth: bits of a value in PNG and TIFF.
    """

    container: Container = "png"
    depth: Literal[8, 16] = 8

    @property
    def suffix(self) -> str:
        """What its files end in."""
        return _SUFFIX[self.container]


PNG_OF_8_BITS = PictureForm()


def write_values(path: Path, values: np.ndarray, form: PictureForm, metadata: Metadata = NO_METADATA) -> None:
    """Write a picture; the file appears whole or not at all.

    Args:
        path: of the file.
        values: ``[y, x, 3]`` floats, sRGB in 0..1.
        form: container and bits.
        metadata: of the capture. TIFF and OpenEXR hold its texts, PNG all of it.

    Raises:
        InputError: the folder does not exist, or the disk refuses the write.
    """
    with atomic_file(path) as part:
        if form.container == "exr":
            _write_exr(part, srgb_to_linear(values), metadata)
            return
        numbers = to_8_bit(values) if form.depth == 8 else to_16_bit(values)
        if form.container == "tiff":
            _write_tiff(part, numbers, metadata)
        elif form.depth == 8:
            chunks = PngImagePlugin.PngInfo()
            chunks.add(b"sRGB", b"\0")
            Image.fromarray(numbers).save(part, format="PNG", pnginfo=chunks, exif=metadata.exif)
        else:
            _write_png(part, numbers, metadata)


def to_16_bit(values: np.ndarray) -> np.ndarray:
    """Round values in 0..1 to uint16."""
    return np.rint(np.clip(values, 0, 1).astype(np.float64) * 65535).astype(np.uint16)


def _write_png(part: Path, numbers: np.ndarray, metadata: Metadata) -> None:
    """PNG of 16-bit colours, which Pillow does not write (PNG specification, third edition, sections 7 and 11)."""
    height, width, _ = numbers.shape
    rows = numbers.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0], filtered[0, 1:] = _UP, rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    with part.open("wb") as file:
        file.write(_PNG_SIGNATURE)
        PngImagePlugin.putchunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
        PngImagePlugin.putchunk(file, b"sRGB", b"\0")
        if metadata.exif:
            PngImagePlugin.putchunk(file, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
        PngImagePlugin.putchunk(file, b"IDAT", zlib.compress(filtered.tobytes(), 6))
        PngImagePlugin.putchunk(file, b"IEND", b"")


def _write_tiff(part: Path, numbers: np.ndarray, metadata: Metadata) -> None:
    import tifffile

    tags = [(tag, "s", 0, text, True) for tag, text in sorted(metadata.texts.items())]
    with part.open("wb") as file:
        tifffile.imwrite(
            file,
            numbers,
            photometric="rgb",
            compression="zlib",
            metadata=None,
            software="metalens",
            iccprofile=srgb_profile(),
            extratags=tags,
        )


def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same at any time."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    content[_PROFILE_DATE] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    content[_PROFILE_IDENTITY] = bytes(16)
    return bytes(content)


def _write_exr(part: Path, light: np.ndarray, metadata: Metadata) -> None:
    said = {_EXR_NAME[tag]: text for tag, text in metadata.texts.items() if tag in _EXR_NAME and text}
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": SRGB_PRIMARIES,
        **said,
    }
    OpenEXR.File(header, {"RGB": np.ascontiguousarray(light, dtype=np.float32)}).write(str(part))
