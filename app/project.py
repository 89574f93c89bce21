"""The project folder: nothing outside it is read or written, and the app's own files lie in one folder of it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import atomic_file, explained
from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.input_file import is_folder, real_path
from metalens.formats.files.json_file import read_json
from metalens.formats.pairs.reader import is_pairs_folder

OWN = "metalens-app"
"""Name of the app's folder in the project."""

_STATE = "state.json"
_LARGEST_STATE = 2**20
_DEEPEST = 4
_MOST_LISTED = 500


@dataclass(frozen=True)
class Project:
    """The folder that the app was started in, as a real path.

    Attributes:
        folder: absolute, without links.
    """

    folder: Path

    @property
    def own(self) -> Path:
        """The folder of the app's own files."""
        return self.folder / OWN

    def part(self, *names: str) -> Path:
        """A folder among the app's own; it is made.

        Raises:
            InputError: the project folder is gone, or the disk refuses it.
        """
        place = self.own.joinpath(*names)
        self.inside(place)
        if not is_folder(self.folder):
            raise InputError(f"{shown(str(self.folder))}: is gone; end the app, and start it in another folder.")
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explained(error, place) from error
        return place

    def inside(self, path: str | os.PathLike[str]) -> Path:
        """A path of the project, links resolved.

        Args:
            path: absolute, or relative to the project folder.

        Raises:
            InputError: it lies outside.
        """
        try:
            found = real_path(self.folder / path)
        except ValueError:
            raise InputError(f"{shown(os.fspath(path))}: no file can have this name; choose another one.") from None
        if found != self.folder and self.folder not in found.parents:
            raise InputError(
                f"{shown(os.fspath(path))}: lies outside the project folder; start metalens app in a folder that "
                "holds it."
            )
        return found

    def relative(self, path: Path) -> str:
        """How a command that is given in the project folder names a path of it."""
        return path.relative_to(self.folder).as_posix()

    def listed(self, pattern: str) -> list[str]:
        """Files and folders of the project that match a pattern, relative to it, hidden ones left out.

        Args:
            pattern: of the name, such as ``*.toml``.
        """
        found: list[str] = []
        for place, folders, files in os.walk(self.folder):
            here = Path(place)
            deep = len(here.relative_to(self.folder).parts)
            folders[:] = sorted(each for each in folders if not each.startswith(".")) if deep < _DEEPEST else []
            names = [each for each in (*sorted(files), *folders) if Path(each).match(pattern) and each[0] != "."]
            found += [self.relative(here / each) for each in names]
            if len(found) >= _MOST_LISTED:
                break
        return found[:_MOST_LISTED]

    def pairs_folders(self) -> list[str]:
        """Folders of pairs of the project, relative to it."""
        folders = [str(Path(each).parent) for each in self.listed("manifest.json")]
        return [each for each in folders if is_pairs_folder(self.folder / each)]

    def state(self) -> dict[str, Any]:
        """What was chosen last; empty if nothing was, or the file cannot be used."""
        try:
            content: dict[str, Any] = read_json(self.own / _STATE, _STATE, "choose again", largest=_LARGEST_STATE)
        except InputError:
            return {}
        return content

    def remember(self, **chosen: Any) -> None:
        """Keep what was chosen for the next time."""
        # A choice that is lost is chosen again; it is no result.
        with suppress(InputError), atomic_file(self.part() / _STATE) as part:
            part.write_text(json.dumps(self.state() | chosen, indent=1), encoding="utf-8")


def open_project(folder: str | os.PathLike[str]) -> Project:
    """The project in a folder.

    Raises:
        InputError: there is no such folder, or it cannot be written to.
    """
    place = real_path(folder)
    if not is_folder(place):
        raise InputError(f"{shown(os.fspath(folder))}: no such folder; give the folder of your project.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{shown(os.fspath(folder))}: cannot be written to; give a folder of your own.")
    own = place / OWN
    if os.path.lexists(own) and not (is_folder(own) and os.access(own, os.W_OK | os.X_OK)):
        raise InputError(
            f"{shown(str(own))}: is no folder to write into, which the app keeps its files in; move it away."
        )
    return Project(place)
