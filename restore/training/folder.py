"""The folder of a running training: its lock, resuming, and cleaning up at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metalens.formats.files.claim import check_claim, claimed_folder
from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import BEFORE_DESCRIPTION
from metalens.restore.training.checkpoint import CHECKPOINT
from metalens.restore.training.log import CURVES, HISTORY, PICTURES

SETTINGS = "settings.json"
"""Exists from the start to the end of a training: a folder with this file holds an unfinished one."""


WITHOUT_CHECKPOINT = (HISTORY, PICTURES, CURVES, *BEFORE_DESCRIPTION)
"""Entries from which no training goes on without its checkpoint, and which are no adapter."""


@contextmanager
def claimed(output: Path, settings: dict[str, Any], resume: bool) -> Iterator[None]:
    """Lock a new folder, or that of the same unfinished training, until the block ends.

    Args:
        output: the folder.
        settings: settings of the training, which a resumed one must share.
        resume: whether an existing training may be continued.

    Returns:
        A context manager that holds the lock.

    Raises:
        InputError: the folder holds something else, or a training with other settings, or one that has finished, or
            is in use.
    """
    check_folder(output, resume=resume)
    with claimed_folder(output, SETTINGS, settings, resume=resume, worthless=WITHOUT_CHECKPOINT):
        yield


def check_folder(output: Path, *, resume: bool, settings: Mapping[str, Any] | None = None) -> None:
    """Check, before a training, that its folder is new or holds an unfinished one.

    Args:
        output: as :func:`claimed`.
        resume: as :func:`claimed`.
        settings: of this training, if they are known already.

    Raises:
        InputError: the folder holds something else, another training, or one that has finished.
    """
    if resume and not (output / SETTINGS).is_file() and (output / "adapter.json").is_file():
        raise InputError(f"{output}: its training has finished; go on from it with --init {output} and another -o.")
    check_claim(output, SETTINGS, resume=resume, asked=settings)


def finish(output: Path) -> None:
    """Remove the files of an unfinished training, its settings last."""
    for leftover in (CHECKPOINT, HISTORY, SETTINGS):
        (output / leftover).unlink(missing_ok=True)
