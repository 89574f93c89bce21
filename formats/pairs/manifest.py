"""Content of a folder of pairs: manifest, shards and their markers of completion, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import require_folder
from metalens.formats.files.json_file import read_record
from metalens.formats.files.linked_file import file_sha256
from metalens.formats.files.schema_version import WHOLE
from metalens.formats.pairs.photograph_split import Split

SCHEMA = "metalens.pairs"
VERSION = 2
MANIFEST = "manifest.json"
LARGEST_JSON = 2**28
REMEDY = "make the pairs again"
MOST_SHARDS = 10**5
"""Files of a folder."""

Kind = Literal["simulated", "pseudo", "captured", "mixed"]

_HASH = r"^[0-9a-f]{64}$"

_Name = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
"""Name of a photograph or a camera; files are named after it."""

_Remark = Annotated[str, Field(max_length=100_000)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PairsSource(_Record):
    """A photograph or capture that samples were made from.

    Attributes:
        name: for people; two sources may have the same.
        licence: the terms it comes under; empty when unknown.
        credit: who to name; empty when unknown.
        sha256: of the file.
        look: :func:`metalens.formats.pairs.photograph_split.look_of` it; empty when unknown.
        thumbnail: :func:`metalens.formats.pairs.thumbnail.thumbnail_of` it; empty when unknown.
        split: whether its samples train or validate.
    """

    name: _Name
    licence: _Remark = ""
    credit: _Remark = ""
    sha256: str = Field(pattern=_HASH)
    look: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    thumbnail: str = Field(default="", max_length=4096, pattern=r"^[A-Za-z0-9+/]*={0,2}$")
    split: Split = "train"


class PairsCamera(_Record):
    """A camera that samples were made by.

    Attributes:
        name: the camera's name.
        lens_hash: the camera's hash; see :attr:`metalens.formats.camera.camera.Camera.hash`.
        design_hash: of the camera that it was drawn from, as one of an ensemble; empty if it is no draw.
        sensor: rows, columns of its sensor, on which the samples' positions count.
        psf_hash: SHA-256 of the point spread functions; empty where there were none.
        provenance: what the bank says about itself.
    """

    name: _Name
    lens_hash: str = Field(pattern=_HASH)
    design_hash: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    sensor: tuple[int, int]
    psf_hash: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    provenance: dict[str, Any] = {}


class SkippedSource(_Record):
    """A photograph that could not be used, and why."""

    name: _Name
    reason: _Remark


class LostSource(_Record):
    """A photograph that could not be read any more in the middle of a run.

    Shards that were finished by then hold samples of it; in the others, others stand in for it.
    """

    source: int = Field(ge=0)
    reason: _Remark


class PairsPart(_Record):
    """What a merged folder was made of."""

    name: _Name
    kind: Kind
    count: int = Field(ge=1)
    seed: int
    config: dict[str, Any] = {}
    versions: dict[str, str] = {}


class PairsManifest(_Record):
    """What a folder of pairs holds, decided before the first sample is made.

    Attributes:
        kind: ``simulated`` from photographs and a camera, ``pseudo``: a restorer's output and its own target,
            ``captured`` by a camera, or ``mixed``, merged from several kinds.
        count: samples in all.
        shard_size: samples in every shard but the last.
        pixels: rows, columns of every picture.
        seed: of the random numbers.
        cameras: what made the samples.
        config: the settings that made the pairs.
        sources: the photographs that were used.
        skipped: the photographs that could not be used.
        lost: the photographs that were lost while the pairs were made; the only thing in a manifest that can change.
        parts: of a merged folder, the folders.
        versions: of the packages that decide the content.
    """

    schema_: Literal["metalens.pairs"] = Field(default="metalens.pairs", alias="schema")
    version: Annotated[Literal[2], WHOLE] = 2
    kind: Kind
    count: int = Field(ge=1, le=10**9)
    shard_size: int = Field(ge=1, le=10**6)
    pixels: tuple[int, int]
    seed: int = Field(ge=0, lt=2**63)
    cameras: tuple[PairsCamera, ...] = Field(min_length=1)
    config: dict[str, Any] = {}
    sources: tuple[PairsSource, ...] = Field(min_length=1)
    skipped: tuple[SkippedSource, ...] = ()
    lost: tuple[LostSource, ...] = ()
    parts: tuple[PairsPart, ...] = ()
    versions: dict[str, str] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _fit(self) -> PairsManifest:
        for pixels in (self.pixels, *(camera.sensor for camera in self.cameras)):
            if min(pixels) < 1 or max(pixels) > 65_536:
                raise ValueError(f"pixels {list(pixels)} must lie between 1 and 65536 on each side")
        for camera in self.cameras:
            if self.pixels[0] > camera.sensor[0] or self.pixels[1] > camera.sensor[1]:
                raise ValueError(f"pixels {list(self.pixels)} are more than the sensor's {list(camera.sensor)}")
        if -(-self.count // self.shard_size) > MOST_SHARDS:
            raise ValueError(f"{self.count} samples in shards of {self.shard_size} are more than {MOST_SHARDS} files")
        if any(lost.source >= len(self.sources) for lost in self.lost):
            raise ValueError("a lost source is none of the sources")
        return self

    @property
    def shards(self) -> list[Shard]:
        """The shards that make up the folder."""
        return [
            Shard(index, first, min(self.shard_size, self.count - first))
            for index, first in enumerate(range(0, self.count, self.shard_size))
        ]

    @property
    def camera_names(self) -> str:
        """The cameras' names, each once, for people."""
        return ", ".join(dict.fromkeys(camera.name for camera in self.cameras))

    @property
    def lens_hashes(self) -> list[str]:
        """The hashes of the cameras, or of those that they were drawn from, each once, sorted."""
        return sorted({camera.design_hash or camera.lens_hash for camera in self.cameras})


class ShardMarker(_Record):
    """The JSON beside a finished shard."""

    schema_: Literal["metalens.pairs.shard"] = Field(default="metalens.pairs.shard", alias="schema")
    version: Annotated[Literal[2], WHOLE] = 2
    count: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=_HASH)

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


def read_manifest(folder: Path) -> PairsManifest:
    """Read the manifest of a folder of pairs.

    Raises:
        InputError: there is no such folder or manifest, or it is of another schema or version.
    """
    require_folder(folder, "give a folder that `metalens synth` wrote")
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: has no {MANIFEST}; give a folder that `metalens synth` wrote.")
    return read_record(path, PairsManifest, "manifest of pairs", REMEDY, largest=LARGEST_JSON)


def read_marker(path: Path) -> ShardMarker:
    """Read the JSON beside a finished shard.

    Raises:
        InputError: it is missing, or is not one.
    """
    return read_record(path, ShardMarker, "marker of a shard", REMEDY, largest=LARGEST_JSON)


def damage_of(folder: Path, shard: Shard) -> str | None:
    """Check a shard completely, pictures included.

    Args:
        folder: of the pairs.
        shard: the shard.

    Returns:
        What is wrong with it; ``None`` if it is complete and agrees with its marker.
    """
    path = folder / shard.name
    if not path.is_file() or not (folder / shard.marker).is_file():
        return "it is not finished" if not (folder / shard.marker).is_file() else "it is gone, its marker is there"
    try:
        marker = read_marker(folder / shard.marker)
        size = path.stat().st_size
        if marker.count != shard.count or marker.bytes != size:
            return f"{size} bytes, its marker says {marker.bytes} for {marker.count} samples"
        if file_sha256(path) != marker.sha256:
            return "its checksum is not that of its marker, the file was changed or damaged"
    except (InputError, OSError) as error:
        return f"it cannot be read ({error})"
    return None


def is_finished(folder: Path, shard: Shard) -> bool:
    """Whether a shard is complete and agrees with its marker; reads all of it.

    Args:
        folder: of the pairs.
        shard: the shard.

    Returns:
        True if nothing is wrong with it.
    """
    return damage_of(folder, shard) is None
