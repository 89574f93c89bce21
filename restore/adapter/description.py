"""``adapter.json``: what an adapter is, as a record; of its training only what others read is checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.schema_version import WHOLE

SCHEMA = "metalens.adapter"
VERSION = 1


class _Kept(BaseModel):
    """Keys that are not named are kept: files of later versions have more."""

    model_config = ConfigDict(extra="allow", frozen=True)


class PriorDescription(_Kept):
    """The prior that an adapter was trained on."""

    name: str = Field(min_length=1, max_length=4096)
    identity: str = Field(min_length=1, max_length=200)


class TrainingDescription(_Kept):
    """How an adapter was trained."""

    pairs: list[dict[str, Any]] = []
    pseudo: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    pairs_before: list[dict[str, Any]] = []
    loss_before: dict[str, Any] | None = None


class AdapterDescription(_Kept):
    """Description of an adapter, as ``adapter.json`` holds it."""

    schema_: Literal["metalens.adapter"] = Field(alias="schema")
    version: Annotated[Literal[1], WHOLE]
    config: dict[str, Any]
    prior: PriorDescription
    lens_hash: str
    lens_toml: str
    quality_metric: str
    training: TrainingDescription = TrainingDescription()
