"""Libraries of meta-atoms from tables of other programs (CSV, HDF5, Touchstone), described by a TOML file."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from metalens.formats.files.errors import InputError
from metalens.formats.files.linked_file import FileName, file_sha256
from metalens.formats.files.record import Finite, Nanometres, Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, validated
from metalens.formats.meta_atoms.columns import ColumnMap
from metalens.formats.meta_atoms.library import AtomLibrary, Lattice, Polarisation, Side
from metalens.formats.meta_atoms.samples import Samples, read_samples, read_touchstone_samples
from metalens.formats.meta_atoms.shapes import MOST_PARAMETERS, MOST_VERTICES, PARAMETERS, Family, Shape
from metalens.formats.meta_atoms.touchstone import LARGEST_FILE

SCHEMA = "metalens.library_table"
VERSION = 1


class TouchstoneFile(Record):
    """One meta-atom's S-parameters, over frequency."""

    file: FileName = Field(description="beside the TOML file")
    geometry_nm: tuple[Nanometres, ...] = Field(min_length=1, max_length=MOST_PARAMETERS)


class TableDescription(Record):
    """Description of a table of transmissions: meta-atoms and conventions."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    shape: Shape
    vertices: tuple[tuple[Finite, Finite], ...] | None = Field(
        default=None, max_length=MOST_VERTICES, description="(x, y) of a polygon in any unit, y up"
    )
    rotation_deg: float = Field(default=0.0, ge=-360, le=360, allow_inf_nan=False, description="anticlockwise, y up")
    lattice: Lattice
    pitch_nm: Nanometres
    height_nm: Nanometres
    material: str = Field(min_length=1, max_length=200)
    substrate: str = Field(min_length=1, max_length=200)
    surrounding: str = Field(default="1", min_length=1, max_length=200)
    comes_from: Side = "substrate"
    time_dependence: Literal["exp(-iwt)", "exp(+iwt)"] = Field(description="of the solver; exp(+jωt) is exp(+iwt)")
    normalisation: Literal["power", "field"] = Field(
        description="|t|² is a share of power, or t one of electric fields"
    )
    substrate_index: Positive | None = None
    surrounding_index: Positive | None = None
    before_nm: Finite = Field(default=0.0, description="from the incident reference plane to the meta-atoms")
    behind_nm: Finite = Field(default=0.0, description="from the meta-atoms to the other reference plane")
    polarisation: Polarisation | None = Field(default=None, description="of a table that has no such column")
    columns: ColumnMap | None = Field(default=None, description="of a CSV file with names of its own")
    files: tuple[TouchstoneFile, ...] | None = Field(default=None, max_length=10_000)

    @model_validator(mode="after")
    def _fit(self) -> TableDescription:
        needed = self.normalisation == "field" or self.before_nm != 0 or self.behind_nm != 0
        if needed and (self.substrate_index is None or self.surrounding_index is None):
            raise ValueError(
                'substrate_index and surrounding_index are needed for normalisation = "field" and for reference '
                "planes off the meta-atoms; give both"
            )
        self.family()
        names = PARAMETERS[self.shape]
        if any(len(each.geometry_nm) != len(names) for each in self.files or ()):
            raise ValueError(f"geometry_nm of a {self.shape} holds {', '.join(names)}, in this order")
        return self

    def family(self) -> Family:
        """Shape, turn and polygon.

        Raises:
            InputError: the shape is not turned, or the vertices make no polygon.
        """
        return Family(self.shape, math.radians(self.rotation_deg), self.vertices)


def import_library(about: str | os.PathLike[str], table: str | os.PathLike[str] | None = None) -> AtomLibrary:
    """Make a library from another program's table.

    Args:
        about: the TOML file that describes it.
        table: ``.csv``, ``.h5`` or ``.hdf5``; None if the description lists Touchstone files.

    Returns:
        The library, with lengths in metres and the description in its provenance.

    Raises:
        InputError: a file is missing, too large or not what it says, the description contradicts it, combinations of
            geometry, wavelength, angle and polarisation are missing or there twice, or more light comes out than in.
    """
    description = _read_description(Path(about))
    parameters = PARAMETERS[description.shape]
    if (table is None) == (description.files is None):
        raise InputError(
            f"{about}: give either a table or, in the description, the list files of Touchstone files; not both."
        )
    if table is not None:
        sources = [Path(table)]
        samples = read_samples(sources[0], parameters, description.columns)
    else:
        folder = Path(about).parent
        listed = description.files or ()
        sources = [folder / each.file for each in listed]
        samples = read_touchstone_samples([(folder / each.file, each.geometry_nm) for each in listed])
    samples = samples.with_polarisation(description.polarisation)
    return _library(description, samples.checked(str(sources[0])), sources)


def _read_description(path: Path) -> TableDescription:
    text = read_text(
        path, "description of a table", missing="no such file; give the TOML file that describes the table."
    )
    content = parse_toml(text, SCHEMA, VERSION, origin=str(path), remedy="copy them from docs/meta-atoms.md")
    return validated(TableDescription, content, origin=str(path))


def _library(description: TableDescription, samples: Samples, sources: list[Path]) -> AtomLibrary:
    axes, tables = samples.gridded()
    transmission = tables["transmission"]
    if description.time_dependence == "exp(+iwt)":
        transmission = transmission.conj()
    transmission = transmission * _to_power_at_the_array(description, axes["angle"], axes["wavelength"])
    try:
        return AtomLibrary(
            name=description.name,
            shape=description.shape,
            material=description.material,
            substrate=description.substrate,
            surrounding=description.surrounding,
            lattice=description.lattice,
            light_from=description.comes_from,
            pitch=description.pitch_nm * 1e-9,
            height=description.height_nm * 1e-9,
            parameter_names=PARAMETERS[description.shape],
            geometry=axes["geometry"],
            families=(description.family(),),
            wavelength=axes["wavelength"],
            angle=axes["angle"],
            polarisations=samples.polarisations(),
            transmission=transmission,
            transmittance=tables.get("transmittance"),
            reflectance=tables.get("reflectance"),
            provenance={
                "imported_from": ", ".join(f"{path.name} {_digest(path)}" for path in sources)[:8000],
                "description": description.model_dump_json(exclude_none=True, exclude={"files"}),
            },
        )
    except InputError as error:
        raise InputError(f"{sources[0]}: {error}") from error


def _to_power_at_the_array(description: TableDescription, angle: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """What t is multiplied by, ``[1, angle, 1, wavelength]``: roots of fluxes, and phases back to the meta-atoms."""
    if description.substrate_index is None or description.surrounding_index is None:
        return np.ones((1, len(angle), 1, len(wavelength)))
    indices = (description.substrate_index, description.surrounding_index)
    before, behind = indices if description.comes_from == "substrate" else indices[::-1]
    along = [np.sqrt((index**2 - np.sin(angle) ** 2).astype(complex)) for index in (before, behind)]
    path = 1e-9 * (description.before_nm * along[0] + description.behind_nm * along[1])
    factor = np.exp(-2j * np.pi * path[:, None] / wavelength)
    if description.normalisation == "field":
        # Of electric fields in the waves themselves, both polarisations have n cos θ for their flux.
        factor = factor * np.sqrt(along[1].real / along[0].real)[:, None]
    return factor[None, :, None, :]


def _digest(path: Path) -> str:
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path}: more than {LARGEST_FILE} bytes.")
    return file_sha256(path)
