"""A folder of an exploration: what was asked, a lens.toml per candidate, and one line of JSON per candidate.

A line is written whole and synced when the candidate is done. After a kill the last line may be torn; it is cut off,
and that candidate is done again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.design.exploration import Architecture
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.atomic import append_text
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.json_file import parse_record
from metalens.formats.files.json_lines import whole_lines

RUN = "run.json"
LINES = "candidates.jsonl"
LENSES = "candidates"
"""The folder of the lens.toml."""


class Figures(BaseModel):
    """What a candidate is worth; decibels are 10 log₁₀(1/error) of the expected error.

    Attributes:
        restored_db: after restoration, the error averaged over the sensor.
        restored_centre_db: at the field nearest to the axis.
        restored_edge_db: at the outermost field.
        captured_db: of the captured picture, over the sensor.
        tolerance_loss_db: what one of twenty copies loses of restored_db by errors of fabrication and assembly; None in
            what earlier versions wrote.
        track_length_um: from the stop to the sensor.
        diameter_um: of the lens.
        f_number: focal length over the pupil's diameter.
        field_deg: angle in front of the camera that the sensor's corner sees.
        light: the share of light that reaches the image, over the square of the f-number.
        loss: of the search.
        steps: of the search, its trials included.
        lens_hash: of the camera.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    restored_db: float
    restored_centre_db: float
    restored_edge_db: float
    captured_db: float
    tolerance_loss_db: float | None = None
    track_length_um: float
    diameter_um: float
    f_number: float
    field_deg: float
    light: float
    loss: float
    steps: int
    lens_hash: str


class Candidate(BaseModel):
    """One candidate that was done.

    Attributes:
        number: from 0.
        architecture: its numbers.
        figures: None if it failed.
        failed: why it failed.
        seconds: that it took.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=0)
    architecture: Architecture
    figures: Figures | None = None
    failed: str | None = None
    seconds: float


def asked_of(spec: DesignSpec, versions: Mapping[str, str]) -> dict[str, Any]:
    """What a run notes in its folder, for runs that go on with it.

    Args:
        spec: what is asked.
        versions: of the packages that decide the numbers.

    Returns:
        Schema, specification without its descriptions, and versions, of JSON's types.
    """
    # Descriptions do not affect the result.
    kept = spec.model_dump(mode="json", exclude={"description": True, "camera": {"description"}}, exclude_none=True)
    return {"schema": "metalens.exploration", "version": 1, "design": kept, "versions": dict(versions)}


@contextmanager
def open_exploration(
    folder: str | os.PathLike[str], spec: DesignSpec, versions: Mapping[str, str], *, resume: bool = False
) -> Iterator[tuple[dict[int, Candidate], Callable[[Candidate], None]]]:
    """Open a new folder, or an equal one to go on; one run at a time.

    Args:
        folder: of the run.
        spec: what is asked.
        versions: of the packages that decide the numbers.
        resume: go on in a folder where an equal run was stopped.

    Returns:
        The candidates that are done by their numbers; and what to call with each new one.

    Raises:
        InputError: the folder holds something else, another run, or is in use.
    """
    target = Path(folder)
    with claimed_folder(target, RUN, asked_of(spec, versions), resume=resume):
        (target / LENSES).mkdir(exist_ok=True)
        path = target / LINES
        done = {each.number: each for each in (_candidate_of(line, path) for line in whole_lines(path))}

        def append(candidate: Candidate) -> None:
            append_text(path, candidate.model_dump_json(exclude_none=True) + "\n")

        yield done, append


def _candidate_of(line: bytes, path: Path) -> Candidate:
    return parse_record(
        line, Candidate, "list of candidates", "delete the file to compute all of it again", origin=str(path)
    )
