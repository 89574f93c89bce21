"""Atomic writes: an output appears complete or not at all, whatever interrupts the writer."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metalens.formats.files.errors import DiskError, InputError
from metalens.formats.files.input_file import is_folder, real_path


def _sync(path: Path) -> None:
    """Flush a file's or folder's contents to the disk; Windows has no such call for folders."""
    if os.name == "nt" and path.is_dir():
        return
    # Windows flushes only what may be written.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


_NUMBER = re.compile(r"(?:os error |errno = |\[Errno )(\d+)")
"""Patterns of the error number in messages of Rust, HDF5 and Python."""

DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Error numbers of a failed write."""

LONGEST_ENDING = 32
"""Bytes by which the names of unfinished files and of what lies beside outputs are longer than the outputs' own."""

_UNFINISHED: set[Path] = set()
"""Unfinished files of this process."""


def remove_unfinished() -> None:
    """Remove unfinished files before the process ends at once."""
    for part in tuple(_UNFINISHED):
        remove(part)


def remove_unfinished_of(process: int, folder: Path) -> None:
    """Remove what another process, which was killed, has left unfinished.

    Args:
        process: its number.
        folder: where it wrote, and in whose folders.
    """
    for part in tuple(folder.rglob(f".*.{process}.part")):
        remove(part)


@contextmanager
def removed_on_ending(path: Path) -> Iterator[None]:
    """Remove a file, such as a lock, if the process ends at once while the block runs."""
    _UNFINISHED.add(path)
    try:
        yield
    finally:
        _UNFINISHED.discard(path)


def disk_error(error: BaseException) -> OSError | None:
    """The operating system's error inside a library's exception; ``None`` if it is not a disk error."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    number = int(found[1]) if (found := _NUMBER.search(str(error))) else None
    if number in DISK_REFUSES:
        return OSError(number, os.strerror(number))
    return error if isinstance(error, OSError) else None


def explained(error: OSError, place: object) -> DiskError:
    """The operating system's error as a sentence.

    Args:
        error: of a write.
        place: the file or folder that was written.

    Returns:
        The error to raise; it knows whether the disk refused the write.
    """
    return DiskError(str(place), str(error.strerror or error), error.errno in DISK_REFUSES)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that it holds; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced and renamed to ``path``.

    On any exception, an interrupt included, the temporary file is removed and ``path`` is as it was. The file has the
    permissions of any new file of the user (umask), whatever those are that its writer gives it.

    Raises:
        InputError: the folder does not exist, or the disk is full or refuses the write.
    """
    target = Path(path)
    require_place(target)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with _told_of(target, part):
        part.touch()
        permissions = _permissions(part)
        part.unlink()
        yield part
        part.chmod(permissions)
        _sync(part)
        part.replace(target)
        _sync(target.parent)


def write_bytes(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write a file atomically: it appears complete or not at all.

    Args:
        path: of the file.
        content: its bytes.

    Raises:
        InputError: see :func:`atomic_file`.
    """
    with atomic_file(path) as part:
        part.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 file atomically, with its line ends unchanged.

    Args:
        path: of the file.
        text: its content.

    Raises:
        InputError: see :func:`atomic_file`.
    """
    write_bytes(path, text.encode("utf-8"))


def append_text(path: str | os.PathLike[str], text: str) -> None:
    """Append UTF-8 text to a file and sync it; after an error the file is as it was.

    Args:
        path: of the file; created if it is missing.
        text: to append.

    Raises:
        InputError: the disk is full or refuses the write.
    """
    target = Path(path)
    before = target.stat().st_size if target.exists() else None
    try:
        with target.open("ab") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if before is None:
            target.unlink(missing_ok=True)
        else:
            os.truncate(target, before)
        raise explained(error, target) from error


@contextmanager
def _told_of(target: Path, part: Path) -> Iterator[None]:
    """Remove the unfinished file when the block ends, and convert disk errors to :class:`InputError`."""
    _UNFINISHED.add(part)
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        found = disk_error(error)
        if found is None:
            raise
        raise explained(found, target) from error
    finally:
        remove(part)
        _UNFINISHED.discard(part)


@contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it is renamed to ``path``, which must be new or empty.

    On any exception the temporary folder is removed and nothing stands at ``path``. Its files have permissions as those
    of :func:`atomic_file`.

    Raises:
        InputError: ``path`` exists and is not an empty folder, or the disk refuses the write.
    """
    target = Path(path)
    require_new_directory(target)
    part = real_path(target).with_name(f".{real_path(target).name}.{os.getpid()}.part")
    with _told_of(target, part):
        part.mkdir()
        # Those of a new folder, without the right to enter, are those of a new file.
        permissions = _permissions(part) & 0o666
        yield part
        for entry in part.rglob("*"):
            if entry.is_file():
                entry.chmod(permissions)
                _sync(entry)
        # Another run may have written here meanwhile.
        require_new_directory(target)
        if target.is_dir():
            target.rmdir()
        part.replace(target)
        _sync(real_path(target).parent)


@contextmanager
def folders_for(*folders: Path) -> Iterator[None]:
    """Make folders, and remove those that are empty again if the block fails.

    Args:
        folders: the outer ones first.
    """
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except Exception:
        for folder in reversed(folders):
            with suppress(OSError):
                folder.rmdir()
        raise


def require_new_directory(path: str | os.PathLike[str], option: str = "-o") -> None:
    """Check that an output folder is new or empty, and can be made.

    Args:
        path: of the folder.
        option: with which a command gets it, for the message.

    Raises:
        InputError: ``path`` is a file or a folder with entries, or its own folder does not exist or is read-only.
    """
    target = Path(path)
    if is_folder(target):
        entries = sorted(entry.name for entry in target.iterdir())
        if entries:
            raise InputError(
                f"{target}: the output folder is not empty (it holds {entries[0]!r}"
                f"{f' and {len(entries) - 1} more' if len(entries) > 1 else ''}); "
                f"choose a new one with {option}."
            )
        require_writable(target, target, option)
    elif os.path.lexists(target):
        raise InputError(
            f"{target}: is a file, a new or empty folder was expected; choose another place with {option}."
        )
    else:
        _require_folder_of(target, option)


def require_place(output: Path) -> None:
    """Check an output path before a long computation.

    Raises:
        InputError: its folder does not exist or is read-only, it is itself a folder, or no file can have its name.
    """
    _require_folder_of(output)
    if output.is_dir():
        raise InputError(f"{output}: is a folder, a file was expected; choose another place with -o.")


def require_new_file(output: Path) -> None:
    """Check an output path before a long computation: nothing is overwritten.

    Raises:
        InputError: as :func:`require_place`, or there is something already.
    """
    require_place(output)
    if os.path.lexists(output):
        raise InputError(f"{output}: exists already; choose another place with -o.")


def require_writable(folder: Path, output: Path, option: str = "-o") -> None:
    """Check, before a long computation, that files can be made in a folder.

    Args:
        folder: one that exists.
        output: what is to be written there, for the message.
        option: with which a command gets it, for the message.

    Raises:
        InputError: its permissions or its file system forbid that.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{output}: nothing can be written into {folder}; choose another place with {option}.")


def require_apart(*outputs: Path | None) -> None:
    """Check, before a long computation, that outputs do not lie at one place or in each other.

    Args:
        outputs: their paths; ``None`` is one that was not asked for.

    Raises:
        InputError: two have one path, or one lies in another.
    """
    places = [(each, real_path(each)) for each in outputs if each is not None]
    for one, place in places:
        for other, outer in places:
            if one is not other and (place == outer or outer in place.parents):
                raise InputError(f"{one}: lies in another output, {other}; give each a place of its own.")


def require_outside(output: Path | None, inputs: Iterable[str | os.PathLike[str] | None]) -> None:
    """Check, before a long computation, that an output is not read itself and does not lie in a folder that is.

    Args:
        output: its path; ``None`` if it was not asked for.
        inputs: files and folders; ``None`` is one that was not given.

    Raises:
        InputError: the next run would read the output of this one.
    """
    if output is None:
        return
    place = real_path(output)
    for each in inputs:
        if each is None:
            continue
        read = real_path(Path(each))
        if read == place:
            raise InputError(f"{output}: is an input itself; choose another place with -o.")
        if read in place.parents:
            raise InputError(
                f"{output}: lies in {each}, which is read: the next run would take this one's output for an input; "
                "choose a place outside it with -o."
            )


def _require_folder_of(output: Path, option: str = "-o") -> None:
    parent = real_path(output).parent
    # Of a/../b both are needed, whatever is resolved without looking.
    if not is_folder(parent) or not is_folder(output.parent):
        raise InputError(f"{output}: its folder {output.parent} does not exist; make it first.")
    require_writable(parent, output, option)
    # A part of the output has a longer name for a while.
    most = os.pathconf(parent, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    longest = most - LONGEST_ENDING
    if len(os.fsencode(real_path(output).name)) > longest:
        raise InputError(f"{output}: its name has more than {longest} bytes; choose a shorter one.")
