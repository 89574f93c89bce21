"""What a folder of pairs holds: its manifest, its shards and their done-markers, as JSON."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from metalens.formats.errors import InputError

SCHEMA = "metalens.pairs"
VERSION = 1
MANIFEST = "manifest.json"
LOCK = ".lock"

_MAXIMUM_JSON_BYTES = 2**28


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PairsSource(_Record):
    """A photograph or capture that samples were made from."""

    name: str
    licence: str = ""
    credit: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SkippedSource(_Record):
    """A photograph that could not be used, and why."""

    name: str
    reason: str


class PairsManifest(_Record):
    """What a folder of pairs holds, decided before the first sample is made.

    Attributes:
        kind: ``simulated`` from photographs and a camera, or ``pseudo``: a restorer's output and its own target.
        count: samples in all.
        shard_size: samples in every shard but the last.
        pixels: rows, columns of every picture.
        seed: of the random numbers.
        camera_name: the camera's name.
        lens_hash: the camera's hash; see :attr:`metalens.formats.camera.Camera.hash`.
        config: the settings that made the pairs.
        sources: the photographs that were used.
        skipped: the photographs that could not be used.
        versions: of the packages that decide the content.
    """

    schema_: Literal["metalens.pairs"] = Field(default="metalens.pairs", alias="schema")
    version: Literal[1] = 1
    kind: Literal["simulated", "pseudo"]
    count: int = Field(ge=1, le=10**9)
    shard_size: int = Field(ge=1, le=10**6)
    pixels: tuple[int, int]
    seed: int = Field(ge=0, lt=2**63)
    camera_name: str
    lens_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    config: dict[str, Any] = {}
    sources: tuple[PairsSource, ...]
    skipped: tuple[SkippedSource, ...] = ()
    versions: dict[str, str] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _fit(self) -> PairsManifest:
        if min(self.pixels) < 1 or max(self.pixels) > 65_536:
            raise ValueError(f"pixels {list(self.pixels)} must lie between 1 and 65536 on each side")
        return self

    @property
    def shards(self) -> list[Shard]:
        """The shards that make up the folder."""
        return [
            Shard(index, first, min(self.shard_size, self.count - first))
            for index, first in enumerate(range(0, self.count, self.shard_size))
        ]


class ShardMarker(_Record):
    """The JSON beside a finished shard."""

    schema_: Literal["metalens.pairs.shard"] = Field(default="metalens.pairs.shard", alias="schema")
    version: Literal[1] = 1
    count: int
    bytes: int
    sha256: str

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True)
class Shard:
    """A run of samples that are stored in one file."""

    index: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """File name of the shard."""
        return f"shard-{self.index:05d}.h5"

    @property
    def marker(self) -> str:
        """File name of its done-marker."""
        return f"shard-{self.index:05d}.json"


class PairSample(NamedTuple):
    """One pair.

    Attributes:
        clean: ``[y, x, 3]`` uint8 sRGB.
        degraded: ``[y, x, 3]`` uint8 sRGB.
        source: position of its photograph in the manifest's ``sources``.
        seed: that made this sample.
    """

    clean: np.ndarray
    degraded: np.ndarray
    source: int
    seed: int


RecordType = TypeVar("RecordType", bound=BaseModel)


def read_json(path: Path, model: type[RecordType]) -> RecordType:
    """Read a JSON file as a record.

    Raises:
        InputError: the file is missing, far too large, or does not describe such a record.
    """
    try:
        if path.stat().st_size > _MAXIMUM_JSON_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes, far more than such a file holds; refused.")
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error.strerror}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path}: not what this metalens writes ({place or 'content'}: {first['msg']}, "
            f"found {str(first['input'])[:80]!r}); make the pairs again."
        ) from error


def read_manifest(folder: Path) -> PairsManifest:
    """Read the manifest of a folder of pairs.

    Raises:
        InputError: there is no such folder or manifest, or it is of another schema or version.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder that `metalens synth` wrote.")
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: has no {MANIFEST}; give a folder that `metalens synth` wrote.")
    return read_json(path, PairsManifest)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_finished(folder: Path, shard: Shard) -> bool:
    """Tell whether a shard is there, whole and as its marker describes it; reads all of it."""
    try:
        marker = read_json(folder / shard.marker, ShardMarker)
        path = folder / shard.name
        return marker.count == shard.count and path.stat().st_size == marker.bytes and _sha256(path) == marker.sha256
    except (InputError, OSError):
        return False
