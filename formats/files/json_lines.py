"""Files of one JSON object a line, to which a run appends: after a kill the last line may be torn."""

from __future__ import annotations

import os
from pathlib import Path

from metalens.formats.files.errors import InputError

LARGEST_FILE = 2**30


def whole_lines(path: Path) -> list[bytes]:
    """The lines of a file; a torn last one is cut off. None if there is no such file.

    Raises:
        InputError: the file is too large.
    """
    if not path.exists():
        return []
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path}: {path.stat().st_size} bytes is more than is read, {LARGEST_FILE}.")
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return content[:whole].splitlines()
