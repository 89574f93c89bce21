"""Photographs as light: linear values with sRGB's primaries, from 8 and 16 bits and from OpenEXR.

:mod:`metalens.formats.pictures.pictures` reads pictures as 8-bit sRGB, for restorers. Scenes need more: shadows in
16 bits, highlights above white, and colours by their profile.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image, ImageFile

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.quiet import quiet
from metalens.formats.pictures.colour_profile import MatrixProfile, encoding_of, has_tables
from metalens.formats.pictures.pictures import (
    MAXIMUM_FILE_BYTES,
    MAXIMUM_PIXELS,
    SUFFIXES,
    as_rgb,
    flattened,
    read_bytes,
    upright,
    with_picture,
)
from metalens.formats.pictures.resizing import StoredLight, stored_light, strips
from metalens.formats.pictures.scene import srgb_to_linear

LIGHT_SUFFIXES = SUFFIXES | {".exr"}
"""What holds photographs as light."""

SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
"""Chromaticities that an OpenEXR file without any has: those of Rec. ITU-R BT.709."""

_OTHER_BYTE = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B", "RGB;16N": "RGB;16B"}
"""How Pillow is told to keep the low bytes of 16-bit colours, for each way in which it keeps the high ones."""


def read_light(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a photograph as linear light, turned the way its EXIF orientation says.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP or PPM file of 8 or 16 bits, or an OpenEXR file of linear values.

    Returns:
        ``[y, x, 3]`` float32, 1 for white; OpenEXR files may go beyond. Never negative: colours outside sRGB are cut
        off at its border.

    Raises:
        InputError: as of :func:`metalens.formats.pictures.pictures.read_picture`; or an OpenEXR file has no three
            colours, other primaries than sRGB's, or holds NaN or infinity.
    """
    return read_stored_light(path).whole()


def read_stored_light(path: str | os.PathLike[str]) -> StoredLight:
    """Read a photograph as :func:`read_light` does; its light is computed part by part.

    Args:
        path: the file.

    Raises:
        InputError: as of :func:`read_light`.
    """
    target = Path(path)
    if target.suffix.lower() == ".exr":
        return _read_exr(target)
    return decode_light(read_bytes(target), origin=str(target))


def decode_light(data: bytes, *, origin: str) -> StoredLight:
    """Decode the bytes of a picture file, not of an OpenEXR file; see :func:`read_stored_light`.

    Args:
        data: the file's content.
        origin: what to call it in an error message.

    Returns:
        Linear light, as :func:`read_stored_light` returns it.
    """
    return with_picture(data, origin, lambda picture: _light_of(picture, data, origin))


def has_16_bits(data: bytes, *, origin: str) -> bool:
    """Whether a picture file has 16 bits a channel; only its header is read.

    Args:
        data: the file's content.
        origin: what to call it in an error message.

    Returns:
        True for 16 bits a channel.

    Raises:
        InputError: it is no picture that may be decoded.
    """
    return with_picture(data, origin, lambda picture: picture.mode.startswith("I;16") or bool(_other_bytes(picture)))


def _light_of(picture: Image.Image, data: bytes, origin: str) -> StoredLight:
    encoding = encoding_of(picture.info)
    # Before the picture is decoded, which forgets how its bytes lie.
    low = _low_bytes(picture, data) if isinstance(picture, ImageFile.ImageFile) else None
    picture = upright(picture)
    if has_tables(picture.info):
        return stored_light(as_rgb(picture, origin))
    if picture.mode.startswith("I;16"):
        picture.load()
        return _of_numbers([picture], 65535, encoding)
    picture = flattened(picture, origin)
    picture.load()
    return _of_numbers([picture], 255, encoding) if low is None else _of_numbers([picture, low], 65535, encoding)


def _of_numbers(pictures: list[Image.Image], most: int, encoding: MatrixProfile | None) -> StoredLight:
    """Light of pictures whose pixels are the digits of its numbers, the highest first.

    Args:
        pictures: grey or RGB.
        most: largest number.
        encoding: of the numbers; ``None`` is sRGB.
    """
    # Of each number once; a profile mixes the channels after its curves.
    steps = np.arange(most + 1, dtype=np.float32) / most
    if encoding is None:
        curves = [srgb_to_linear(np.arange(256, dtype=np.uint8) if most == 255 else steps)] * 3
    else:
        curves = [encoding.curve(each, steps) for each in range(3)]

    def part(rows: slice, columns: slice) -> np.ndarray:
        box = (columns.start, rows.start, columns.stop, rows.stop)
        digits = [np.asarray(picture.crop(box)) for picture in pictures]
        numbers = digits[0] if len(digits) == 1 else 256 * digits[0].astype(np.uint16) + digits[1]
        linear = np.empty((*numbers.shape[:2], 3), dtype=curves[0].dtype)
        for each, curve in enumerate(curves):
            linear[..., each] = curve[numbers if numbers.ndim == 2 else numbers[..., each]]
        return linear if encoding is None else np.clip(encoding.mixed(linear), 0, None)

    return StoredLight((pictures[0].height, pictures[0].width), part)


def _low_bytes(picture: ImageFile.ImageFile, data: bytes) -> Image.Image | None:
    """The low bytes of 16-bit colours, which Pillow drops; ``None`` if the picture has no such."""
    others = _other_bytes(picture)
    if not others:
        return None
    with Image.open(io.BytesIO(data), formats=[str(picture.format)]) as again:
        tiles = []
        for tile, other in zip(again.tile, others, strict=True):
            tiles.append(tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other))
        again.tile = tiles
        again.load()
        return upright(again)


def _other_bytes(picture: Image.Image) -> list[str]:
    """For each tile of 16-bit colours how Pillow keeps their low bytes; empty if the picture has no such."""
    tiles = getattr(picture, "tile", [])
    modes = [str(tile.args[0] if isinstance(tile.args, tuple) else tile.args) for tile in tiles]
    return [_OTHER_BYTE[mode] for mode in modes] if all(mode in _OTHER_BYTE for mode in modes) else []


def _read_exr(path: Path) -> StoredLight:
    """Read an OpenEXR file of red, green and blue light."""
    missing = "could not be read (no such file); give the path of a picture."
    input_file(path, "picture", largest=MAXIMUM_FILE_BYTES, missing=missing)
    try:
        with quiet(), OpenEXR.File(str(path), header_only=True) as file:
            _check_exr_header(path, file.header())
        with quiet(), OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: np.asarray(file.channels()[name].pixels) for name in "RGB"}
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{path}: has no channel {error}; save it with the channels R, G and B.") from error
    # The library lets many kinds of error through on damaged files.
    except Exception as error:
        raise InputError(f"{path}: damaged, or no OpenEXR file ({error}); get the picture again.") from error
    pixels = channels["R"].shape
    for rows in strips(pixels):
        if not all(np.isfinite(channel[rows]).all() for channel in channels.values()):
            raise InputError(f"{path}: holds NaN or infinity; replace those pixels first.")

    def part(rows: slice, columns: slice) -> np.ndarray:
        light = np.stack([channels[name][rows, columns] for name in "RGB"], axis=-1)
        return np.clip(light.astype(np.float32), 0, None)

    return StoredLight(pixels, part)


def _check_exr_header(path: Path, header: dict[str, object]) -> None:
    low, high = (np.asarray(corner, dtype=np.int64) for corner in header["dataWindow"])  # type: ignore[attr-defined]
    columns, rows = high - low + 1
    if columns * rows > MAXIMUM_PIXELS:
        raise InputError(
            f"{path}: {columns} × {rows} pixels, at most {MAXIMUM_PIXELS} are read; cut or shrink it first."
        )
    primaries = header.get("chromaticities")
    if primaries is not None:
        found = np.asarray(primaries, dtype=np.float64).ravel()
        if found.shape != (8,) or np.abs(found - SRGB_PRIMARIES).max() > 2e-3:
            raise InputError(f"{path}: its primaries are not those of sRGB; convert it to linear sRGB first.")
