"""A run over captures: one that cannot be used stops no other, and what is missing is done by ``--resume``.

The folder holds ``restoration.json``, the settings of the run, from its beginning on; every picture appears whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.restore.inference.capture_files import CaptureFile, KeptLatents

NOTE = "restoration.json"
"""Settings of a run, in its folder."""

AnyCapture = CaptureFile | KeptLatents
Report = Callable[[float, int], None]
"""Progress callback: captures done (with fractions), captures in all."""

_Prepared = TypeVar("_Prepared")


@dataclass(frozen=True)
class CaptureWork(Generic[_Prepared]):
    """What is done with each capture.

    Attributes:
        check: refuses one that cannot be used, before the long work begins.
        files: names of all files that are made of one.
        prepare: what may fail for one and not for another; takes the capture and a callback for the fraction done.
        write: writes its files, and gives a row for each picture.
    """

    check: Callable[[AnyCapture], object]
    files: Callable[[AnyCapture], Sequence[Path]]
    prepare: Callable[[AnyCapture, Callable[[float], None]], _Prepared]
    write: Callable[[AnyCapture, _Prepared], list[dict[str, Any]]]


@dataclass
class CapturesDone:
    """Result of a run.

    Attributes:
        rows: one for each picture that was made.
        failed: ``capture`` and ``reason`` of each capture that could not be used.
        already: names of captures whose files were there.
        flicker: of a sequence, ``captured`` and α → display values of 0..1.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    flicker: dict[str, float] = field(default_factory=dict)


def run_over_captures(
    captures: Sequence[AnyCapture],
    work: CaptureWork[Any],
    folders: Sequence[Path],
    settings: Mapping[str, Any],
    *,
    resume: bool,
    report: Report,
) -> CapturesDone:
    """Do the work for each capture whose files are missing.

    Args:
        captures: in their order.
        work: what is done with each.
        folders: that are written, each claimed for this run.
        settings: of the run, as JSON; those of a run that is resumed are the same.
        resume: whether the folders may be those of an interrupted run.
        report: progress callback.

    Returns:
        A row for each picture that was made, the captures that failed, and those whose files were there already.

    Raises:
        InputError: no capture can be used, the folders hold something else, or the disk refuses the write.
    """
    done = CapturesDone()
    with ExitStack() as stack:
        for folder in folders:
            stack.enter_context(claimed_folder(folder, NOTE, settings, resume=resume))
        missing = []
        for capture in captures:
            if all(path.is_file() for path in work.files(capture)):
                done.already.append(capture.name)
                continue
            try:
                work.check(capture)
            except InputError as error:
                done.failed.append({"capture": capture.name, "reason": str(error)})
            else:
                missing.append(capture)
        _require_any(done, missing)
        for number, capture in enumerate(missing):
            report(number, len(missing))
            try:
                prepared = work.prepare(capture, _within(report, number, len(missing)))
            except InputError as error:
                done.failed.append({"capture": capture.name, "reason": str(error)})
                continue
            done.rows += work.write(capture, prepared)
        _require_any(done, done.rows)
        report(1, 1)
    return done


def _within(report: Report, number: int, total: int) -> Callable[[float], None]:
    return lambda share: report(number + share, total)


def _require_any(done: CapturesDone, usable: Sequence[Any]) -> None:
    """Refuse a run without anything to do or to show but failures."""
    if done.failed and not usable and not done.already:
        reason = done.failed[0]["reason"]
        others = len(done.failed) - 1
        raise InputError(reason if not others else f"{reason} None of the {others + 1} captures can be restored.")
