"""Checkpoints of a training: one safetensors file with the complete state.

The tensors are, by name, the trained parameters, their moving averages, AdamW's two moments and torch's random state;
the file's metadata holds the counters as JSON. Nothing is pickled. A file is written under another name and then
renamed, so that a complete checkpoint always exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.json_file import parse_record
from metalens.formats.files.schema_version import WHOLE

CHECKPOINT = "checkpoint.safetensors"
"""File name in a training's folder."""

SCHEMA = "metalens.checkpoint"
VERSION = 2

_SLACK = 2**24
"""Largest size of header and random state in bytes, in addition to the parameters' tensors."""

_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.uint8: "U8"}


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint: ``state``, its counters, and ``tensors`` by name."""

    state: TrainingState
    tensors: dict[str, Tensor]


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint atomically.

    Args:
        path: the file.
        tensors: name → tensor.
        state: further state, as JSON values.

    Raises:
        InputError: the disk refuses the write; the checkpoint before is as it was.
    """
    described = {"schema": SCHEMA, "version": VERSION, **state}
    held = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    with atomic_file(path) as part:
        safetensors.torch.save_file(held, part, metadata={"state": json.dumps(described)})


def read_checkpoint(
    path: Path, *, stage: str, expected: Mapping[str, Tensor], optional: Mapping[str, Tensor]
) -> Checkpoint:
    """Read a checkpoint. Size and header are checked first, so that no unexpected tensor is read.

    Args:
        path: the file.
        stage: stage that the checkpoint must belong to.
        expected: name → tensor with the shape and type of a required one.
        optional: name → tensor with the shape and type of an optional one.

    Returns:
        State of the training, and name → tensor on the CPU.

    Raises:
        InputError: the file is missing, damaged, too large, of another stage or schema, or of other tensors.
    """
    known = {**expected, **optional}
    most = sum(each.numel() * each.element_size() for each in known.values()) + _SLACK
    missing = "no such checkpoint; start anew without --resume."
    input_file(path, "checkpoint of this training", largest=most, missing=missing)
    try:
        with safetensors.safe_open(path, "pt") as file:
            state = _state_of(path, (file.metadata() or {}).get("state", "{}"), stage)
            names = list(file.keys())
            _check_names(path, names, expected, known)
            for name in names:
                _check_tensor(path, name, file.get_slice(name), known[name])
            return Checkpoint(state, {name: file.get_tensor(name) for name in names})
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({error}); start anew without --resume.") from error


class TrainingState(BaseModel):
    """Counters of a checkpoint.

    Attributes:
        schema_: of the file.
        version: of the file.
        stage: that it belongs to.
        step: steps that are done.
        seconds: that they took.
        extra: what the stage keeps besides; it checks that itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: Literal["metalens.checkpoint"] = Field(alias="schema")
    version: Annotated[Literal[2], WHOLE]
    stage: str = Field(max_length=200)
    step: int = Field(ge=0, le=10**12)
    seconds: float = Field(ge=0, le=1e12, allow_inf_nan=False)
    extra: dict[str, Any]


def _state_of(path: Path, text: str, stage: str) -> TrainingState:
    state = parse_record(text, TrainingState, "checkpoint", "start anew without --resume", origin=str(path))
    if state.stage != stage:
        raise InputError(f"{path}: is a checkpoint of {state.stage!r}, expected {stage!r}.")
    return state


def _check_names(path: Path, names: list[str], expected: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> None:
    odd = sorted((set(expected) - set(names)) | (set(names) - set(known)))
    if odd:
        raise InputError(f"{path}: does not fit this model ({odd[0]}); start anew in another folder.")


def _check_tensor(path: Path, name: str, found: Any, wanted: Tensor) -> None:
    shape, kind = tuple(found.get_shape()), found.get_dtype()
    if shape != tuple(wanted.shape) or kind != _NAMES.get(wanted.dtype):
        raise InputError(
            f"{path}: does not fit this model ({name} is {kind} {shape}, expected {_NAMES.get(wanted.dtype)} "
            f"{tuple(wanted.shape)}); start anew in another folder."
        )
