"""Raw frames of a camera: numbers as the sensor gave them, linear in the light."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from metalens.formats.captures.camera_raw import RAW_SUFFIXES, CameraRaw, is_camera_raw, read_camera_raw
from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, read_array
from metalens.formats.files.input_file import input_file
from metalens.formats.files.npy_file import read_npy
from metalens.formats.pictures.pictures import MAXIMUM_FILE_BYTES, MAXIMUM_PIXELS, refuse_preview, tiff_samples

SCHEMA = "metalens.frames"
VERSION = 1

_PICTURES = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}
Axes = Literal["yx", "xy"]

SUFFIXES = (*_PICTURES, ".npy", ".h5", ".hdf5", *RAW_SUFFIXES)
"""What files of raw frames end in."""


def read_raw_frames(path: str | os.PathLike[str], *, planes: int, axes: Axes = "yx") -> np.ndarray:
    """Read one frame or a stack of them without any conversion.

    Args:
        path: a PNG or TIFF file (grey of 8 or 16 bits, or RGB of 8 bits; each page is a frame), a ``.npy`` array, or
            ``.h5``/``.hdf5`` with the dataset ``frames`` and the root attributes ``schema = "metalens.frames"`` and
            ``version = 1``; or a raw file of a camera, whose mosaic is one plane and makes three by bilinear
            interpolation. Arrays are ``[y, x]`` or ``[frame, y, x]``, with three planes ``[y, x, 3]`` or
            ``[frame, y, x, 3]``.
        planes: 1 or 3.
        axes: of an array: ``"xy"`` has all axes in the opposite order, as HDF5 shows what MATLAB wrote.

    Returns:
        ``[frame, plane, y, x]`` float32.

    Raises:
        InputError: the file is missing, of another kind, damaged, too large, not linear, not finite, or of other
            planes.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{target}: raw frames end in {', '.join(SUFFIXES)}; save them as one of these.")
    missing = "could not be read (no such file); check its name."
    input_file(target, "file of frames", largest=MAXIMUM_FILE_BYTES, missing=missing)
    if is_camera_raw(target):
        return frames_of_raw(read_camera_raw(target), target, planes=planes)
    if suffix in _PICTURES:
        values = _read_pictures(target, _PICTURES[suffix])
    elif suffix == ".npy":
        values = _read_npy(target)
    else:
        with open_guarded(target, SCHEMA, VERSION) as file:
            rank = getattr(file.get("frames"), "ndim", 0)
            values = read_array(file, "frames", dtype=np.float32, shape=(None,) * rank, most=3 * MAXIMUM_PIXELS)
    if axes == "xy" and suffix not in _PICTURES:
        values = values.transpose()
    return _as_frames(target, values, planes)


def frames_of_raw(raw: CameraRaw, origin: str | os.PathLike[str], *, planes: int) -> np.ndarray:
    """The frame of a raw file, as :func:`read_raw_frames` gives it.

    Args:
        raw: the file's content.
        origin: what to call it in an error message.
        planes: 1 or 3.

    Returns:
        ``[1, planes, y, x]`` float32, digital numbers.

    Raises:
        InputError: three planes of a sensor without colour filters.
    """
    if planes == 1:
        return raw.mosaic[None, None].astype(np.float32)
    if not raw.bayer:
        raise InputError(f"{origin}: is of a sensor without colour filters; three colours were expected.")
    return np.moveaxis(raw.planes(), -1, 0)[None].astype(np.float32)


def _read_npy(path: Path) -> np.ndarray:
    values = read_npy(path)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path}: holds {values.dtype}, numbers were expected.")
    return np.asarray(values)


def _read_pictures(path: Path, kind: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # Pillow warns of pictures far below the limit that is held here.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=(kind,)) as picture:
                refuse_preview(picture, str(path))
                _check(picture, path)
                return np.stack([np.array(page) for page in ImageSequence.Iterator(picture)])
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: more than {MAXIMUM_PIXELS} pixels; cut the frames or split the stack.") from error
    except UnidentifiedImageError as error:
        what = tiff_samples(path.read_bytes()) or f"not a {kind} file that can be read"
        raise InputError(f"{path}: {what}; give raw frames of grey or RGB as {', '.join(SUFFIXES)}.") from error
    # Pillow's decoders let many kinds of error through on damaged files, and stack refuses pages of unequal size.
    except Exception as error:
        raise InputError(f"{path}: damaged or of unequal pages ({type(error).__name__}: {error}).") from error


def _check(picture: Image.Image, path: Path) -> None:
    pixels = picture.size[0] * picture.size[1] * getattr(picture, "n_frames", 1)
    if pixels > MAXIMUM_PIXELS:
        raise InputError(f"{path}: {pixels} pixels, at most {MAXIMUM_PIXELS} are read; split the stack.")
    if getattr(picture, "tag_v2", {}).get(284) == 2 and picture.mode != "RGB":
        raise InputError(
            f"{path}: is stored in planes (PlanarConfiguration 2), which is not read for grey; export it as an array "
            "in .npy, or without planes."
        )
    if picture.mode not in ("L", "RGB") and not picture.mode.startswith("I;16"):
        raise InputError(
            f"{path}: its pixels are {picture.mode}, expected grey of 8 or 16 bits or RGB of 8 bits; export the "
            "sensor's raw numbers."
        )
    if picture.mode == "RGB" and _bits(picture, path) > 8:
        raise InputError(
            f"{path}: RGB of 16 bits would be cut to 8; save it as an array in .npy, or a grey file for each channel."
        )
    gamma = picture.info.get("gamma", 1.0)
    if "srgb" in picture.info or abs(gamma - 1.0) > 1e-3:
        raise InputError(
            f"{path}: says that its numbers are not linear in the light (sRGB or gamma); export the sensor's raw "
            "numbers."
        )


def _bits(picture: Image.Image, path: Path) -> int:
    """Bits of a sample as the file holds it, whatever Pillow makes of it."""
    if picture.format == "PNG":
        # The header is the first chunk: 8 bytes of signature, 8 of length and name, width, height, then the depth.
        with path.open("rb") as file:
            return file.read(25)[24]
    bits = getattr(picture, "tag_v2", {}).get(258, 8)
    return max(bits) if isinstance(bits, tuple) else int(bits)


def _turned(values: np.ndarray, planes: int) -> str:
    """What to do about an array whose first axis holds the planes."""
    if planes == 3 and values.ndim in (3, 4) and values.shape[0] == 3:
        return '; MATLAB writes its axes in the opposite order: say axes = "xy" in the list of captures'
    return ""


def _as_frames(path: Path, values: np.ndarray, planes: int) -> np.ndarray:
    wanted = "[y, x] or [frame, y, x]" if planes == 1 else "[y, x, 3] or [frame, y, x, 3]"
    rank = 2 if planes == 1 else 3
    if values.ndim == rank:
        values = values[None]
    if values.ndim != rank + 1 or (planes == 3 and values.shape[-1] != 3) or 0 in values.shape:
        raise InputError(f"{path}: holds an array of shape {values.shape}, expected {wanted}{_turned(values, planes)}.")
    if values.size > planes * MAXIMUM_PIXELS:
        raise InputError(f"{path}: {values.size} samples are more than can be read at once; split the stack.")
    frames = np.array(values[:, None] if planes == 1 else np.moveaxis(values, -1, 1), dtype=np.float32)
    if not np.isfinite(frames).all():
        raise InputError(f"{path}: holds NaN or infinity; export the sensor's raw numbers.")
    return frames
