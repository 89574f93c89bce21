"""The specification of a library of meta-atoms: a TOML file from which ``metalens library build`` computes one."""

from __future__ import annotations

import math
import os
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from metalens.formats.files.record import Finite, Nanometres, NotNegative, Positive, Record
from metalens.formats.files.toml_file import parse_toml, read_text, validated
from metalens.formats.meta_atoms.families import MOST_FAMILIES, joined_geometry, told_lengths
from metalens.formats.meta_atoms.feature_size import feature_and_gap
from metalens.formats.meta_atoms.library import Lattice, Polarisation, Side, lattice_vectors
from metalens.formats.meta_atoms.polygon import leaves_cell
from metalens.formats.meta_atoms.shapes import (
    MIXED,
    MOST_VERTICES,
    PARAMETERS,
    POSSIBLE,
    TURNED,
    Family,
    Kind,
    Shape,
    possible,
)

SCHEMA = "metalens.library_spec"
VERSION = 1

MOST_ATOMS = 10_000
MOST_WAVELENGTHS = 1_000
MOST_COMBINATIONS = 1_000_000

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
    diameter_x_nm: Axis | None = None
    diameter_y_nm: Axis | None = None
    length_nm: Axis | None = None
    arm_width_nm: Axis | None = None
    leg_width_nm: Axis | None = None
    bar_width_nm: Axis | None = None
    size_nm: Axis | None = Field(default=None, description="longer side of the polygon's box, before it is turned")
    vertices: tuple[tuple[Finite, Finite], ...] | None = Field(
        default=None, max_length=MOST_VERTICES, description="(x, y) of a polygon in any unit, y up"
    )
    rotation_deg: float = Field(default=0.0, ge=-360, le=360, allow_inf_nan=False, description="anticlockwise, y up")
    smallest_feature_nm: Nanometres | None = Field(default=None, description="finer meta-atoms are left out")
    smallest_gap_nm: Nanometres | None = Field(default=None, description="meta-atoms with narrower gaps are left out")

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
        self.family()
        axes = [len(_numbers(getattr(self, f"{name}_nm"))) for name in PARAMETERS[self.shape]]
        # Counted before they are made: a few short ranges can mean thousands of millions.
        if math.prod(axes) > MOST_COMBINATIONS:
            raise ValueError(
                f"{' × '.join(map(str, axes))} combinations of lengths; at most {MOST_COMBINATIONS} are looked at"
            )
        if not 1 <= len(self.geometry()) <= MOST_ATOMS:
            needed = f"; {POSSIBLE[self.shape]}" if self.shape in POSSIBLE else ""
            raise ValueError(f"{len(self.geometry())} geometries, expected 1 to {MOST_ATOMS}{needed}")
        return self

    def family(self) -> Family:
        """Shape, turn and polygon.

        Raises:
            InputError: the shape is not turned, or the vertices make no polygon.
        """
        return Family(self.shape, math.radians(self.rotation_deg), self.vertices)

    def geometry(self) -> np.ndarray:
        """``[atom, parameter]`` in metres; lengths that make no such shape are left out, such as rings without wall."""
        axes = [_numbers(getattr(self, f"{name}_nm")) for name in PARAMETERS[self.shape]]
        atoms = np.array(list(product(*axes)))
        return np.asarray(atoms[possible(self.shape, atoms)] * 1e-9)


class Array(Record):
    """Lattice of the meta-atoms."""

    lattice: Lattice
    pitch_nm: Nanometres

    def vectors(self) -> np.ndarray:
        """``[2, (x, y)]`` primitive vectors in metres."""
        return 1e-9 * self.pitch_nm * lattice_vectors(self.lattice)


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
        """Wavelengths in metres."""
        return _numbers(self.wavelength_nm) * 1e-9


class Accuracy(Record):
    """Convergence criterion for the number of Fourier orders."""

    tolerance: float = Field(default=0.01, ge=1e-6, le=0.5, description="change of t, 1 being all light")
    most_orders: int = Field(default=200, ge=20, le=2000)


class LibrarySpec(Record):
    """A library of meta-atoms to be computed."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    description: str = ""
    meta_atom: Annotated[
        Annotated[MetaAtom, Tag("one")]
        | Annotated[tuple[MetaAtom, ...], Field(min_length=1, max_length=MOST_FAMILIES), Tag("several")],
        Discriminator(lambda content: "several" if isinstance(content, list | tuple) else "one"),
    ] = Field(description="of one family; or several tables [[meta_atom]]")
    array: Array
    materials: Materials
    light: Light
    accuracy: Accuracy = Accuracy()

    @model_validator(mode="after")
    def _fit(self) -> LibrarySpec:
        for atom in self.meta_atoms:
            _check_cell(atom, self.array)
        if len({atom.height_nm for atom in self.meta_atoms}) > 1:
            heights = ", ".join(f"{atom.height_nm:g}" for atom in self.meta_atoms)
            raise ValueError(
                f"meta_atom.height_nm {heights}: the meta-atoms of one lens have one height, that of their layer"
            )
        if len(self.families()) > len(set(self.families())):
            raise ValueError("two tables meta_atom have one shape, turn and polygon; join their lengths in one")
        if len({family.shape.endswith("hole") for family in self.families()}) > 1:
            raise ValueError("meta_atom has both pillars and holes; one layer has either")
        if len(self.geometry()) > MOST_ATOMS:
            raise ValueError(f"{len(self.geometry())} geometries of all meta_atom tables, expected 1 to {MOST_ATOMS}")
        return self

    @property
    def meta_atoms(self) -> tuple[MetaAtom, ...]:
        """Meta-atoms of each family."""
        return self.meta_atom if isinstance(self.meta_atom, tuple) else (self.meta_atom,)

    def families(self) -> tuple[Family, ...]:
        """Shape, turn and polygon of each."""
        return tuple(atom.family() for atom in self.meta_atoms)

    def shape(self) -> Kind:
        """Shape of all meta-atoms; ``mixed`` where there are several families."""
        return MIXED if len(self.meta_atoms) > 1 else self.meta_atoms[0].shape

    def geometry(self) -> np.ndarray:
        """``[atom, parameter]`` in metres of those that the process can make; of several families filled with zeros."""
        parts = [_made(atom, self.array) for atom in self.meta_atoms]
        return parts[0] if len(parts) == 1 else joined_geometry(parts)[0]

    def family(self) -> np.ndarray | None:
        """``[atom]`` number of each one's family; None of one family."""
        parts = [_made(atom, self.array) for atom in self.meta_atoms]
        return None if len(parts) == 1 else joined_geometry(parts)[1]


_WITH_CORNERS = ("square_pillar", "rectangular_pillar", "square_hole")


def _check_cell(atom: MetaAtom, array: Array) -> None:
    """Refuse meta-atoms that neighbours would touch, and families of which the process makes none."""
    largest = 1e9 * float(atom.geometry().max())
    if largest >= array.pitch_nm:
        raise ValueError(
            f"a {atom.shape} of {largest:g} nm does not fit array.pitch_nm {array.pitch_nm:g}; "
            "neighbours would touch, so make it smaller or the pitch larger"
        )
    family, vectors = atom.family(), array.vectors()
    if array.lattice == "hexagonal" and family.shape in _WITH_CORNERS:
        # The next row lies closer than the pitch, by half a pitch to the side.
        for lengths in atom.geometry():
            if 1e9 * lengths[0] >= 0.5 * array.pitch_nm and 1e9 * lengths[-1] >= np.sqrt(0.75) * array.pitch_nm:
                raise ValueError(
                    f"a {family.shape} of {told_lengths(lengths)} nm meets the next row of a hexagonal lattice of "
                    f"array.pitch_nm {array.pitch_nm:g}, {np.sqrt(0.75) * array.pitch_nm:.0f} nm away; make it smaller "
                    "or the pitch larger"
                )
    if family.shape in TURNED:
        for lengths in atom.geometry():
            if leaves_cell(family.outline(lengths), vectors):
                raise ValueError(
                    f"a {family.shape} of {told_lengths(lengths)} nm, turned by {atom.rotation_deg:g}°, leaves "
                    f"its cell of array.pitch_nm {array.pitch_nm:g} and meets its neighbours; make it smaller "
                    "or the pitch larger"
                )
    if not len(_made(atom, array)):
        raise ValueError(
            f"no {family.shape} has features of meta_atom.smallest_feature_nm {atom.smallest_feature_nm or 0:g} and "
            f"gaps of smallest_gap_nm {atom.smallest_gap_nm or 0:g}; add others, or allow finer ones"
        )


def _made(atom: MetaAtom, array: Array) -> np.ndarray:
    """``[atom, parameter]`` in metres of those that the process can make."""
    atoms, family, vectors = atom.geometry(), atom.family(), array.vectors()
    least = [1e-9 * (each or 0.0) for each in (atom.smallest_feature_nm, atom.smallest_gap_nm)]
    if not any(least):
        return atoms
    # A millionth for decimals that are no binary fractions.
    found = np.array([feature_and_gap(family, lengths, vectors) for lengths in atoms])
    return np.asarray(atoms[(found >= np.array(least) * (1 - 1e-6)).all(axis=1)])


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


TAGS = frozenset({"one", "several", "Range", "tuple[constrained-float, ...]", "float", "str"})
"""Names of the members of unions in pydantic's errors, which are no keys."""
