"""The state of a search on disk, so that it can be resumed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.claim import require_same
from metalens.formats.files.errors import InputError

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


def read_state(path: Path, asked: Mapping[str, Any]) -> SearchState:
    """Read a state of a search by the same specification.

    Args:
        path: of the file.
        asked: the specification that it has to belong to, as JSON has it.

    Raises:
        InputError: there is none, it cannot be read, or it is of another specification.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no search to go on with; leave out --resume.")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path}: {path.stat().st_size} bytes is no checkpoint; at most {LARGEST_FILE} are read.")
    try:
        with np.load(path, allow_pickle=False) as file:
            told = json.loads(str(file["state"]))
            arrays: dict[str, Any] = {name: np.asarray(file[name], dtype=float) for name in _ARRAYS}
        before = dict(told.pop("asked"))
        state = SearchState(**arrays, **{name: told[name] for name in _SCALARS})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged or no checkpoint; delete it and begin again without --resume.") from error
    require_same(before, asked, path)
    return state
