"""Outputs that appear whole or not at all, whatever interrupts the writer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metalens.formats.files.errors import InputError


def _sync(path: Path) -> None:
    """Flush a file's or folder's contents to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, path: Path) -> InputError:
    return InputError(
        f"{path}: could not be written ({error.strerror or error}); nothing was left behind. "
        "Free some disk space or choose another place with -o."
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and renamed to ``path``.

    On any exception, an interrupt included, the temporary file is removed and ``path`` is as it was.

    Raises:
        InputError: the folder does not exist, or the disk is full or refuses the write.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"{target}: its folder {target.parent} does not exist; make it first.")
    if target.is_dir():
        raise InputError(f"{target}: is a folder, a file was expected; choose another place with -o.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise _explain(error, target) from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it is renamed to ``path``, which must be new or empty.

    On any exception the temporary folder is removed and nothing stands at ``path``.

    Raises:
        InputError: ``path`` exists and is not an empty folder, or the disk refuses the write.
    """
    target = Path(path)
    require_new_directory(target)
    if not target.resolve().parent.is_dir():
        raise InputError(f"{target}: its folder {target.parent} does not exist; make it first.")
    part = target.resolve().with_name(f".{target.resolve().name}.{os.getpid()}.part")
    try:
        part.mkdir()
        yield part
        for entry in part.rglob("*"):
            if entry.is_file():
                _sync(entry)
        if target.is_dir():
            target.rmdir()
        part.replace(target)
        _sync(target.resolve().parent)
    except OSError as error:
        raise _explain(error, target) from error
    finally:
        if part.exists():
            _remove(part)


def require_new_directory(path: str | os.PathLike[str]) -> None:
    """Refuse an output folder that holds anything.

    Raises:
        InputError: ``path`` is a file or a folder with entries.
    """
    target = Path(path)
    if target.is_dir():
        entries = sorted(entry.name for entry in target.iterdir())
        if entries:
            raise InputError(
                f"{target}: the output folder is not empty (it holds {entries[0]!r}"
                f"{f' and {len(entries) - 1} more' if len(entries) > 1 else ''}); "
                "choose a new one with -o, or pass --resume where the command offers it."
            )
    elif target.exists():
        raise InputError(f"{target}: is a file, a new or empty folder was expected; choose another place with -o.")
