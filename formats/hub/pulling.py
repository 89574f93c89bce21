"""Pulls a revision from the hub into a folder: resumed where it stopped, each file checked by its checksum.

FOLDER/hub.json   written first: address with the hash of the revision, files with sizes and checksums
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from metalens.formats.files.atomic import disk_error
from metalens.formats.files.claim import claimed_folder
from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import stop_if_interrupted
from metalens.formats.files.json_file import read_record
from metalens.formats.files.schema_version import WHOLE
from metalens.formats.hub.address import HubAddress
from metalens.formats.hub.listing import SECONDS, HubFile, HubListing, hub_api, hub_errors

NOTE = "hub.json"
"""In a pulled folder: where it is from."""

_DOWNLOADS = ".cache"
"""In the folder while files are pulled: what ``huggingface_hub`` has of files that are not whole yet."""

_Hex = r"^[0-9a-f]*$"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int = Field(ge=0)
    sha256: str = Field(default="", pattern=_Hex)
    blob: str = Field(default="", pattern=_Hex)


class HubNote(BaseModel):
    """``hub.json``: a revision, as the hub listed it when it was pulled.

    Attributes:
        repository: ``user/name``.
        kind: of the repository.
        revision: hash of the commit.
        licence: as the repository's card states it for all of it; empty if it does not.
        files: name → size and checksum of each file that belongs to the folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["metalens.hub"] = Field(default="metalens.hub", alias="schema")
    version: Annotated[Literal[1], WHOLE] = 1
    repository: Annotated[str, Field(max_length=200)]
    kind: Literal["dataset", "model"]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    licence: Annotated[str, Field(max_length=1000)] = ""
    files: dict[str, _File]

    @property
    def listing(self) -> HubListing:
        """The files of the pulled revision, as the hub listed them."""
        files = {name: HubFile(**file.model_dump()) for name, file in self.files.items()}
        return HubListing(HubAddress(self.repository, self.revision), self.kind, files, self.licence)


def note_of(listing: HubListing) -> HubNote:
    """The note of a revision."""
    files = {name: _File(**vars(file)) for name, file in listing.files.items()}
    address = listing.address
    return HubNote(
        repository=address.repository,
        kind=listing.kind,
        revision=address.revision,
        licence=listing.licence[:1000],
        files=files,
    )


def read_note(folder: Path) -> HubNote:
    """Read the note of a pulled folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return read_record(folder / NOTE, HubNote, "note of a pulled folder", "pull it again")


def pull(
    listing: HubListing,
    folder: Path,
    *,
    resume: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Pull files of a revision into a folder.

    Args:
        listing: the revision, with the files that are wanted.
        folder: a new one, or with ``resume`` one whose pulling was interrupted.
        resume: go on; a file that is whole is not pulled again, and one that is not goes on where it stopped.
        progress: called with bytes that are there and bytes in all, after each file.

    Raises:
        InputError: the folder holds something else, a file is not what the hub listed, the hub does not answer, or the
            disk is full.
    """
    asked = note_of(listing).model_dump(by_alias=True)
    with claimed_folder(folder, NOTE, asked, resume=resume):
        done = 0
        for name, file in listing.files.items():
            stop_if_interrupted()
            if not file.is_whole(folder / name):
                pull_file(listing, name, folder)
            done += file.size
            progress(done, listing.size)
        shutil.rmtree(folder / _DOWNLOADS, ignore_errors=True)


def pull_file(listing: HubListing, name: str, folder: Path) -> Path:
    """Pull one file.

    Args:
        listing: its revision.
        name: of the file, one of the listing's.
        folder: where the revision is put.

    Returns:
        The file.

    Raises:
        InputError: see :func:`pull`.
    """
    api, address = hub_api(), listing.address
    with hub_errors(f"{address}: {name}", listing.kind):
        try:
            api.hf_hub_download(
                address.repository,
                name,
                repo_type=listing.kind,
                revision=address.revision,
                local_dir=folder,
                etag_timeout=SECONDS,
            )
        except OSError as error:
            # Those of the hub are errors of the operating system, too.
            if type(error).__module__ != "builtins" or (found := disk_error(error)) is None:
                raise
            raise InputError(
                f"{folder / name}: could not be written ({found.strerror or found}); free some disk space and repeat "
                "the command, a pull with --resume."
            ) from error
    if not listing.files[name].is_whole(folder / name):
        (folder / name).unlink(missing_ok=True)
        raise InputError(
            f"{address}: {name} is not what the hub lists (its size or checksum differs); it was removed; repeat the "
            "command."
        )
    return folder / name
