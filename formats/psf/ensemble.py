"""A folder of banks of one camera with random errors: a ``psf.h5`` for each drawn lens.

``ensemble.json`` lists the members with their errors and SHA-256, so that other files are not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metalens.formats.files.atomic import write_text
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file, is_folder
from metalens.formats.files.json_file import read_record
from metalens.formats.files.linked_file import file_sha256
from metalens.formats.files.schema_version import WHOLE
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank

SCHEMA = "metalens.psf_ensemble"
VERSION = 1
MANIFEST = "ensemble.json"
SETTINGS = "settings.json"
"""What was asked, there from the beginning; the manifest is there when all banks are."""

_HASH = r"^[0-9a-f]{64}$"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class EnsembleMember(_Record):
    """One drawn lens.

    Attributes:
        file: its bank, in the folder.
        sha256: of the file.
        lens_hash: of the drawn camera.
        draw: its number; the errors follow from it and the ensemble's seed.
        errors: in the units of their names.
    """

    file: str = Field(max_length=64)
    sha256: str = Field(pattern=_HASH)
    lens_hash: str = Field(pattern=_HASH)
    draw: int = Field(ge=0)
    errors: dict[str, float]

    @model_validator(mode="after")
    def _in_the_folder(self) -> EnsembleMember:
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]*\.h5", self.file):
            raise ValueError(f"file {self.file!r} is no plain name of an .h5 file in the folder")
        return self


class EnsembleManifest(_Record):
    """Content of a folder of drawn lenses.

    Attributes:
        camera_name: of the camera.
        lens_hash: of the camera without the draws' errors.
        seed: of the draws.
        members: the drawn lenses, at least one.
        versions: of the packages that decide the content.
    """

    schema_: Literal["metalens.psf_ensemble"] = Field(default="metalens.psf_ensemble", alias="schema")
    version: Annotated[Literal[1], WHOLE] = 1
    camera_name: str
    lens_hash: str = Field(pattern=_HASH)
    seed: int = Field(ge=0, lt=2**63)
    members: tuple[EnsembleMember, ...] = Field(min_length=1, max_length=100_000)
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _each_once(self) -> EnsembleManifest:
        if len({member.file for member in self.members}) < len(self.members):
            raise ValueError("two members share one file")
        return self


@dataclass(frozen=True)
class PsfEnsemble:
    """An ensemble on disk; its banks are read when they are asked for.

    Attributes:
        folder: where it lies.
        manifest: what it holds.
        digest: SHA-256 of the manifest's content, which covers that of all banks.
    """

    folder: Path
    manifest: EnsembleManifest
    digest: str

    def __len__(self) -> int:
        return len(self.manifest.members)

    def bank(self, number: int) -> PsfBank:
        """The bank of a member.

        Raises:
            InputError: its file is missing, has changed, or is no bank of that lens.
        """
        path = self.path(number)
        bank = read_psf_bank(path)
        if bank.camera.hash != self.manifest.members[number].lens_hash:
            raise InputError(f"{path}: holds another lens than {MANIFEST} says; make the ensemble again.")
        return bank

    def path(self, number: int) -> Path:
        """The file of a member, which is the one that was written.

        Raises:
            InputError: it is missing or has changed.
        """
        member = self.manifest.members[number]
        path = self.folder / member.file
        if not is_file(path) or path.is_symlink():
            raise InputError(f"{path}: is missing or no plain file; make the ensemble again.")
        if file_sha256(path) != member.sha256:
            raise InputError(f"{path}: is not the file that {MANIFEST} names; make the ensemble again.")
        return path


def write_ensemble_manifest(folder: Path, manifest: EnsembleManifest) -> None:
    """Write ``ensemble.json`` last: without it the folder is incomplete.

    Args:
        folder: of the ensemble.
        manifest: its content.

    Raises:
        InputError: the disk cannot be written.
    """
    write_text(folder / MANIFEST, manifest.model_dump_json(by_alias=True, indent=1) + "\n")


def read_psf_ensemble(folder: str | os.PathLike[str]) -> PsfEnsemble:
    """Open an ensemble.

    Raises:
        InputError: there is none, it is not finished, or its manifest is damaged or of another version.
    """
    target = Path(folder)
    path = target / MANIFEST
    if not is_folder(target) or not path.is_file():
        raise InputError(
            f"{folder}: has no {MANIFEST}; give a folder that `metalens tolerance --ensemble` has finished."
        )
    manifest = read_record(path, EnsembleManifest, "manifest of an ensemble", "make the ensemble again")
    canonical = json.dumps(manifest.model_dump(by_alias=True), sort_keys=True)
    return PsfEnsemble(target, manifest, hashlib.sha256(canonical.encode()).hexdigest())
