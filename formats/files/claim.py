"""Locks an output for one run at a time, and checks that a resumed run has the same settings."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from metalens.formats.files.atomic import (
    DISK_REFUSES,
    disk_error,
    explained,
    remove,
    removed_on_ending,
    require_new_directory,
    require_new_file,
    require_writable,
    write_text,
)
from metalens.formats.files.errors import DiskError, InputError
from metalens.formats.files.input_file import is_folder, real_path
from metalens.formats.files.json_file import read_json
from metalens.formats.files.schema_version import version_advice

LOCK = ".lock"
"""In a folder while a run writes there; the end of the name of a file's lock, which lies beside it."""

LARGEST_NOTE = 2**30
LONGEST_VALUE = 80
"""Largest number of characters of a quoted setting."""


@contextmanager
def claimed_folder(
    folder: str | os.PathLike[str],
    note: str,
    asked: Mapping[str, Any],
    *,
    resume: bool,
    may_differ: Collection[str] = (),
    beside: Collection[str] = (),
    worthless: Collection[str] = (),
) -> Iterator[dict[str, Any] | None]:
    """Lock a new folder, or one of an interrupted run with the same settings, while the block runs.

    A run that fails before it has made anything to go on from leaves no folder. One that was interrupted keeps its
    note.

    Args:
        folder: created if it is missing.
        note: name of the JSON file in it with the settings of the run.
        asked: settings of this run, as JSON; written before the block begins if the folder is new.
        resume: continue an interrupted run with the same settings, or start a new one.
        may_differ: names of settings that may change on resuming.
        beside: names of entries that may be there before a run begins.
        worthless: names of entries from which alone no run goes on, such as a log.

    Returns:
        Settings of the interrupted run, or ``None`` if the folder is new.

    Raises:
        InputError: the folder holds something else or an unequal run, is in use, or cannot be written.
    """
    target = Path(folder)
    check_claim(target, note, resume=resume, beside=beside)
    is_new = not is_folder(target)
    _make(target)
    try:
        with held(target / LOCK, target):
            _remove_parts(target)
            found = None
            if (target / note).is_file():
                if not resume:
                    raise InputError(f"{target}: another run began here meanwhile; choose a new folder with -o.")
                found = _read_note(target / note)
                require_same(found, asked, target, may_differ=may_differ)
            else:
                _require_no_strangers(target, note, beside)
                write_note(target / note, asked)
            try:
                yield found
            except Exception as error:
                unfinished = found is None and (target / note).is_file()
                if unfinished and not _worth_keeping(target, {LOCK, note, *worthless}):
                    for entry in tuple(target.iterdir()):
                        if entry.name != LOCK:
                            remove(entry)
                elif (refused := _refused_write(error, target)) is not None:
                    raise InputError(refused.with_kept(target)) from error
                raise
            finally:
                # Workers that were ended have died in a write of their own.
                _remove_parts(target)
    except Exception:
        if is_new:
            # Unless something is there to go on from.
            with suppress(OSError):
                target.rmdir()
        raise


def _remove_parts(folder: Path) -> None:
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)


def _worth_keeping(folder: Path, worthless: Collection[str]) -> bool:
    """Whether a folder has a file besides some entries of its own, at any depth, that a run can go on from."""
    return any(
        any(each.is_file() for each in (entry, *entry.rglob("*")))
        for entry in folder.iterdir()
        if entry.name not in worthless and entry.suffix != ".part"
    )


def _refused_write(error: Exception, folder: Path) -> DiskError | None:
    """The disk's refusal that ended a run; None if something else did."""
    if isinstance(error, InputError):
        return error if isinstance(error, DiskError) else None
    found = disk_error(error)
    if found is None or found.errno not in DISK_REFUSES:
        return None
    return explained(found, found.filename or folder)


def check_claim(
    folder: Path,
    note: str,
    *,
    resume: bool,
    asked: Mapping[str, Any] | None = None,
    beside: Collection[str] = (),
) -> None:
    """Check, before a long computation, that a folder can be claimed: it is new, or holds a run to resume.

    Args:
        folder: as :func:`claimed_folder`.
        note: as :func:`claimed_folder`.
        resume: as :func:`claimed_folder`.
        asked: settings of this run, if they are known already.
        beside: as :func:`claimed_folder`.

    Raises:
        InputError: it holds something else or an unequal run, is a file, nothing can be written there, or its own
            folder does not exist.
    """
    entries = {entry.name for entry in folder.iterdir()} if is_folder(folder) else set()
    if note in entries and not resume:
        raise InputError(
            f"{folder}: the output folder is not empty, it holds a run (its {note} is there); go on with --resume if "
            "that was interrupted, or choose a new folder with -o."
        )
    if not entries or not (resume or entries <= set(beside)):
        require_new_directory(folder)
        return
    require_writable(folder, folder)
    if note not in entries:
        _require_no_strangers(folder, note, beside)
    elif asked is not None:
        require_same(_read_note(folder / note), asked, folder)


def _require_no_strangers(folder: Path, note: str, beside: Collection[str]) -> None:
    # A run that was killed while it wrote its note has left a part of it.
    names = {entry.name for entry in folder.iterdir() if not entry.match(f".{note}.*.part")}
    strangers = sorted(names - {LOCK, *beside})
    if strangers:
        raise InputError(
            f"{folder}: cannot be resumed, it has no {note} but holds {strangers[0]!r}; choose a new folder with -o."
        )


def write_note(path: Path, asked: Mapping[str, Any]) -> None:
    """Write the settings of a run as JSON.

    Args:
        path: of the file.
        asked: the settings.

    Raises:
        InputError: the disk cannot be written.
    """
    write_text(path, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def claimed_file(output: Path) -> Iterator[None]:
    """Lock a new file for one run while the block runs, so that of two runs none replaces what the other has written.

    Args:
        output: the file.

    Raises:
        InputError: it exists, cannot be made, or another run is about to write it.
    """
    require_new_file(output)
    place = real_path(output)
    with held(place.with_name(f".{place.name}{LOCK}"), output):
        # Another run may have ended meanwhile.
        require_new_file(output)
        yield


@contextmanager
def held(lock: Path, place: Path) -> Iterator[None]:
    """Lock an output for one run; the lock ends with the process, even after kill -9.

    Args:
        lock: the file that is locked; it is there as long as the lock is.
        place: what it is for, as the message names it.

    Returns:
        A context manager that holds the lock.

    Raises:
        InputError: another run holds it, or the file cannot be made.
    """
    held_lock = FileLock(lock, thread_local=False)
    try:
        held_lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"{place}: another run is writing here; wait for it or choose another place with -o."
        ) from error
    except OSError as error:
        raise InputError(f"{place}: could not be written ({error.strerror or error}).") from error
    try:
        with removed_on_ending(lock):
            yield
    finally:
        # Removed while it is held: whoever waits for it then finds it gone and makes a new one.
        with suppress(OSError):
            lock.unlink(missing_ok=True)
        held_lock.release()


def remove_left_locks(folder: Path) -> None:
    """Remove the locks beside files that nobody holds: those of processes that were killed.

    Args:
        folder: in which, and in whose folders, they are looked for.
    """
    for lock in tuple(folder.rglob(f".*{LOCK}")):
        with suppress(InputError), held(lock, lock):
            pass


def require_same(
    found: Mapping[str, Any], asked: Mapping[str, Any], place: Path, *, may_differ: Collection[str] = ()
) -> None:
    """Check that the settings of an interrupted run are the settings of this one.

    Args:
        found: settings of the interrupted run.
        asked: settings of this run.
        place: the output, for messages.
        may_differ: names of settings that may change.

    Raises:
        InputError: names the first setting that changed.
    """
    # Through JSON, so that tuples and lists, or 1 and 1.0, compare as they are stored.
    now: dict[str, Any] = json.loads(json.dumps(asked))
    for name in (*now, *(name for name in found if name not in now)):
        if name not in may_differ and found.get(name) != now.get(name):
            advice = "repeat the settings of the first run, or choose another place with -o"
            if name == "version":
                advice = version_advice(found.get(name), (now.get(name, 0),), advice)
            raise InputError(
                f"{place}: cannot be resumed, {difference(name, found.get(name), now.get(name))}; {advice}."
            )


def difference(name: str, before: Any, now: Any) -> str:
    """Describe the difference between two values of a setting, without printing a whole list or text.

    Args:
        name: of the setting.
        before: its old value.
        now: its new value.

    Returns:
        A part of a sentence.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                return difference(f"{name}.{key}", before.get(key), now.get(key))
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return f"{name} held {len(before)} entries and now holds {len(now)}"
        place = next(index for index in range(len(now)) if before[index] != now[index])
        return difference(f"{name}[{place}]", before[place], now[place])
    if max(len(repr(before)), len(repr(now))) > LONGEST_VALUE:
        return f"{name} is another one than it was"
    return f"{name} was {before!r} and is now {now!r}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: could not be made ({error.strerror}).") from error


def _read_note(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path, "note of a run", "choose a new place with -o", largest=LARGEST_NOTE)
    return found
