"""The ``[lens.structure]`` and ``[lens.radial_geometry]`` tables of ``lens.toml``: the meta-atoms of a lens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from metalens.formats.camera.structure import LARGEST_SIDE, Structure, read_structure
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file
from metalens.formats.files.linked_file import Digest, FileName, LinkingTable, below_the_folder, checked_sha256
from metalens.formats.files.record import Nanometres
from metalens.formats.meta_atoms.library import library_path, shipped_libraries

FITTED_LIBRARIES = ("nano-optics-proxy",)
"""Libraries that come with the package as a formula, without a file."""

LARGEST_FILE = 2**32
"""Bytes of a structure.h5: 32768² numbers of 16 bits, and as much again."""


class _LibraryTable(LinkingTable):
    """A table that may name a library."""

    def _library(self, name: str, recorded: str | None, table: str) -> str | Path:
        """The name of a library that comes with the package, or the place of one's file; the right one."""
        shipped = name in (*FITTED_LIBRARIES, *shipped_libraries())
        source = name if shipped else self._place(table, name)
        _library_digest(source, recorded, f"the SHA-256 that {table} records")
        return source


class StructureTable(_LibraryTable):
    """A meta-atom at each site, from a ``structure.h5``; the library says what they do to light."""

    file: FileName = Field(description="structure.h5, in the lens.toml's folder")
    sha256: Digest | None = Field(default=None, description="of the file; set when it is read")
    library: FileName | None = Field(default=None, description="a name or a file; None is the one the structure names")
    library_sha256: Digest | None = Field(default=None, description="of the library's file; set when it is read")

    def in_folder(self, folder: Path) -> StructureTable:
        """The same table with its files found in ``folder``, and their SHA-256 in the record.

        Raises:
            InputError: a file is missing, or not the one whose SHA-256 is recorded.
        """
        found: dict[str, Any] = {"sha256": _digest(folder / self.file, self.sha256, "lens.structure.sha256")}
        if self.library is not None:
            found["library_sha256"] = _library_digest(
                _in_folder(folder, self.library), self.library_sha256, "lens.structure.library_sha256"
            )
        table = self.model_copy(update=found)
        table._folder = folder
        return table

    def structure(self) -> Structure:
        """The structure itself.

        Raises:
            InputError: the camera was not read from a file, or the structure cannot be read or has changed since.
        """
        path = self._place("lens.structure", self.file)
        _digest(path, self.sha256, "lens.structure.sha256")
        return read_structure(path)

    def library_source(self, structure: Structure) -> str | Path:
        """The name of a library that comes with the package, or the place of one's file.

        Raises:
            InputError: the structure names no library and the table neither, or the file is missing or another one.
        """
        name = self.library or structure.library_name
        if not name:
            raise InputError(
                f"{self.file}: names no library that tells what its meta-atoms do to light; add the key library to "
                "[lens.structure]."
            )
        try:
            below_the_folder(name)
        except ValueError as error:
            raise InputError(f"{self.file}: its library {error}.") from error
        recorded = self.library_sha256 if self.library else structure.library_sha256 or None
        return self._library(name, recorded, "lens.structure")


class RadialGeometryTable(_LibraryTable):
    """Meta-atoms whose geometry depends on the distance from the centre alone."""

    library: FileName = Field(description="a name, or a file in the lens.toml's folder")
    sha256: Digest | None = Field(default=None, description="of the library's file; set when it is read")
    spacing_nm: Nanometres = Field(description="between the control points, the first at the centre")
    geometry_nm: tuple[Nanometres, ...] = Field(min_length=2, max_length=LARGEST_SIDE)
    interpolation: Literal["nearest", "linear"] | None = Field(default=None, description="None is nearest: flat rings")

    def in_folder(self, folder: Path) -> RadialGeometryTable:
        """The same table with its library found in ``folder``, and the SHA-256 of its file in the record.

        Raises:
            InputError: the library is missing, or not the one whose SHA-256 is recorded.
        """
        digest = _library_digest(_in_folder(folder, self.library), self.sha256, "lens.radial_geometry.sha256")
        table = self.model_copy(update={"sha256": digest})
        table._folder = folder
        return table

    def library_source(self) -> str | Path:
        """The name of a library that comes with the package, or the place of one's file.

        Raises:
            InputError: the camera was not read from a file, or the library has changed since.
        """
        return self._library(self.library, self.sha256, "lens.radial_geometry")


def _library_digest(source: str | Path, recorded: str | None, key: str) -> str | None:
    """SHA-256 of a library; None of a formula."""
    if source in FITTED_LIBRARIES:
        return None
    if isinstance(source, Path) and not is_file(source):
        raise InputError(
            f"{source}: no such library beside the lens.toml, and none of this name comes with the package; copy it "
            f"there, or name one of {', '.join((*shipped_libraries(), *FITTED_LIBRARIES))}."
        )
    return checked_sha256(library_path(source), recorded, key)


def _in_folder(folder: Path, name: str) -> str | Path:
    return name if name in (*FITTED_LIBRARIES, *shipped_libraries()) else folder / name


def _digest(path: Path, recorded: str | None, key: str) -> str:
    if not is_file(path):
        raise InputError(f"{path}: no such file; it lies beside its lens.toml, at the name in the table.")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path}: {path.stat().st_size} bytes is more than such a file may have, {LARGEST_FILE}.")
    return checked_sha256(path, recorded, key)
