"""Checks of input paths: regular files of a limited size; no folders, devices, pipes or broken links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import as_utf8


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file; a name that no file can have, such as one of 5000 letters, is none."""
    return _is_there(path) and Path(path).is_file()


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; a name that none can have is none."""
    return _is_there(path) and Path(path).is_dir()


def real_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path without links; a link to itself stays one, where Python's own would raise a RuntimeError."""
    return Path(os.path.realpath(path))


def _is_there(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def require_utf8_name(path: Path) -> None:
    """Refuse a name that no manifest, page or JSON can hold.

    Raises:
        InputError: it is one.
    """
    name = os.fspath(path)
    if as_utf8(name) != name:
        raise InputError(f"{as_utf8(name)}: its name is no UTF-8; rename it.")


def input_file(path: str | os.PathLike[str], what: str, *, largest: int, missing: str) -> Path:
    """A path that can be opened for reading: there is a regular file, not larger than it may be.

    Args:
        path: as a user gave it.
        what: what it should be, as error messages name it: ``lens.toml``.
        largest: bytes above which it is not read.
        missing: end of the sentence that is said if there is no such file.

    Raises:
        InputError: it is missing, a folder, a device, a pipe, a link to itself, or too large, or its name is no UTF-8.
    """
    target = Path(path)
    require_utf8_name(target)
    try:
        status = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: {missing}") from None
    except (OSError, ValueError) as error:
        # A link to itself, a name that is too long or holds a zero byte, a folder that may not be entered.
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: could not be read ({said}); give the path of a {what}.") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: is a folder, a {what} is a file; give the file's own path.")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is a device or a pipe, a {what} is a file; save it as one first.")
    if status.st_size > largest:
        allowed = f"{largest // 2**20} MiB is" if largest >= 2**20 else f"{largest} bytes are"
        raise InputError(f"{path}: {status.st_size} bytes is no {what}; at most {allowed} read.")
    return target
