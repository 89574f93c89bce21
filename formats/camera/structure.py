"""``structure.h5``: the meta-atom at each site of a lens, as it is to be fabricated.

The sites of a lattice lie in rows around the lens' centre. With R rows and C columns and the pitch p, the site
(row, column) lies at

- square: y = (row − (R − 1)/2)·p, x = (column − (C − 1)/2)·p;
- hexagonal: y = (row − (R − 1)/2)·p·√3/2, x = (column − (C − 1)/2)·p − p/4 in even rows, + p/4 in odd ones. Odd rows
  so lie half a pitch to the right of even ones, every site has six neighbours at the distance p, and the mean of all
  sites of an even and an odd row is 0.

Row 0 is at the top, y points down, x points right.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any, get_args

import h5py
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, provenance_of, read_array, written_file
from metalens.formats.meta_atoms.families import checked_families, geometry_problem, one_of, told_shapes
from metalens.formats.meta_atoms.family_file import read_families, write_families
from metalens.formats.meta_atoms.library import Lattice
from metalens.formats.meta_atoms.shapes import MIXED, Family, Kind, Shape, parameters_of

SCHEMA = "metalens.structure"
VERSION, TURNED_VERSION, FAMILY_VERSION = 1, 2, 3
"""Versions of a file; the second of one whose meta-atoms are turned one by one, the third of one with families that
are turned, polygons or several: programs that do not know these must not read it.
"""

TURNABLE: tuple[Shape, ...] = ("rectangular_pillar", "elliptical_pillar", "h_pillar")
"""Shapes that may be turned at each site: half a turn leaves them as they are, and a quarter turn does not."""

EMPTY = 65535
"""The index of a site without a meta-atom."""

LARGEST_SIDE = 32_768
"""Sites: 11 mm at a pitch of 350 nm, and 2 GB."""

LONGEST_TEXT = 255

_TEXTS = ("name", "lattice", "shape", "library_name", "library_sha256", "material", "substrate")
_LENGTHS = ("pitch", "height")


@dataclass(frozen=True)
class AtomKind:
    """Properties common to all meta-atoms of a lens.

    Attributes:
        shape: of all meta-atoms; ``"mixed"`` of several families.
        height: of all meta-atoms in metres.
        material: of the meta-atoms, or of the layer that holds the holes.
        substrate: material of the substrate.
        library_name: the library that the meta-atoms were chosen from: a shipped one's name, or a file's.
        library_sha256: of that library; empty where it has none.
        families: shape, turn and vertices of the meta-atoms; none of upright ones of one shape.
    """

    shape: Kind
    height: float
    material: str = ""
    substrate: str = ""
    library_name: str = ""
    library_sha256: str = ""
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Structure(AtomKind):
    """A meta-atom of a table at each site of a lattice.

    Attributes:
        lattice: ``"square"`` or ``"hexagonal"``.
        pitch: distance between neighbouring sites in metres.
        site_index: ``[row, column]`` uint16, the row of ``geometry`` at each site; :data:`EMPTY` where there is no
            meta-atom: outside the aperture, or missing.
        geometry: ``[atom, parameter]`` float64, lengths of the meta-atoms seen from above, in metres.
        parameter_names: what those lengths are, as ``metalens.formats.meta_atoms.library.PARAMETERS`` has them by
            shape, such as ``("diameter",)``.
        rotation: ``[atom]`` float64, the angle in radians by which each meta-atom is turned from x towards y, 0 to π;
            None where all stand upright.
        family: ``[atom]`` number of each one's family; None unless there are several.
        name: of the structure.
        provenance: what made it, as text.
    """

    lattice: Lattice
    pitch: float
    site_index: np.ndarray
    geometry: np.ndarray
    parameter_names: tuple[str, ...]
    rotation: np.ndarray | None = None
    family: np.ndarray | None = None
    name: str = "structure"
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, words in (("lattice", get_args(Lattice)), ("shape", (*get_args(Shape), MIXED))):
            if getattr(self, name) not in words:
                raise InputError(
                    f"structure: {name} {getattr(self, name)!r} is not known; one of {', '.join(words)} was expected."
                )
        object.__setattr__(self, "families", checked_families(self, "structure"))
        for name in _LENGTHS:
            length = getattr(self, name)
            if not (math.isfinite(length) and 1e-9 <= length <= 1e-3):
                raise InputError(f"structure: {name} {length:g} m is out of range; 1e-9 to 1e-3 m was expected.")
        for name in _TEXTS:
            if not getattr(self, name).isprintable() or len(getattr(self, name)) > LONGEST_TEXT:
                raise InputError(
                    f"structure: {name} must be one line of at most {LONGEST_TEXT} characters; shorten it."
                )
        _check_sites(self.site_index)
        self._check_geometry()
        self._check_rotation()
        self._check_index()

    def _check_geometry(self) -> None:
        expected, table = parameters_of(self.shape), self.geometry
        if self.parameter_names != expected:
            raise InputError(
                f"structure: parameter_names {list(self.parameter_names)} do not fit {one_of(self.shape)}, "
                f"{list(expected)} was expected."
            )
        if table.ndim != 2 or not 1 <= len(table) <= EMPTY or table.shape[1] != len(expected):
            raise InputError(
                f"structure: geometry has the shape {table.shape}, expected [atom, {', '.join(expected)}] with 1 to "
                f"{EMPTY} atoms."
            )
        # Those of a mixed geometry that a shape does not have are 0.
        positive = table >= 0 if self.shape == MIXED else table > 0
        if table.dtype != np.float64 or not (positive & (table <= self.pitch * (1 + 1e-9))).all():
            raise InputError(
                f"structure: geometry must hold float64 lengths above 0 and up to the pitch of {1e9 * self.pitch:g} "
                f"nm, found {table.dtype} from {1e9 * float(table.min()):g} to {1e9 * float(table.max()):g} nm; "
                "give metres."
            )
        problem = geometry_problem(self)
        if problem is not None:
            raise InputError(f"structure: {problem}.")

    def _check_rotation(self) -> None:
        angles = self.rotation
        if angles is None:
            return
        if self.shape not in TURNABLE or self.families:
            raise InputError(
                f"structure: {told_shapes(self)} are not turned at each site, and rotation was given; only upright "
                f"{', '.join(TURNABLE)}s may be."
            )
        if angles.shape != self.geometry.shape[:1] or angles.dtype != np.float64:
            raise InputError(
                f"structure: rotation has the shape {angles.shape} of {angles.dtype}, expected float64, one angle for "
                f"each of {len(self.geometry)} meta-atoms."
            )
        if not ((angles >= 0) & (angles < np.pi)).all():
            raise InputError(
                "structure: rotation must hold angles from 0 to less than π in radians; half a turn leaves a meta-atom "
                "as it is."
            )

    def _check_index(self) -> None:
        # A block of rows at a time: no copy of millions of sites.
        for start in range(0, len(self.site_index), 512):
            block = self.site_index[start : start + 512]
            wrong = (block >= len(self.geometry)) & (block != EMPTY)
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                raise InputError(
                    f"structure: site [{start + row}, {column}] asks for meta-atom {block[row, column]} of "
                    f"{len(self.geometry)}; correct its index, or add the meta-atom to geometry."
                )

    @property
    def row_pitch(self) -> float:
        """Distance between rows in metres."""
        return row_pitch_of(self.lattice, self.pitch)

    def positions(self, rows: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Where the sites of some rows lie.

        Returns:
            y ``[row, 1]`` and x ``[row, column]`` in metres from the lens' centre; not to be written to.
        """
        count, across = self.site_index.shape
        return site_positions(self.lattice, self.pitch, (count, across), np.arange(count)[rows])

    def counts(self) -> np.ndarray:
        """How many sites hold each meta-atom, ``[atom]``."""
        total = np.zeros(EMPTY + 1, dtype=np.int64)
        for start in range(0, len(self.site_index), 512):
            total += np.bincount(self.site_index[start : start + 512].ravel(), minlength=EMPTY + 1)
        return total[: len(self.geometry)]


def row_pitch_of(lattice: Lattice, pitch: float) -> float:
    """Distance between the rows of a lattice.

    Args:
        lattice: ``square`` or ``hexagonal``.
        pitch: distance of neighbouring sites.

    Returns:
        In the unit of the pitch: √3/2 of it for the hexagonal lattice.
    """
    return pitch * (math.sqrt(0.75) if lattice == "hexagonal" else 1.0)


def site_positions(
    lattice: Lattice, pitch: float, size: tuple[int, int], row: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the sites of rows lie.

    Args:
        lattice: of the sites.
        pitch: distance between neighbours in metres.
        size: rows and columns of the whole lattice.
        row: ``[row]`` numbers of the rows that are asked for.

    Returns:
        y ``[row, 1]`` and x ``[row, column]`` in metres from the lattice's centre; not to be written to.
    """
    y = (row - 0.5 * (size[0] - 1))[:, None] * row_pitch_of(lattice, pitch)
    x = (np.arange(size[1]) - 0.5 * (size[1] - 1))[None, :] * pitch
    if lattice == "hexagonal":
        x = x + np.where(row % 2 == 1, 0.25, -0.25)[:, None] * pitch
    return y, np.broadcast_to(x, (len(row), size[1]))


def _check_sites(site_index: np.ndarray) -> None:
    if site_index.dtype != np.uint16:
        raise InputError(f"structure: site_index holds {site_index.dtype}, uint16 was expected.")
    _check_size(site_index.shape)


def _check_size(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or not 1 <= min(shape) <= max(shape) <= LARGEST_SIDE:
        raise InputError(
            f"structure: site_index has the shape {tuple(shape)}, expected [row, column] with 1 to {LARGEST_SIDE} "
            "sites a side."
        )


def write_structure(path: str | os.PathLike[str], structure: Structure) -> None:
    """Write a structure as HDF5; the file appears whole or not at all, and equal structures make equal bytes.

    Args:
        path: of the file.
        structure: the structure.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    version = FAMILY_VERSION if structure.families else VERSION if structure.rotation is None else TURNED_VERSION
    with written_file(path, SCHEMA, version, structure.provenance) as file:
        for name in (*_TEXTS, *_LENGTHS):
            file.attrs[name] = getattr(structure, name)
        file.attrs["parameter_names"] = ",".join(structure.parameter_names)
        if structure.families:
            write_families(file, structure)
        file.create_dataset("geometry", data=structure.geometry, track_times=False)
        if structure.rotation is not None:
            file.create_dataset("rotation", data=structure.rotation, track_times=False)
        file.create_dataset(
            "site_index", data=structure.site_index, compression="gzip", shuffle=True, track_times=False
        )


def read_structure(path: str | os.PathLike[str]) -> Structure:
    """Read and check a structure.

    Raises:
        InputError: the file is missing, damaged, hostile, of another schema or version, or inconsistent.
    """
    with open_guarded(path, SCHEMA, (VERSION, TURNED_VERSION, FAMILY_VERSION)) as file:
        content: dict[str, Any] = {name: _text(file, name) for name in _TEXTS}
        content |= {name: float(file.attrs[name]) for name in _LENGTHS}
        content["parameter_names"] = tuple(_text(file, "parameter_names").split(","))
        content["provenance"] = provenance_of(file)
        parameters = len(content["parameter_names"])
        # The index of a site has 16 bits.
        content["geometry"] = read_array(
            file, "geometry", dtype=np.float64, shape=(None, parameters), most=2**16 * parameters
        )
        if file.attrs["version"] == TURNED_VERSION:
            content["rotation"] = read_array(file, "rotation", dtype=np.float64, shape=(len(content["geometry"]),))
        if file.attrs["version"] == FAMILY_VERSION:
            content["families"], content["family"] = read_families(file, len(content["geometry"]))
        content["site_index"] = _site_index(file)
    try:
        return Structure(**content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _text(file: h5py.File, name: str) -> str:
    found = file.attrs[name]
    if not isinstance(found, str):
        raise InputError(f"{file.filename}: {name} is {found}, a text was expected; make the file again.")
    return found


def _site_index(file: h5py.File) -> np.ndarray:
    """The sites, their type and size looked at before they are read: converting would hide a wrong number."""
    dataset = file.get("site_index")
    if isinstance(dataset, h5py.Dataset):
        try:
            if dataset.dtype != np.uint16:
                raise InputError(f"structure: site_index holds {dataset.dtype}, uint16 was expected.")
            _check_size(dataset.shape)
        except InputError as error:
            raise InputError(f"{file.filename}: {error}") from error
    return read_array(file, "site_index", dtype=np.uint16, shape=(None, None), most=LARGEST_SIDE**2)
