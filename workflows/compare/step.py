"""One step of a comparison: done once, and kept under the hash of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import STATUS, stop_if_interrupted
from metalens.formats.files.json_file import read_record
from metalens.restore.bench.process import Program, ending_sentence, run_programs

LOG = "log.txt"
_DIGITS = 12
_SAYS = "metalens: "


class StepRecord(BaseModel):
    """What marks a step as done."""

    step: str
    seconds: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] | None


@dataclass(frozen=True)
class Step:
    """A step and its result.

    Attributes:
        name: of the step.
        output: file or folder of its result; the name holds the hash of what it depends on.
    """

    name: str
    output: Path

    @property
    def record(self) -> Path:
        """File that marks the step as done and tells its seconds."""
        return self.output.with_name(f"{self.output.name}.done.json")

    @property
    def done(self) -> bool:
        """Whether the result is complete."""
        return self.record.is_file() and self.output.exists()

    def seconds(self) -> float | None:
        """Time of the step; ``None`` if it was interrupted and resumed, or is not done."""
        if not self.done:
            return None
        return read_record(self.record, StepRecord, "record of a step", "remove it and go on with --resume").seconds

    def do(self, work: Callable[[], None]) -> None:
        """Do the step unless it is done."""
        if self.done:
            return
        begun = self.output.exists()
        started = time.monotonic()
        work()
        seconds = None if begun else round(time.monotonic() - started, 2)
        write_text(self.record, json.dumps({"step": self.name, "seconds": seconds}) + "\n")


def step_in(folder: Path, name: str, suffix: str, *depends: Any) -> Step:
    """A step whose result lies under the hash of what it depends on, and of this package's version.

    Args:
        folder: where its result lies.
        name: of the step.
        suffix: of the result's file; empty for a folder.
        depends: JSON values: hashes of files, and settings.

    Returns:
        The step, done or not.
    """
    digest = hashlib.sha256(json.dumps([version("metalens"), name, *depends], sort_keys=True).encode()).hexdigest()[
        :_DIGITS
    ]
    return Step(name, folder / f"{name}-{digest}{suffix}")


def hash_of_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_logged(arguments: Sequence[str], log: Path) -> None:
    """Run a command of metalens in a process of its own, with its output in a log.

    Args:
        arguments: command line after ``metalens``.
        log: file of its output, which grows.

    Raises:
        InputError: it failed; the sentence is the command's own.
        KeyboardInterrupt: it was interrupted.
    """
    before = log.stat().st_size if log.is_file() else 0
    program = Program("metalens.cli", [*arguments], log)
    with closing(run_programs([program], 1, lambda place, stage, share: None)) as ending:
        ((_, status),) = ending
    stop_if_interrupted()
    if status == STATUS:
        raise KeyboardInterrupt
    if status:
        told = log.read_bytes()[before:].decode(errors="replace").splitlines()
        sentences = [line.removeprefix(_SAYS) for line in told if line.startswith(_SAYS)]
        raise InputError(sentences[-1] if sentences else f"{ending_sentence(status)}; see {log}")
