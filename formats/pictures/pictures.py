"""Photographs and captures: reading them safely as 8-bit sRGB, and writing PNG.

Pictures come from anywhere, so only a handful of well-known formats are opened, sizes are checked before anything
is decoded, and whatever cannot stand for a colour photograph is refused in one sentence.
"""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin, UnidentifiedImageError

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.files.input_file import input_file, is_file, is_folder, real_path
from metalens.formats.pictures.colour_profile import encoding_of, has_tables
from metalens.formats.pictures.resizing import strips
from metalens.formats.pictures.scene import linear_to_srgb

# Without a handler Python prints what Pillow logs about damaged files, beside the error's own sentence.
logging.getLogger("PIL").addHandler(logging.NullHandler())

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".avif", ".heic", ".heif"})
"""What is picked up from a folder; a file that is named itself may be called anything."""

MAXIMUM_PIXELS = 128_000_000
"""The largest picture that is decoded, in pixels."""

MAXIMUM_FILE_BYTES = 2**30

_GREY_OF_16_BITS = np.rint(np.arange(65536, dtype=np.float32) * (255 / 65535)).astype(np.uint8)

_Result = TypeVar("_Result")

_BITS, _SAMPLES, _PLANAR = 258, 277, 284
"""Tags of TIFF 6.0: BitsPerSample, SamplesPerPixel, PlanarConfiguration."""

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "AVIF")

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
"""Brands of ISO/IEC 23008-12, for pictures in HEVC; ``mif1`` may be anything that libheif reads."""


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture as 8-bit sRGB, turned the way its EXIF orientation says.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP, PPM or AVIF file, or HEIC with the extra ``heif``.

    Returns:
        ``[y, x, 3]`` uint8; grey pictures are repeated over the channels, 16-bit grey is rounded to 8 bits.

    Raises:
        InputError: the file is missing, not a picture, truncated, too large, animated, transparent, or holds
            colours other than RGB and grey.

    Example: see :func:`write_picture`.
    """
    target = Path(path)
    return decode_picture(read_bytes(target), origin=str(target))


def read_bytes(target: Path) -> bytes:
    """Read a picture's file.

    Raises:
        InputError: it is missing or too large.
    """
    missing = "could not be read (no such file); give the path of a picture."
    input_file(target, "picture", largest=MAXIMUM_FILE_BYTES, missing=missing)
    try:
        return target.read_bytes()
    except OSError as error:
        raise InputError(
            f"{target}: could not be read ({error.strerror or error}); give the path of a picture."
        ) from error


def decode_picture(data: bytes, *, origin: str) -> np.ndarray:
    """Decode the bytes of a picture file; see :func:`read_picture`.

    Args:
        data: the file's content.
        origin: what to call it in an error message.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    return with_picture(data, origin, lambda picture: as_rgb(upright(picture), origin))


def with_picture(data: bytes, origin: str, use: Callable[[Image.Image], _Result]) -> _Result:
    """Open the bytes of a picture file, check its header, and pass it to ``use``.

    Args:
        data: content of the file.
        origin: name of the file, for messages.
        use: called with the opened picture; its result is returned.

    Returns:
        The result of ``use``.

    Raises:
        InputError: it is no picture that may be decoded, or ``use`` finds it damaged.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of pictures far below the limit that is held here.
            warnings.simplefilter("ignore")
            formats = _with_heif(origin) if _is_heic(data) else _FORMATS
            with Image.open(io.BytesIO(data), formats=formats) as picture:
                _check(picture, origin)
                return use(picture)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{origin}: more than {MAXIMUM_PIXELS} pixels; cut or shrink the picture first.") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{origin}: {tiff_samples(data) or 'not a picture that can be read'}; give a PNG, JPEG, WebP, TIFF, BMP, "
            "PPM, AVIF or HEIC file of grey or RGB."
        ) from error
    # Pillow's decoders let many kinds of error through on damaged files.
    except Exception as error:
        raise InputError(
            f"{origin}: damaged or cut short ({type(error).__name__}: {error}); get the picture again."
        ) from error


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def _with_heif(origin: str) -> tuple[str, ...]:
    """The formats with HEIC, whose reader (pi-heif: libheif and libde265) is an extra.

    Raises:
        InputError: it is not installed.
    """
    require(f"{origin}: is a HEIC picture", "pi_heif")
    import pi_heif

    # Of a phone's file only the photograph is wanted.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return (*_FORMATS, "HEIF")


def write_picture(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Write a picture as PNG; the file appears whole or not at all.

    Args:
        path: the PNG file.
        picture: ``[y, x, 3]`` or ``[y, x]`` uint8 sRGB.

    Raises:
        InputError: the array is no picture, the folder does not exist, or the disk refuses the write.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> picture = np.full((8, 9, 3), 90, np.uint8)
        >>> with TemporaryDirectory() as folder:
        ...     write_picture(f"{folder}/grey.png", picture)
        ...     again = read_picture(f"{folder}/grey.png")
        >>> np.array_equal(again, picture)
        True
    """
    array = np.asarray(picture)
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] != 3)
        or 0 in array.shape
    ):
        raise InputError(
            f"{path}: a picture of shape {array.shape} and type {array.dtype} cannot be written, "
            "expected uint8 [y, x, 3] or [y, x]."
        )
    with atomic_file(path) as part:
        Image.fromarray(np.ascontiguousarray(array)).save(part, format="PNG")


def list_pictures(sources: Iterable[str | os.PathLike[str]], suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Find the pictures that files and folders name.

    Args:
        sources: files, taken as they are, and folders, searched with their sub-folders for the usual suffixes;
            hidden entries are passed over.
        suffixes: what pictures in folders end in.

    Returns:
        The paths in the order of ``sources``, each folder's sorted by name; none twice.

    Raises:
        InputError: a source does not exist, or there is no picture at all.
    """
    found: dict[Path, Path] = {}
    named = [Path(source) for source in sources]
    for source in named:
        if is_folder(source):
            inside = [path for path in source.rglob("*") if _is_listed(path, source, suffixes)]
            entries = sorted(inside, key=lambda path: path.relative_to(source).as_posix())
        elif is_file(source):
            entries = [source]
        else:
            raise InputError(f"{source}: no such file or folder; give pictures or folders that hold them.")
        for entry in entries:
            found.setdefault(real_path(entry), entry)
    if not found:
        places = ", ".join(str(source) for source in named) or "nothing was given"
        raise InputError(f"{places}: no picture found; give files or folders with {', '.join(sorted(suffixes))}.")
    return list(found.values())


def _is_listed(path: Path, folder: Path, suffixes: Collection[str]) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.suffix.lower() in suffixes and path.is_file()


def _check(picture: Image.Image, origin: str) -> None:
    refuse_preview(picture, origin)
    columns, rows = picture.size
    if columns * rows > MAXIMUM_PIXELS:
        raise InputError(
            f"{origin}: {columns} × {rows} pixels, at most {MAXIMUM_PIXELS} are read; cut or shrink it first."
        )
    # Phones write a JPEG with a second, smaller picture behind the first (MPO): the first is the photograph.
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        raise InputError(f"{origin}: holds several frames or pages; save the one you mean as a PNG.")
    if picture.mode not in {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B", "I;16L"}:
        raise InputError(
            f"{origin}: its pixels are {picture.mode}, expected RGB or grey of 8 or 16 bits; convert it to sRGB."
        )


def tiff_samples(data: bytes) -> str | None:
    """What the first page of a TIFF file holds that Pillow does not read, as the middle of a sentence.

    Args:
        data: the file's content.

    Returns:
        ``None`` if it is no TIFF file, or a damaged one.
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bits = tags.get(_BITS, (1,))
        planes = " in planes of their own" if tags.get(_PLANAR) == 2 else ""
        return f"holds {int(tags.get(_SAMPLES, 1))} samples of {max(bits)} bits a pixel{planes}"
    # As Pillow's readers do, on damaged files.
    except Exception:
        return None


def refuse_preview(picture: Image.Image, origin: str) -> None:
    """Reject a raw file whose first page is a preview, or that must be developed first.

    Args:
        picture: opened by Pillow.
        origin: name of the file, for messages.

    Raises:
        InputError: it is one.
    """
    tags = getattr(picture, "tag_v2", {})
    # NewSubfileType and its older form (TIFF 6.0), DNGVersion, PhotometricInterpretation of colour filter arrays.
    if int(tags.get(254, 0)) & 1 or tags.get(255) == 2:
        raise InputError(f"{origin}: its first page is a preview, as raw files have it; develop or export it first.")
    if 50706 in tags or tags.get(262) in (32803, 34892):
        raise InputError(f"{origin}: is a raw file of a camera (DNG); develop or export it first.")


def flattened(picture: Image.Image, origin: str) -> Image.Image:
    """Convert a picture to 8-bit RGB without changing its encoding.

    Args:
        picture: opened by Pillow.
        origin: name of the file, for messages.

    Returns:
        In mode ``RGB``.

    Raises:
        InputError: it has transparent pixels.
    """
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_GREY_OF_16_BITS[np.asarray(picture)]).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            raise InputError(f"{origin}: has transparent pixels; flatten it onto a background first.")
    # Pillow copies what it need not convert.
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def upright(picture: Image.Image) -> Image.Image:
    """Turn a picture the way its EXIF orientation says, in place."""
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def as_rgb(picture: Image.Image, origin: str) -> np.ndarray:
    """Convert a picture to 8-bit sRGB by its profile or its gamma.

    Args:
        picture: opened by Pillow.
        origin: name of the file, for messages.

    Returns:
        ``[y, x, 3]`` uint8.

    Raises:
        InputError: it has transparent pixels.
    """
    encoding, info = encoding_of(picture.info), picture.info
    values = flattened(picture, origin)
    if has_tables(info):
        values = _by_tables(values, info["icc_profile"])
    result = np.empty((values.height, values.width, 3), dtype=np.uint8)
    for rows in strips((values.height, values.width)):
        part = np.asarray(values.crop((0, rows.start, values.width, rows.stop)))
        if encoding is not None:
            light = encoding.to_light(part.astype(np.float32) / 255)
            part = np.rint(255 * linear_to_srgb(np.clip(light, 0, 1))).astype(np.uint8)
        result[rows] = part
    return result


def _by_tables(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert from an embedded profile of tables; a broken one changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return picture
    return converted if converted is not None else picture
