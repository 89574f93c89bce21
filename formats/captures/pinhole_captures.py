"""``captures.toml``: which raw files show a pinhole where on the sensor."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from metalens.formats.captures.camera_raw import is_camera_raw, read_camera_raw
from metalens.formats.captures.raw_frames import read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_folder
from metalens.formats.files.record import Finite, NotNegative, Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, validated

SCHEMA = "metalens.captures"
VERSION = 1
INDEX = "captures.toml"

FileName = Annotated[str, Field(min_length=1, max_length=255)]


class PinholeCapture(Record):
    """One file and where its pinhole is: a place on the sensor, or the angle under which the lens sees it."""

    file: FileName
    frame: int | None = Field(default=None, ge=0, description="which one of a stack; None is all, as repeats")
    channel: Literal["red", "green", "blue"] | None = None
    y_um: Finite | None = None
    x_um: Finite | None = None
    field_deg: float | None = Field(default=None, ge=-75, le=75, allow_inf_nan=False)
    azimuth_deg: Finite | None = None

    @model_validator(mode="after")
    def _fit(self) -> PinholeCapture:
        place = (self.y_um is not None, self.x_um is not None)
        if any(place) == (self.field_deg is not None) or any(place) != all(place):
            raise ValueError(f"{self.file} needs either y_um and x_um, or field_deg with azimuth_deg")
        if self.azimuth_deg is not None and self.field_deg is None:
            raise ValueError(f"{self.file} has azimuth_deg without field_deg")
        return self


class CaptureSet(Record):
    """Raw captures of a pinhole, with what has to be known of them."""

    colour: Literal["rgb", "grey"] = Field(description="three planes a file, or one file for each channel")
    full_scale_dn: Positive | None = Field(
        default=None, description="the number of a saturated sample; None is what a raw file of a camera says"
    )
    black_level_dn: NotNegative | None = Field(
        default=None, description="of frames without darks; None is what a raw file says, or 0"
    )
    area: Literal["sensor", "window"] = Field(
        default="sensor", description="whole frames, or cut-outs whose middle sample is the position"
    )
    centring: Literal["index", "centroid"] = Field(
        default="index", description="the chief ray lies at the position, or the green light's centroid does"
    )
    axes: Literal["yx", "xy"] = Field(
        default="yx", description='of arrays in .npy and HDF5; "xy" turns those that MATLAB wrote, columns first'
    )
    darks: tuple[FileName, ...] = Field(default=(), description="frames of the same exposure without light")
    captures: tuple[PinholeCapture, ...] = Field(min_length=1, max_length=100_000)

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _fit(self) -> CaptureSet:
        for name in (*self.darks, *(capture.file for capture in self.captures)):
            parts = PurePosixPath(name).parts
            if "\\" in name or ".." in parts or not parts or PurePosixPath(name).is_absolute():
                raise ValueError(f"{name!r} is no name of a file below the folder of {INDEX}; move it there")
        for capture in self.captures:
            if (capture.channel is None) != (self.colour == "rgb"):
                needs = "needs a channel" if self.colour == "grey" else "has a channel, all three are in the file"
                raise ValueError(f"{capture.file} {needs}, since colour is {self.colour!r}")
        if self.full_scale_dn is None:
            others = [capture.file for capture in self.captures if not is_camera_raw(capture.file)]
            if others:
                raise ValueError(f"full_scale_dn is missing, which only raw files of cameras tell; {others[0]} is none")
        elif self.black_level_dn is not None and self.black_level_dn >= self.full_scale_dn:
            raise ValueError(f"black_level_dn {self.black_level_dn:g} must lie below full_scale_dn")
        return self

    @property
    def planes(self) -> int:
        """Planes of a file: 3 or 1."""
        return 3 if self.colour == "rgb" else 1

    def frames(self, capture: PinholeCapture) -> np.ndarray:
        """The raw frames ``[frame, plane, y, x]`` float32 of a capture.

        Raises:
            InputError: its file cannot be read, or has no such frame.
        """
        path = self._folder / capture.file
        if is_camera_raw(path) and self.planes == 1 and read_camera_raw(path).bayer:
            raise InputError(f'{path}: is of a sensor with colour filters; say colour = "rgb".')
        frames = read_raw_frames(path, planes=self.planes, axes=self.axes)
        if capture.frame is None:
            return frames
        if capture.frame >= len(frames):
            raise InputError(
                f"{self._folder / capture.file}: has {len(frames)} frames, frame {capture.frame} was asked for; they "
                "are counted from 0."
            )
        return frames[capture.frame : capture.frame + 1]

    def levels(self, capture: PinholeCapture) -> tuple[np.ndarray, float]:
        """The black level ``[plane, 1, 1]`` without darks, and the number of a saturated sample, of a capture.

        Raises:
            InputError: a raw file cannot be read.
        """
        black = np.full(self.planes, self.black_level_dn or 0.0)
        full = self.full_scale_dn
        path = self._folder / capture.file
        if is_camera_raw(path) and (full is None or self.black_level_dn is None):
            raw = read_camera_raw(path)
            black = black if self.black_level_dn is not None else np.array(raw.black[: self.planes])
            full = full or raw.white
        assert full is not None
        return black[:, None, None], full

    def dark(self) -> np.ndarray | None:
        """The mean ``[plane, y, x]`` float64 of all frames without light; ``None`` without any.

        Raises:
            InputError: a file cannot be read, or its frames have another size.
        """
        stacks = [read_raw_frames(self._folder / name, planes=self.planes, axes=self.axes) for name in self.darks]
        for name, stack in zip(self.darks, stacks, strict=True):
            if stack.shape[1:] != stacks[0].shape[1:]:
                raise InputError(
                    f"{self._folder / name}: its frames are {stack.shape[-2]} × {stack.shape[-1]}, those of "
                    f"{self.darks[0]} {stacks[0].shape[-2]} × {stacks[0].shape[-1]}; darks have one size."
                )
        return np.concatenate(stacks).mean(axis=0, dtype=np.float64) if stacks else None

    def place_of(self, capture: PinholeCapture) -> str:
        """How an error message names a capture."""
        return str(self._folder / capture.file) + ("" if capture.frame is None else f" (frame {capture.frame})")


def read_capture_set(source: str | os.PathLike[str]) -> CaptureSet:
    """Read ``captures.toml``, or that of a folder; the files that it names are read when they are asked for.

    Raises:
        InputError: there is none, or it does not describe captures.
    """
    path = Path(source)
    if is_folder(path):
        path = path / INDEX
    missing = f"no such file; a folder of captures has a {INDEX} that says which file shows the pinhole where."
    text = read_text(path, INDEX, missing=missing, largest=2**25)
    content = parse_toml(text, SCHEMA, VERSION, origin=str(path), remedy="copy them from docs/measured-psfs.md")
    captures = validated(CaptureSet, content, origin=str(path))
    captures._folder = path.parent
    return captures
