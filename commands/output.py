"""The place of what a command makes, looked at before the work begins."""

from __future__ import annotations

from pathlib import Path

from metalens.formats.files.errors import InputError


def require_place(output: Path) -> None:
    """Refuse an output file before hours of work, not after.

    Raises:
        InputError: its folder does not exist, or it is itself a folder.
    """
    if not output.resolve().parent.is_dir():
        raise InputError(f"{output}: its folder {output.parent} does not exist; make it first.")
    if output.is_dir():
        raise InputError(f"{output}: is a folder, a file was expected; choose another place with -o.")
