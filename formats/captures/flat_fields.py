"""Flat fields and dark frames for the calibration of a sensor: which files are repeats of one level of light."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.captures.raw_frames import SUFFIXES, read_raw_frames
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file, is_folder, real_path


@dataclass(frozen=True)
class FlatField:
    """Repeated frames of one level of light.

    Attributes:
        name: how an error message names it: its folder or file.
        files: in the order of their names.
    """

    name: str
    files: tuple[Path, ...]

    def frames(self) -> np.ndarray:
        """Its frames ``[frame, y, x]`` float32, as the sensor gave them.

        Raises:
            InputError: a file cannot be read, or its frames have another size.
        """
        stacks = [read_raw_frames(path, planes=1)[:, 0] for path in self.files]
        for path, stack in zip(self.files, stacks, strict=True):
            if stack.shape[1:] != stacks[0].shape[1:]:
                raise InputError(
                    f"{path}: its frames are {stack.shape[1]} × {stack.shape[2]}, those of {self.files[0].name} "
                    f"{stacks[0].shape[1]} × {stacks[0].shape[2]}; frames of a level have one size."
                )
        return np.concatenate(stacks)


def list_flat_fields(sources: Iterable[str | os.PathLike[str]]) -> list[FlatField]:
    """Find the levels that files and folders name.

    Args:
        sources: a file is a stack of frames of one level; a folder of files is one level; a folder of folders holds a
            level in each.

    Raises:
        InputError: a source does not exist or holds no frames, or a folder holds both files of frames and folders.
    """
    levels = [level for source in sources for level in _levels_of(Path(source), may_hold_folders=True)]
    places = [real_path(level.files[0]) for level in levels]
    for place in places:
        if places.count(place) > 1:
            raise InputError(f"{place}: is given twice; a level of light counts once.")
    return levels


def _levels_of(source: Path, *, may_hold_folders: bool) -> list[FlatField]:
    if is_file(source):
        return [FlatField(str(source), (source,))]
    if not is_folder(source):
        raise InputError(f"{source}: no such file or folder; give stacks of frames, or folders of them.")
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    files = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in SUFFIXES]
    folders = [entry for entry in entries if entry.is_dir()]
    if files and folders:
        raise InputError(
            f"{source}: holds both frames ({files[0].name}) and folders ({folders[0].name}); give each level of light "
            "a folder or a stack of its own."
        )
    if folders and may_hold_folders:
        return [level for folder in folders for level in _levels_of(folder, may_hold_folders=False)]
    if not files:
        raise InputError(f"{source}: holds no frames; they end in {', '.join(SUFFIXES)}.")
    return [FlatField(str(source), tuple(files))]
