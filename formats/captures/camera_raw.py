"""Raw files of cameras: DNG and what LibRaw reads, with their levels, their colour filters and their white balance.

rawpy (MIT), of the extra ``raw``, brings LibRaw (LGPL-2.1), which undoes compression and the sensor's linearisation
table. All else, from the black level to the missing colours, is done here and as :mod:`metalens.synth.sensor` does it.
A file is turned by nothing: the blur of a lens depends on the place on the sensor.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import require
from metalens.formats.files.input_file import input_file
from metalens.formats.files.quiet import quiet
from metalens.formats.pictures.bayer import demosaic, pattern_channels
from metalens.formats.pictures.pictures import MAXIMUM_FILE_BYTES, MAXIMUM_PIXELS

RAW_SUFFIXES = (".dng", ".arw", ".cr2", ".cr3", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw")
"""What raw files end in."""

_BAYER = ("RGGB", "BGGR", "GRBG", "GBRG")


@dataclass(frozen=True)
class CameraRaw:
    """A raw frame, as its file describes it.

    Attributes:
        mosaic: ``[y, x]`` uint16 digital numbers of the visible pixels.
        bayer: colours of the first two pixels of the first row, then of the second; empty for a sensor without filters.
        black: digital numbers of red, green and blue without light.
        white: digital number of a saturated pixel.
        balance: gains of red, green and blue as shot, the least 1; all 1 if the file has none.
    """

    mosaic: np.ndarray
    bayer: str
    black: tuple[float, float, float]
    white: float
    balance: tuple[float, float, float]

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.mosaic.shape[0], self.mosaic.shape[1]

    def planes(self) -> np.ndarray:
        """Digital numbers ``[y, x, 3]`` float64 of red, green and blue, the missing ones interpolated.

        Bilinear: other methods sharpen a colour by another, which a point spread function of one colour must not show.

        Raises:
            InputError: the sensor has no colour filters.
        """
        return demosaic(self.mosaic, self._filters(), "bilinear")

    def light(self) -> np.ndarray:
        """Linear light ``[y, x, 3]`` float32 of the sensor's channels after white balance, 1 where a pixel saturates.

        Raises:
            InputError: the sensor has no colour filters.
        """
        channel = pattern_channels(self._filters(), self.pixels)
        black = np.array(self.black)
        gain = np.array(self.balance) / (self.white - black)
        balanced = (self.mosaic - black[channel]) * gain[channel]
        # A saturated channel would tint its surroundings: it ends where the one with the least gain does.
        return np.asarray(demosaic(np.minimum(balanced, 1), self.bayer), dtype=np.float32)

    def _filters(self) -> str:
        if not self.bayer:
            raise InputError("a raw frame of a sensor without colour filters, colours were expected.")
        return self.bayer


def is_camera_raw(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a raw file."""
    return Path(path).suffix.lower() in RAW_SUFFIXES


def read_camera_raw(path: str | os.PathLike[str]) -> CameraRaw:
    """Read a raw file.

    Args:
        path: a DNG file, or another one that LibRaw reads, of a sensor with a Bayer pattern or without filters.

    Raises:
        InputError: the extra ``raw`` is not installed; the file is missing, damaged, cut short, larger than it may be
            or than it is; or its frame is no mosaic of 2 × 2 colours.
    """
    target = Path(path)
    require(str(target), "rawpy")
    import rawpy

    missing = "could not be read (no such file); give the path of a raw file."
    input_file(target, "raw file", largest=MAXIMUM_FILE_BYTES, missing=missing)
    try:
        with quiet(), rawpy.imread(str(target)) as raw:
            return _frame(raw, target)
    except InputError:
        raise
    # rawpy lets other kinds of error through, too, on damaged files.
    except Exception as error:
        raise InputError(
            f"{target}: damaged, cut short, or no raw file that is read ({_said(error)}); get the file again."
        ) from error


def _frame(raw: Any, path: Path) -> CameraRaw:
    # Before anything is unpacked: the header may say what it likes.
    rows, columns = raw.sizes.raw_height, raw.sizes.raw_width
    if rows * columns > MAXIMUM_PIXELS:
        raise InputError(f"{path}: says that it has {rows} × {columns} pixels, at most {MAXIMUM_PIXELS} are read.")
    mosaic = np.array(raw.raw_image_visible)
    if mosaic.ndim != 2 or 0 in mosaic.shape:
        raise InputError(
            f"{path}: holds {mosaic.shape[-1]} colours for each pixel, a frame as the sensor gave it was "
            "expected; restore the developed picture instead."
        )
    bayer = _pattern(raw, path)
    levels = [float(each) for each in raw.black_level_per_channel]
    # LibRaw's colours are R, G, B and the second green, which counts as green.
    black = (levels[0], (levels[1] + levels[3]) / 2, levels[2]) if bayer else (levels[0],) * 3
    white = float(raw.white_level)
    if not 0 <= max(black) < white <= 65535:
        raise InputError(f"{path}: says that black is {max(black):g} and white {white:g} DN; its levels are damaged.")
    return CameraRaw(mosaic, bayer, black, white, _balance(raw.camera_whitebalance, path))


def _pattern(raw: Any, path: Path) -> str:
    if raw.num_colors == 1:
        return ""
    names = raw.color_desc.decode("ascii", "replace")
    pattern = raw.raw_pattern
    letters = "" if pattern is None or pattern.shape != (2, 2) else "".join(names[each] for each in pattern.ravel())
    if letters not in _BAYER:
        shown = letters or "no 2 × 2 pixels"
        raise InputError(f"{path}: the pattern of its colour filters is {shown}, one of {', '.join(_BAYER)} is read.")
    return letters


def _balance(gains: list[float], path: Path) -> tuple[float, float, float]:
    red, green, blue = gains[:3]
    if red == 0 or blue == 0 or green == 0:
        return 1.0, 1.0, 1.0
    if not all(np.isfinite(each) and 1e-3 <= each <= 1e5 for each in (red, green, blue)):
        raise InputError(f"{path}: its white balance as shot is {red:g}, {green:g}, {blue:g}; the file is damaged.")
    least = min(red, green, blue)
    return red / least, green / least, blue / least


def _said(error: Exception) -> str:
    """What LibRaw says, which comes as bytes."""
    first = error.args[0] if error.args else type(error).__name__
    return first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)
