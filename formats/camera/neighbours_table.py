"""The ``[lens.neighbours]`` table of ``lens.toml``: what supercells find otherwise than a library says."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file
from metalens.formats.files.linked_file import Digest, FileName, LinkingTable, checked_sha256
from metalens.formats.meta_atoms.verification import Verification, read_verification


class NeighboursTable(LinkingTable):
    """A correction of the meta-atoms' transmission by their neighbours, made by ``metalens verify``."""

    file: FileName = Field(description="verification.json, in the lens.toml's folder or below")
    sha256: Digest | None = Field(default=None, description="of the file; set when it is read")
    veil: bool | None = Field(default=None, description="whether light of other orders is added; None is true")

    def in_folder(self, folder: Path) -> NeighboursTable:
        """The same table with its file found in ``folder``, and its SHA-256 in the record.

        Raises:
            InputError: the file is missing, or not the one whose SHA-256 is recorded.
        """
        path = folder / self.file
        if not is_file(path):
            raise InputError(f"{path}: no such verification beside the lens.toml; make it with `metalens verify`.")
        digest = checked_sha256(path, self.sha256, "lens.neighbours.sha256")
        table = self.model_copy(update={"sha256": digest})
        table._folder = folder
        return table

    def verification(self) -> Verification:
        """The verification itself.

        Raises:
            InputError: the camera was not read from a file, or the verification cannot be read or has changed since.
        """
        path = self._place("lens.neighbours", self.file)
        checked_sha256(path, self.sha256, "lens.neighbours.sha256")
        return read_verification(path)
