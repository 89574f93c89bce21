"""The state of a search on disk, so that it can be resumed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.claim import require_same
from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import shown
from metalens.formats.files.input_file import input_file
from metalens.formats.files.json_file import parse_record

LARGEST_FILE = 2**28


@dataclass(frozen=True)
class SearchState:
    """Everything that the next step depends on.

    Attributes:
        trial: index of the start that is being tried; the number of starts during the search itself.
        step: of this trial or search.
        numbers: ``[count]`` of the variables.
        moments: ``[2, count]`` Adam's running means of the gradient and of its square.
        planned: ``[count]`` parameters for which the sampling of the simulation was last chosen.
        best: ``[count]`` the best of this trial or search.
        best_loss: its loss.
        best_step: when it was found.
        trial_best: ``[trial, count]`` the best of each finished trial.
        trial_loss: ``[trial]``.
        history: ``[step, (trial, loss, objective…)]`` of all steps so far.
        finished: whether the search has ended.
    """

    trial: int
    step: int
    numbers: np.ndarray
    moments: np.ndarray
    planned: np.ndarray
    best: np.ndarray
    best_loss: float
    best_step: int
    trial_best: np.ndarray
    trial_loss: np.ndarray
    history: np.ndarray = field(repr=False)
    finished: bool = False


_ARRAYS = ("numbers", "moments", "planned", "best", "trial_best", "trial_loss", "history")
_SCALARS = ("trial", "step", "best_loss", "best_step", "finished")


def write_state(path: Path, state: SearchState, asked: Mapping[str, Any]) -> None:
    """Write a state; it appears whole or not at all.

    Args:
        path: of the file.
        state: of the search.
        asked: the specification that it belongs to, as JSON has it.
    """
    told = {"asked": asked, **{name: getattr(state, name) for name in _SCALARS}}
    arrays = {name: getattr(state, name) for name in _ARRAYS}
    with atomic_file(path) as part, part.open("wb") as file:
        np.savez(file, state=np.array(json.dumps(told)), **arrays)


class _Told(BaseModel):
    """What the archive tells beside its arrays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    asked: dict[str, Any]
    trial: int = Field(ge=0)
    step: int = Field(ge=0)
    best_loss: float
    best_step: int = Field(ge=0)
    finished: bool


def read_state(path: Path, asked: Mapping[str, Any], first: SearchState, trials: int) -> SearchState:
    """Read a state of a search by the same specification.

    Args:
        path: of the file.
        asked: the specification that it has to belong to, as JSON has it.
        first: state at the search's beginning, whose arrays are of the sizes that its are.
        trials: number of starts.

    Returns:
        The state, from which the search goes on as if it had not stopped.

    Raises:
        InputError: there is none, it cannot be read, or it is of another specification.
    """
    what, advice = "checkpoint of a search", "delete it and begin again without --resume"
    target = input_file(
        path, what, largest=LARGEST_FILE, missing="there is no search to go on with; leave out --resume."
    )
    try:
        with zipfile.ZipFile(target) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > LARGEST_FILE:
            raise ValueError(f"{size} bytes when unpacked")
        with np.load(target, allow_pickle=False) as file:
            text = str(file["state"])
            arrays: dict[str, Any] = {name: np.asarray(file[name], dtype=float) for name in _ARRAYS}
    # NumPy evaluates the headers as Python's tokens, which fail in many ways on damaged ones.
    except Exception as error:
        raise InputError(f"{path}: damaged or no {what} ({shown(str(error))}); {advice}.") from error
    told = parse_record(text, _Told, what, advice, origin=str(path))
    require_same(told.asked, asked, path)
    if told.trial > trials or any(arrays[name].shape != shape for name, shape in _shapes(first, told.trial, arrays)):
        raise InputError(f"{path}: damaged or no {what} (an array is of another size); {advice}.")
    if not all(np.isfinite(arrays[name]).all() for name in ("numbers", "moments", "planned", "best", "trial_best")):
        raise InputError(f"{path}: damaged or no {what} (a number is not finite); {advice}.")
    return SearchState(**arrays, **told.model_dump(exclude={"asked"}))


def _shapes(first: SearchState, trial: int, arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Each array with its shape; the history has as many rows as there were steps."""
    for name in ("numbers", "moments", "planned", "best"):
        yield name, getattr(first, name).shape
    yield "trial_best", (trial, *first.trial_best.shape[1:])
    yield "trial_loss", (trial,)
    yield "history", (*arrays["history"].shape[:1], *first.history.shape[1:])
