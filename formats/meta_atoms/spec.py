"""The specification of a library of meta-atoms: a TOML file from which ``metalens library build`` computes one."""

from __future__ import annotations

import os
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from metalens.formats.files.record import Nanometres, NotNegative, Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, validated
from metalens.formats.meta_atoms.library import PARAMETERS, Lattice, Polarisation, Shape, Side

SCHEMA = "metalens.library_spec"
VERSION = 1

MOST_ATOMS = 10_000
MOST_WAVELENGTHS = 1_000

Material = Annotated[str, Field(min_length=1, max_length=200)] | Positive | tuple[Positive, NotNegative]
"""A page of refractiveindex.info as ``"shelf/book/page"``, a refractive index n, or ``[n, k]``."""

Angle = Annotated[float, Field(ge=0, lt=90, allow_inf_nan=False)]


class Range(Record):
    """Equal steps from one number to another, both included."""

    start: Positive
    stop: Positive
    count: int = Field(ge=2, le=MOST_WAVELENGTHS)

    @model_validator(mode="after")
    def _ascend(self) -> Range:
        if not self.start < self.stop:
            raise ValueError(f"start {self.start:g} must be less than stop {self.stop:g}")
        return self


Axis = Range | tuple[Positive, ...]
"""Numbers one by one, or equal steps."""


def _numbers(axis: Axis) -> np.ndarray:
    if isinstance(axis, Range):
        return np.linspace(axis.start, axis.stop, axis.count)
    return np.array(axis, dtype=float)


class MetaAtom(Record):
    """The shape, and the axes of its geometry."""

    shape: Shape
    height_nm: Nanometres
    diameter_nm: Axis | None = None
    width_nm: Axis | None = None
    width_x_nm: Axis | None = None
    width_y_nm: Axis | None = None
    outer_diameter_nm: Axis | None = None
    inner_diameter_nm: Axis | None = None

    @model_validator(mode="after")
    def _fit(self) -> MetaAtom:
        wanted = {f"{name}_nm" for name in PARAMETERS[self.shape]}
        known = {f"{name}_nm" for names in PARAMETERS.values() for name in names}
        given = {name for name in known if getattr(self, name) is not None}
        if given != wanted:
            found = ", ".join(sorted(given)) or "none"
            raise ValueError(f"a {self.shape} is described by {', '.join(sorted(wanted))}; found {found}")
        for name in wanted:
            numbers = _numbers(getattr(self, name))
            if not len(numbers) or (np.diff(numbers) <= 0).any():
                raise ValueError(f"{name} must be one or more numbers that ascend; sort them")
        if not 1 <= len(self.geometry()) <= MOST_ATOMS:
            raise ValueError(
                f"{len(self.geometry())} geometries, expected 1 to {MOST_ATOMS}; an inner_diameter_nm must be less "
                "than some outer_diameter_nm"
            )
        return self

    def geometry(self) -> np.ndarray:
        """``[atom, parameter]`` in metres; rings whose inside is not smaller than their outside are left out."""
        axes = [_numbers(getattr(self, f"{name}_nm")) for name in PARAMETERS[self.shape]]
        atoms = np.array(list(product(*axes)))
        if self.shape == "annular_pillar":
            atoms = atoms[atoms[:, 1] < atoms[:, 0]]
        return atoms * 1e-9


class Array(Record):
    """Lattice of the meta-atoms."""

    lattice: Lattice
    pitch_nm: Nanometres


class Materials(Record):
    """Materials of meta-atoms, substrate and surrounding."""

    meta_atom: Material = Field(description="of the pillars, or of the layer that has the holes")
    substrate: Material
    surrounding: Material = 1.0


class Light(Record):
    """Incident light: wavelengths, angles and polarisations."""

    wavelength_nm: Axis
    angle_deg: tuple[Angle, ...] = Field(default=(0.0,), min_length=1, max_length=90, description="in air, in x–z")
    polarisations: tuple[Polarisation, ...] = Field(default=("s", "p"), min_length=1, max_length=2)
    comes_from: Side = "substrate"
    allow_diffraction: bool = Field(default=False, description="orders besides the zeroth may leave the array")

    @model_validator(mode="after")
    def _ascend(self) -> Light:
        wavelengths = self.wavelengths()
        if not 1 <= len(wavelengths) <= MOST_WAVELENGTHS or (np.diff(wavelengths) <= 0).any():
            raise ValueError("wavelength_nm must be one or more numbers that ascend; sort them")
        if wavelengths[0] < 100e-9 or wavelengths[-1] > 100e-6:
            raise ValueError("wavelength_nm must lie between 100 and 100000")
        if list(self.angle_deg) != sorted(set(self.angle_deg)):
            raise ValueError(f"angle_deg {list(self.angle_deg)} must ascend, each once; sort them")
        if len(set(self.polarisations)) != len(self.polarisations):
            raise ValueError(f"polarisations {list(self.polarisations)} holds one twice")
        return self

    def wavelengths(self) -> np.ndarray:
        """In metres."""
        return _numbers(self.wavelength_nm) * 1e-9


class Accuracy(Record):
    """Convergence criterion for the number of Fourier orders."""

    tolerance: float = Field(default=0.01, ge=1e-6, le=0.5, description="change of t, 1 being all light")
    most_orders: int = Field(default=200, ge=20, le=2000)


class LibrarySpec(Record):
    """A library of meta-atoms to be computed."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    description: str = ""
    meta_atom: MetaAtom
    array: Array
    materials: Materials
    light: Light
    accuracy: Accuracy = Accuracy()

    @model_validator(mode="after")
    def _fit(self) -> LibrarySpec:
        largest = 1e9 * float(self.meta_atom.geometry().max())
        if largest >= self.array.pitch_nm:
            raise ValueError(
                f"a {self.meta_atom.shape} of {largest:g} nm does not fit array.pitch_nm {self.array.pitch_nm:g}; "
                "neighbours would touch, so make it smaller or the pitch larger"
            )
        return self


def read_library_spec(path: str | os.PathLike[str]) -> tuple[LibrarySpec, str]:
    """Read a specification, and its text.

    Raises:
        InputError: the file is missing, too large, not TOML, of another schema, or does not describe a library.
    """
    text = read_text(path, "specification", missing="no such file; give the specification of a library, a TOML file.")
    return parse_library_spec(text, origin=os.fspath(path)), text


def parse_library_spec(text: str, *, origin: str = "the specification") -> LibrarySpec:
    """Read a specification from the text of its file.

    Args:
        text: TOML.
        origin: name of the source, for messages.

    Returns:
        The specification.

    Raises:
        InputError: the text is not TOML, of another schema, or does not describe a library.
    """
    content = parse_toml(text, SCHEMA, VERSION, origin=origin, remedy="copy them from docs/meta-atoms.md")
    return validated(LibrarySpec, content, origin=origin, tags=TAGS)


TAGS = frozenset({"Range", "tuple[constrained-float, ...]", "float", "str"})
"""Names of the members of unions in pydantic's errors, which are no keys."""
