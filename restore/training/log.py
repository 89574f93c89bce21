"""The log of a training: one line per step, curves for TensorBoard, and pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.training.validation import Pictures

HISTORY = "history.jsonl"
PICTURES = "validation"
CURVES = "tensorboard"


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
        for name in ("loss", "l2", "perceptual"):
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
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines = lines[:-1]
    try:
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if row["step"] < before]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a training history ({error}); start anew in another folder.") from error


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"
