"""Checks of input paths: regular files of a limited size; no folders, devices, pipes, sockets or broken links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import as_utf8

_NOTHING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
"""Those errors of a path that say that nothing is there."""


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file; a name that no file can have, such as one of 5000 letters, is none.

    Raises:
        InputError: there is something that is neither file nor folder, such as a device.
    """
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder; a name that none can have is none.

    Raises:
        InputError: there is something that is neither file nor folder, such as a device.
    """
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def real_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path without links; a link to itself stays one, where Python's own would raise a RuntimeError."""
    return Path(os.path.realpath(path))


def require_folder(path: str | os.PathLike[str], advice: str) -> None:
    """Check an input folder.

    Args:
        path: as a user gave it.
        advice: end of the sentence if there is none.

    Raises:
        InputError: there is none.
    """
    if not is_folder(path):
        raise InputError(f"{path}: no such folder; {advice}.")


def _mode(path: str | os.PathLike[str]) -> int | None:
    """Kind and permissions of a file or folder; None if nothing is there."""
    try:
        mode = Path(path).stat().st_mode
    except ValueError:  # a name with a zero byte
        return None
    except OSError as error:
        if error.errno in _NOTHING:
            return None
        if error.errno != errno.ELOOP:
            raise
        raise InputError(f"{path}: is a link to itself; give the path of a file or a folder.") from error
    kind = _special_kind(mode)
    if kind is not None:
        raise InputError(f"{path}: is {kind}, no ordinary file or folder; give the path of one.")
    return mode


def _special_kind(mode: int) -> str | None:
    """What is neither a file nor a folder, in words."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


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

    Returns:
        The path of that file.

    Raises:
        InputError: it is missing, a folder, a device, a pipe, a socket, a link to itself, or too large, or its name is
            no UTF-8.
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
    kind = _special_kind(status.st_mode)
    if kind is not None:
        raise InputError(f"{path}: is {kind}, a {what} is an ordinary file; save it as one first.")
    if status.st_size > largest:
        allowed = f"{largest // 2**20} MiB is" if largest >= 2**20 else f"{largest} bytes are"
        raise InputError(f"{path}: {status.st_size} bytes is no {what}; at most {allowed} read.")
    return target
