"""A folder of tolerancing: settings of the run, and one line of JSON per evaluated lens.

A line is written whole and synced before the next lens begins. After a kill the last line may be torn; it is cut off,
and that lens is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.design.tolerance_spec import ToleranceSpec
from metalens.formats.files.atomic import append_text
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import parse_record
from metalens.formats.files.json_lines import whole_lines
from metalens.formats.files.schema_version import WHOLE

RUN = "run.json"
LENSES = "lenses.jsonl"


class ToleranceRun(BaseModel):
    """Settings of a run; a resumed run needs the same ones.

    Attributes:
        lens_toml: the camera.
        lens_hash: its hash.
        spec: errors and limits.
        not_applied: error → why this lens does not have it.
        seed: of the draws.
        draws: how many.
        fields: rows and columns of places on the sensor.
        wavelengths_per_channel: at each place.
        window: side of the functions in pixels, if it was asked for.
        figures: names of the figures of merit.
        versions: of the packages that decide the numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["metalens.tolerance_run"] = Field(default="metalens.tolerance_run", alias="schema")
    version: Annotated[Literal[1], WHOLE] = 1
    lens_toml: str
    lens_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    spec: ToleranceSpec
    not_applied: dict[str, str] = {}
    seed: int = Field(ge=0, lt=2**63)
    draws: int = Field(ge=1, le=10**7)
    fields: tuple[int, int]
    wavelengths_per_channel: int
    window: int | None = None
    figures: tuple[str, ...]
    versions: dict[str, str] = {}


_Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Line(BaseModel):
    """A lens as its line has it; ``figures[figure][field]`` of red, green and blue."""

    key: str = Field(max_length=200)
    numbers: dict[str, _Finite]
    figures: list[list[tuple[_Finite, _Finite, _Finite]]]


@dataclass(frozen=True)
class LensLine:
    """One evaluated lens.

    Attributes:
        key: which one: ``draw 12``, ``drawn``, ``nominal`` or ``step defocus_um +``.
        numbers: its errors, in the units of their names.
        figures: ``[figure, field, channel]``.
    """

    key: str
    numbers: dict[str, float]
    figures: np.ndarray


@contextmanager
def open_tolerance_run(
    folder: str | os.PathLike[str], run: ToleranceRun, *, resume: bool = False
) -> Iterator[tuple[dict[str, LensLine], Callable[[LensLine], None]]]:
    """Open a new folder, or an equal one to go on; one run at a time.

    Args:
        folder: of the run.
        run: what is asked.
        resume: go on in a folder where an equal run was stopped.

    Returns:
        The lenses that are done by their keys; and what to call with each new one.

    Raises:
        InputError: the folder holds something else, another run, or is in use.
    """
    target = Path(folder)
    with claimed_folder(target, RUN, run.model_dump(mode="json", by_alias=True), resume=resume):
        done = _read_lines(target / LENSES, run)

        def append(line: LensLine) -> None:
            told = {"key": line.key, "numbers": line.numbers, "figures": line.figures.tolist()}
            append_text(target / LENSES, json.dumps(told) + "\n")

        yield done, append


def _read_lines(path: Path, run: ToleranceRun) -> dict[str, LensLine]:
    """The lenses that are done."""
    lines = [_line_of(each, path, run) for each in whole_lines(path)]
    return {line.key: line for line in lines}


def _line_of(text: bytes, path: Path, run: ToleranceRun) -> LensLine:
    advice = "delete the file to compute all of it again"
    line = parse_record(text, _Line, "list of lenses", advice, origin=str(path))
    expected = (len(run.figures), run.fields[0] * run.fields[1], 3)
    if not all(len(row) == expected[1] for row in line.figures) or len(line.figures) != expected[0]:
        raise InputError(f"{path}: a line has other figures than {expected[0]} of {expected[1]} fields; {advice}.")
    return LensLine(line.key, line.numbers, np.array(line.figures, dtype=np.float64))
