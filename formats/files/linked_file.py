"""Files that a TOML file names: they lie in its folder, and are recorded with their SHA-256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PrivateAttr

from metalens.formats.files.errors import InputError
from metalens.formats.files.record import Record


def below_the_folder(name: str) -> str:
    """Refuse a name that leads out of the folder of the file that contains it.

    Raises:
        ValueError: it does.
    """
    if re.search(r"^([/\\]|[A-Za-z]:)|(^|[/\\])\.\.([/\\]|$)", name):
        raise ValueError(f"{name!r} must lie in the folder of the file that names it, or below it; copy it there")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(below_the_folder)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LinkingTable(Record):
    """A table that names files in the folder of its ``lens.toml``."""

    _folder: Path | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Equal content, regardless of the folder."""
        return type(other) is type(self) and isinstance(other, Record) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    def _place(self, table: str, name: str) -> Path:
        if self._folder is None:
            raise InputError(
                f"{table}: where {name} lies is not known, for the camera was not read from a file; put its lens.toml "
                "beside it and read that."
            )
        return self._folder / name


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error.strerror}); check its permissions.") from error


def checked_sha256(path: Path, recorded: str | None, key: str) -> str:
    """SHA-256 of a file, which must be the recorded one.

    Args:
        path: of the file.
        recorded: the SHA-256 in the table that names the file; None if there is none.
        key: where it is recorded, for the error.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: the file cannot be read, or is another one.
    """
    found = file_sha256(path)
    if recorded not in (None, found):
        raise InputError(
            f"{path}: its SHA-256 is {found}, but {key} is {recorded}; bring back that file, or delete the recorded "
            "one for another camera with this one."
        )
    return found
