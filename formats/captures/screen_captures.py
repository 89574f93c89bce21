"""``captures.toml`` of a screen in front of a camera: which raw files show what, and which pictures it displayed."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from metalens.formats.camera.camera import Camera, preset_names, read_camera
from metalens.formats.captures.raw_frames import read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file, real_path
from metalens.formats.files.record import Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, validated

SCHEMA = "metalens.alignment"
VERSION = 1

FileName = Annotated[str, Field(min_length=1, max_length=255)]
Pixels = Annotated[int, Field(ge=16, le=32_768)]
NotNegativePixels = Annotated[int, Field(ge=0, le=32_768)]

FEWEST_LEVELS = 4


class TargetTable(Record):
    """The grid of dots as ``metalens align target`` made it, in pixels of the display."""

    pixels: tuple[Pixels, Pixels] = Field(description="rows, columns of the display")
    spacing_px: float = Field(ge=4, le=8192, allow_inf_nan=False)
    radius_px: float = Field(ge=2, le=4096, allow_inf_nan=False)


class GreyLevel(Record):
    """A screen of one grey."""

    value: int = Field(ge=0, le=255, description="what was displayed; 0 is black, 255 white")
    file: FileName


class ScreenCapture(Record):
    """A capture of a displayed picture."""

    file: FileName
    picture: FileName = Field(description="what was displayed, full screen and unscaled")
    licence: str = Field(default="", max_length=500)
    credit: str = Field(default="", max_length=500)


class AlignmentSet(Record):
    """Raw captures of a screen by a rig that nothing moved, all with one exposure."""

    lens: FileName = Field(description="the camera: a preset, or a lens.toml below this file's folder")
    colour: Literal["bayer", "rgb"] = Field(description="one plane, by the camera's Bayer pattern, or three planes")
    full_scale_dn: Positive | None = Field(default=None, description="a saturated sample; None is the sensor's largest")
    region: tuple[NotNegativePixels, NotNegativePixels, Pixels, Pixels] | None = Field(
        default=None,
        description="top, left, rows, columns of what the pairs hold; None is the most that the dots cover",
    )
    vignetting: Literal["clean", "removed", "captured"] = Field(
        default="clean", description="put into the clean picture too, taken out of the capture, or left to the restorer"
    )
    moved_px: float = Field(default=0.5, gt=0, le=10, allow_inf_nan=False, description="of a capture; more is refused")
    least_sharpness: float = Field(
        default=0.7, ge=0, lt=1, allow_inf_nan=False, description="contrast over that of the dots; less is refused"
    )
    axes: Literal["yx", "xy"] = Field(
        default="yx", description='of arrays in .npy and HDF5; "xy" turns those that MATLAB wrote, columns first'
    )
    target: TargetTable
    dots: FileName
    white: FileName
    darks: tuple[FileName, ...] = Field(min_length=1, max_length=1000)
    levels: tuple[GreyLevel, ...] = Field(min_length=FEWEST_LEVELS, max_length=256)
    red: FileName | None = Field(default=None, description="the screen's primaries, all three or none")
    green: FileName | None = None
    blue: FileName | None = None
    captures: tuple[ScreenCapture, ...] = Field(min_length=1, max_length=1_000_000)

    _origin: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _fit(self) -> AlignmentSet:
        for name in self.files:
            parts = PurePosixPath(name).parts
            if "\\" in name or "\0" in name or ".." in parts or not parts or PurePosixPath(name).is_absolute():
                raise ValueError(f"{name!r} is no name of a file below this file's folder; move it there")
        values = [level.value for level in self.levels]
        if len(set(values)) < len(values):
            raise ValueError("levels name a grey twice; give each once, its repeats as frames of one file")
        files = [capture.file for capture in self.captures]
        if len(set(files)) < len(files):
            twice = next(name for name in files if files.count(name) > 1)
            raise ValueError(f"captures name {twice} twice; give each file once")
        if 0 not in values:
            raise ValueError("levels lack the black screen; capture it and give it as value = 0")
        if len([value for value in values if 0 < value < 255]) < FEWEST_LEVELS - 1:
            raise ValueError(f"levels need black and {FEWEST_LEVELS - 1} greys between black and white at least")
        primaries = [name for name in ("red", "green", "blue") if getattr(self, name) is not None]
        if 0 < len(primaries) < 3:
            raise ValueError(f"the screen's primaries are all three or none, found {' and '.join(primaries)} alone")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is named, in order."""
        primaries = tuple(name for name in (self.red, self.green, self.blue) if name is not None)
        lens = () if self.lens in preset_names() else (self.lens,)
        levels = tuple(level.file for level in self.levels)
        captures = tuple(name for capture in self.captures for name in (capture.file, capture.picture))
        return (*lens, self.dots, self.white, *self.darks, *levels, *primaries, *captures)

    @property
    def primaries(self) -> tuple[str, str, str] | None:
        """Files of the red, green and blue screen."""
        if self.red is None or self.green is None or self.blue is None:
            return None
        return self.red, self.green, self.blue

    def path(self, name: str) -> Path:
        """Where a named file is.

        Raises:
            InputError: it is a link that leads out of the folder.
        """
        place = self._origin.parent / name
        if not real_path(place).is_relative_to(real_path(self._origin.parent)):
            raise InputError(f"{place}: leads out of the folder of {self._origin.name}; move the file there.")
        return place

    def camera(self) -> Camera:
        """Read the camera that took the captures.

        Raises:
            InputError: it cannot be read.
        """
        return read_camera(self.lens if self.lens in preset_names() else self.path(self.lens))

    def frames(self, name: str, pixels: tuple[int, int]) -> np.ndarray:
        """Read the raw frames of one capture.

        Args:
            name: of the file.
            pixels: rows, columns of the camera's sensor.

        Returns:
            ``[frame, plane, y, x]`` float32 digital numbers; the frames are repeats.

        Raises:
            InputError: it cannot be read, or has another size than the camera's sensor.
        """
        frames = read_raw_frames(self.path(name), planes=1 if self.colour == "bayer" else 3, axes=self.axes)
        if frames.shape[2:] != pixels:
            turned = frames.shape[:1:-1] == pixels and self.axes == "yx"
            advice = 'of arrays that MATLAB wrote say axes = "xy"' if turned else "give whole frames of that camera"
            raise InputError(
                f"{self.path(name)}: its frames are {frames.shape[2]} × {frames.shape[3]}, the sensor of {self.lens} "
                f"has {pixels[0]} × {pixels[1]}; {advice}."
            )
        return frames


def read_alignment_set(source: str | os.PathLike[str]) -> AlignmentSet:
    """Read a list of captures of a screen; the files that it names are read when they are asked for.

    Raises:
        InputError: there is none, it does not describe captures, or a file that it names is missing.
    """
    path = Path(source)
    advice = "no such file; give the TOML file that lists the captures of the screen."
    text = read_text(path, "list of captures", missing=advice, largest=2**25)
    content = parse_toml(text, SCHEMA, VERSION, origin=str(path), remedy="copy them from docs/captured-pairs.md")
    captures = validated(AlignmentSet, content, origin=str(path))
    captures._origin = path
    missing = [name for name in captures.files if not is_file(captures.path(name))]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{path}: names {missing[0]}{more}, which is no file in its folder; check the name.")
    return captures
