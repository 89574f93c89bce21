"""The log of a training: one line per step, curves for TensorBoard, and pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.atomic import write_text
from metalens.formats.files.input_file import input_file
from metalens.formats.files.json_file import parse_record
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.training.validation import Pictures

HISTORY = "history.jsonl"
PICTURES = "validation"
CURVES = "tensorboard"


LARGEST_HISTORY = 2**30


class HistoryRow(BaseModel):
    """A step of a training; what else was measured is kept with it.

    Attributes:
        step: number of the step.
        path: prompt path of its batch.
        loss: of the step.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    step: int = Field(ge=0)
    path: str
    loss: float


class TrainingHistory(BaseModel):
    """``training.json`` of an adapter: its history, beside a summary."""

    history: list[HistoryRow]


_TERMS = {"loss", "l2", "l1", "perceptual"}
"""Terms of a path's loss; each path has some."""


class TrainingLog:
    """The log of one training, in its output folder; only the first process writes one.

    ``history.jsonl`` has one line per step. A resumed run truncates it to the checkpoint, so that every step appears
    once.

    Args:
        folder: the training's output.
        first_step: first step of this run; log entries of later steps are dropped.
        writes: whether this process writes.

    Raises:
        InputError: the history that is there cannot be read.
    """

    def __init__(self, folder: Path, *, first_step: int, writes: bool = True) -> None:
        self.folder = folder
        self.writes = writes
        self.rows = read_history(folder / HISTORY, before=first_step)
        if not writes:
            return
        # Opened late, since it starts a thread and takes half a second.
        from torch.utils.tensorboard import SummaryWriter

        write_text(folder / HISTORY, "".join(_line(row) for row in self.rows))
        self._file = (folder / HISTORY).open("a", encoding="utf-8")
        self._curves = SummaryWriter(str(folder / CURVES), purge_step=first_step)

    def step(self, row: dict[str, Any]) -> None:
        """Log the figures of a step, ``path`` and ``step`` among them."""
        self.rows.append(row)
        if not self.writes:
            return
        self._file.write(_line(row))
        for name in _TERMS & row.keys():
            self._curves.add_scalar(f"train/{row['path']}/{name}", row[name], row["step"])
        for name in ("gradient_norm", "learning_rate"):
            self._curves.add_scalar(f"train/{name}", row[name], row["step"])

    def validation(
        self, step: int, losses: dict[str, dict[str, float]], by_alpha: dict[str, Any], shown: Pictures
    ) -> None:
        """Log the figures and pictures of a validation.

        Args:
            step: training step.
            losses: path → name → figure.
            by_alpha: α → figures.
            shown: pictures of the validation.
        """
        if not self.writes:
            return
        for path, figures in losses.items():
            for name, value in figures.items():
                self._curves.add_scalar(f"validation/{path}/{name}", value, step)
        for alpha, figures in by_alpha["restored"].items():
            for name, value in figures.items():
                self._curves.add_scalar(f"validation/alpha {alpha}/{name}", value, step)
        sheet = shown.sheet()
        self._curves.add_image("validation", sheet, step, dataformats="HWC")
        save_pictures(self.folder, step, shown)

    def flush(self) -> None:
        """Write everything to disk, before a checkpoint that relies on it."""
        if self.writes:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._curves.flush()

    def close(self) -> None:
        """Close the files."""
        if self.writes:
            self._file.close()
            self._curves.close()


def save_pictures(folder: Path, step: int, shown: Pictures) -> None:
    """Write the pictures of a validation into the training's folder.

    Args:
        folder: folder of the training.
        step: training step.
        shown: pictures of the validation.
    """
    (folder / PICTURES).mkdir(exist_ok=True)
    write_picture(folder / PICTURES / picture_name(step), shown.sheet())


def picture_name(step: int) -> str:
    """File name of a validation's pictures."""
    return f"step-{step:06d}.png"


def read_history(path: Path, *, before: int) -> list[dict[str, Any]]:
    """Read the rows of a history before a step; an incomplete last line is ignored.

    Args:
        path: the history file.
        before: training step; later rows are left out.

    Returns:
        One dictionary for each row.

    Raises:
        InputError: a line in the middle is no row of a history.
    """
    if before == 0 or not path.is_file():
        return []
    what, advice = "training history", "start anew in another folder"
    input_file(path, what, largest=LARGEST_HISTORY, missing=f"no such file; {advice}.")
    # A line that a stop has torn is left out.
    lines = path.read_bytes().split(b"\n")[:-1]
    for line in lines:
        parse_record(line, HistoryRow, what, advice, origin=str(path))
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["step"] < before]


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"
