"""``library.h5``: transmission of periodic arrays of equal meta-atoms, by wavelength, angle and polarisation."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import h5py
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, provenance_of, read_array, written_file
from metalens.formats.files.input_file import input_file
from metalens.formats.meta_atoms.families import checked_families, geometry_problem, one_of
from metalens.formats.meta_atoms.family_file import read_families, write_families
from metalens.formats.meta_atoms.shapes import Family, Kind, parameters_of

SCHEMA = "metalens.atom_library"
VERSION, FAMILY_VERSION = 1, 2
"""Versions of a file; the second of one whose meta-atoms are turned, polygons or of several families, which programs
that know the first alone refuse.
"""

Lattice = Literal["square", "hexagonal"]
Side = Literal["substrate", "surrounding"]
Polarisation = Literal["s", "p"]

LARGEST_FILE = 2**28
"""Bytes."""

MOST_ATOMS = 10**6
MOST_SAMPLES = 10**4
"""Largest number of samples of an axis of wavelengths or angles."""

LEAST_LENGTH, MOST_LENGTH = 1e-12, 1e-3

LEAST_ATOM = 2e-9
"""Lower limit of the largest length of a library's meta-atoms in metres: a few atoms of the material."""

"""Metres between which pitch and height lie."""

MOST_ENTRIES = 2**26
"""Largest number of entries of a table: 10⁶ meta-atoms at 60 wavelengths."""

_TEXTS = ("name", "shape", "material", "substrate", "surrounding", "lattice", "light_from")
_AXES = ("geometry", "wavelength", "angle")
_TABLES = ("transmission", "transmittance", "reflectance", "height_slope", "index_slope")
_BY_ATOM = ("orders", "error")
_INDICES = ("material_index", "substrate_index", "surrounding_index")
_COMPLEX = ("transmission", "empty", "height_slope", "index_slope", *_INDICES)


@dataclass(frozen=True)
class AtomLibrary:
    """A library of meta-atoms, each computed as the unit cell of a periodic array (local periodic approximation).

    Tables are ``[polarisation, angle, atom, wavelength]``. Lengths are metres, angles radians, time runs as exp(−iωt).
    The plane of incidence is x–z, x along a lattice vector; ``"s"`` has its electric field along y, ``"p"`` in x–z.

    Attributes:
        name: of the library.
        shape: of the meta-atoms; ``"mixed"`` of several families.
        material: of the pillars, or of the layer that has the holes: its name or its page in the database.
        substrate: below them.
        surrounding: between and above them.
        lattice: ``"square"`` or ``"hexagonal"``.
        light_from: the side that light comes from.
        pitch: distance of neighbours.
        height: of the meta-atoms.
        parameter_names: of the geometry, such as ``("diameter",)``.
        geometry: ``[atom, parameter]``, ascending in lexicographic order.
        wavelength: ``[wavelength]`` in vacuum, ascending.
        angle: ``[angle]`` of incidence in air before a plane substrate, ascending from 0: the wave vector along the
            array is (2π/λ) sin(angle), whatever the substrate is.
        polarisations: ``("s", "p")`` or one of them.
        transmission: zeroth order, from the foot of the meta-atoms to their top (or the reverse, as light goes):
            |t|² is its share of the incident power, and arg t the phase that the electric field gains.
        transmittance: ``[…]`` share of the incident power that goes through, all orders together; None if unknown.
        reflectance: the same for what comes back; None if unknown.
        empty: ``[polarisation, angle, wavelength]`` the zeroth order where the meta-atom is missing (or the hole);
            None if unknown.
        height_slope: complex ∂ ln t/∂(height) in 1/m; None if unknown.
        index_slope: complex ∂ ln t/∂n, n the refractive index of the material; None if unknown.
        orders: ``[atom, wavelength]`` Fourier orders of the fields that were enough; None if not computed here.
        error: ``[atom, wavelength]`` the largest change of t, over angle and polarisation, at the last step to more
            orders; None if unknown.
        material_index: ``[wavelength]`` complex refractive index of the material that was used; None if unknown.
        substrate_index: the same of the substrate.
        surrounding_index: the same of the surrounding.
        families: shape, turn and vertices of the meta-atoms; none of upright ones of one shape.
        family: ``[atom]`` number of each one's family; None unless there are several.
        provenance: the versions and settings that made the library, as text.
    """

    name: str
    shape: Kind
    material: str
    substrate: str
    surrounding: str
    lattice: Lattice
    light_from: Side
    pitch: float
    height: float
    parameter_names: tuple[str, ...]
    geometry: np.ndarray
    wavelength: np.ndarray
    angle: np.ndarray
    polarisations: tuple[Polarisation, ...]
    transmission: np.ndarray
    transmittance: np.ndarray | None = None
    reflectance: np.ndarray | None = None
    empty: np.ndarray | None = None
    height_slope: np.ndarray | None = None
    index_slope: np.ndarray | None = None
    orders: np.ndarray | None = None
    error: np.ndarray | None = None
    material_index: np.ndarray | None = None
    substrate_index: np.ndarray | None = None
    surrounding_index: np.ndarray | None = None
    families: tuple[Family, ...] = ()
    family: np.ndarray | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "families", checked_families(self, "library"))
        _check_words(self)
        _check_axes(self)
        _check_tables(self)

    def at_incidence(self, polarisation: Polarisation = "s", angle: float = 0.0) -> AtomLibrary:
        """Select one polarisation and one angle of the library.

        Args:
            polarisation: ``s`` or ``p``.
            angle: of incidence, in radians; one of the library's.

        Returns:
            A library of this incidence only.

        Raises:
            InputError: the library does not hold them.
        """
        if polarisation not in self.polarisations:
            raise InputError(
                f"library {self.name}: has no polarisation {polarisation!r}, expected one of "
                f"{', '.join(self.polarisations)}."
            )
        nearest = int(np.abs(self.angle - angle).argmin())
        if not abs(self.angle[nearest] - angle) < 1e-6:
            held = ", ".join(f"{np.degrees(each):g}°" for each in self.angle)
            raise InputError(f"library {self.name}: has no angle {np.degrees(angle):g}°, expected one of {held}.")
        place = self.polarisations.index(polarisation)
        parts: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in (*_TABLES, "empty"):
            if parts[name] is not None:
                parts[name] = parts[name][place : place + 1, nearest : nearest + 1]
        parts |= {"polarisations": (polarisation,), "angle": self.angle[nearest : nearest + 1]}
        return AtomLibrary(**parts)


def lattice_vectors(lattice: str) -> np.ndarray:
    """``[2, (x, y)]`` primitive vectors of a lattice whose pitch is 1; the first one lies along x."""
    return np.array([[1.0, 0.0], [0.0, 1.0] if lattice == "square" else [0.5, np.sqrt(0.75)]])


def _check_words(library: AtomLibrary) -> None:
    choices = {"lattice": get_args(Lattice), "light_from": get_args(Side)}
    for name, allowed in choices.items():
        if getattr(library, name) not in allowed:
            raise InputError(f"library: {name} is {getattr(library, name)!r}, expected one of {', '.join(allowed)}.")
    if not library.name or len(library.name) > 80:
        raise InputError("library: its name must have 1 to 80 characters.")
    if library.parameter_names != parameters_of(library.shape):
        raise InputError(
            f"library: parameters {list(library.parameter_names)} do not fit {one_of(library.shape)}, expected "
            f"{list(parameters_of(library.shape))}."
        )
    known = get_args(Polarisation)
    if not library.polarisations or len(set(library.polarisations) & set(known)) != len(library.polarisations):
        raise InputError(f"library: polarisations {list(library.polarisations)}, expected s, p or both, each once.")
    for name in ("pitch", "height"):
        if not LEAST_LENGTH <= getattr(library, name) <= MOST_LENGTH:
            raise InputError(
                f"library: {name} {getattr(library, name):g} m must lie between {LEAST_LENGTH:g} and {MOST_LENGTH:g} m."
            )


def _check_axes(library: AtomLibrary) -> None:
    geometry = library.geometry
    if geometry.ndim != 2 or geometry.shape[1] != len(library.parameter_names) or not len(geometry):
        raise InputError(
            f"library: geometry has the shape {geometry.shape}, expected [atom, {len(library.parameter_names)}]."
        )
    problem = geometry_problem(library)
    if problem is not None:
        raise InputError(f"library: {problem}.")
    if geometry.max() < LEAST_ATOM:
        raise InputError(
            f"library: its meta-atoms have lengths up to {1e9 * float(geometry.max()):g} nm, at least "
            f"{1e9 * LEAST_ATOM:g} nm were expected; check the unit of the lengths."
        )
    if geometry.max() >= library.pitch:
        raise InputError(
            f"library: a meta-atom of {1e9 * float(geometry.max()):g} nm does not fit the pitch of "
            f"{1e9 * library.pitch:g} nm; neighbours would touch."
        )
    ordered = geometry if library.family is None else np.column_stack([library.family, geometry])
    if any(tuple(later) <= tuple(before) for before, later in pairwise(ordered)):
        raise InputError("library: the geometry must ascend, each meta-atom once; sort it.")
    bounds = (("wavelength", library.wavelength, 1e-9, 1e-3), ("angle", library.angle, 0.0, np.pi))
    for name, axis, lowest, highest in bounds:
        if axis.ndim != 1 or not len(axis) or not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
            raise InputError(f"library: {name} must be finite numbers that ascend; sort them.")
        if axis[0] < lowest:
            raise InputError(f"library: {name} begins with {axis[0]:g}, expected at least {lowest:g}.")
        if axis[-1] > highest:
            raise InputError(f"library: {name} ends with {axis[-1]:g}, expected at most {highest:g}.")
    if library.angle[-1] >= np.pi / 2:
        raise InputError("library: an angle is 90° or more.")


def _shapes(library: AtomLibrary) -> dict[str, tuple[int, ...]]:
    incidences = (len(library.polarisations), len(library.angle))
    return _shapes_of(incidences, len(library.geometry), len(library.wavelength))


def _shapes_of(incidences: tuple[int, int], atoms: int, wavelengths: int) -> dict[str, tuple[int, ...]]:
    """The shape of each table.

    Args:
        incidences: polarisations and angles.
        atoms: number of meta-atoms.
        wavelengths: their number.
    """
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_TABLES, (*incidences, atoms, wavelengths))
    shapes |= {"empty": (*incidences, wavelengths)} | dict.fromkeys(_BY_ATOM, (atoms, wavelengths))
    return shapes | dict.fromkeys(_INDICES, (wavelengths,))


def _check_tables(library: AtomLibrary) -> None:
    for name, shape in _shapes(library).items():
        values = getattr(library, name)
        if values is None:
            continue
        if values.shape != shape:
            raise InputError(f"library: {name} has the shape {values.shape}, its axes ask for {shape}.")
        if not np.isfinite(values).all():
            raise InputError(f"library: {name} holds NaN or infinity.")
    for name in ("transmission", "empty", "transmittance", "reflectance"):
        values = getattr(library, name)
        # Powers of a solver with few orders miss their sum by some thousandths; amplitudes are held more tightly.
        room = 1e-2 if name in ("transmittance", "reflectance") else 1e-4
        if values is not None and np.abs(values).max() > 1 + room:
            raise InputError(
                f"library: {name} reaches {np.abs(values).max():.6g}, more than the light that falls on the array; "
                "normalise it to the incident power."
            )


def write_atom_library(path: str | os.PathLike[str], library: AtomLibrary) -> None:
    """Write a library as HDF5; the file appears whole or not at all, and equal libraries make equal bytes.

    Args:
        path: of the file.
        library: the library.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    with written_file(path, SCHEMA, FAMILY_VERSION if library.families else VERSION, library.provenance) as file:
        if library.families:
            write_families(file, library)
        for name in _TEXTS:
            file.attrs[name] = getattr(library, name)
        for name in ("pitch", "height"):
            file.attrs[name] = float(getattr(library, name))
        file.attrs["parameter_names"] = ",".join(library.parameter_names)
        file.attrs["polarisations"] = ",".join(library.polarisations)
        for name in _AXES:
            file.create_dataset(name, data=np.asarray(getattr(library, name), dtype=np.float64))
        for name in _shapes(library):
            if getattr(library, name) is not None:
                _write(file, name, getattr(library, name))


def _write(file: h5py.File, name: str, values: np.ndarray) -> None:
    if name in _COMPLEX:
        values = np.stack([values.real, values.imag], axis=-1)
    # Single precision resolves 10⁻⁷ of a turn; the orders that are left out cost 10⁻² or 10⁻³.
    dtype = np.uint16 if name == "orders" else np.float64 if name in _INDICES else np.float32
    file.create_dataset(name, data=values.astype(dtype), compression="gzip", compression_opts=9, shuffle=True)


def read_atom_library(path: str | os.PathLike[str]) -> AtomLibrary:
    """Read and check a library.

    Raises:
        InputError: the file is missing, damaged, hostile, of another schema or version, or inconsistent.
    """
    target = Path(path)
    if target.is_file() and target.stat().st_size > LARGEST_FILE:
        raise InputError(f"{target}: {target.stat().st_size} bytes, more than a library may have, {LARGEST_FILE}.")
    with open_guarded(
        target, SCHEMA, (VERSION, FAMILY_VERSION), remedy="build it again with `metalens library build`"
    ) as file:
        content: dict[str, Any] = {name: str(file.attrs[name]) for name in _TEXTS}
        content |= {name: float(file.attrs[name]) for name in ("pitch", "height")}
        for name in ("parameter_names", "polarisations"):
            content[name] = tuple(str(file.attrs[name]).split(","))
        parameters = len(content["parameter_names"])
        content["geometry"] = read_array(
            file, "geometry", dtype=np.float64, shape=(None, parameters), most=MOST_ATOMS * parameters
        )
        for name in ("wavelength", "angle"):
            content[name] = read_array(file, name, dtype=np.float64, shape=(None,), most=MOST_SAMPLES)
        incidences = (len(content["polarisations"]), len(content["angle"]))
        # Tables as large as their axes, which are read: a packed file can declare any size.
        for name, shape in _shapes_of(incidences, len(content["geometry"]), len(content["wavelength"])).items():
            if name in file or name == "transmission":
                content[name] = _read(file, name, shape)
        if file.attrs["version"] == FAMILY_VERSION:
            content["families"], content["family"] = read_families(file, len(content["geometry"]))
        content["provenance"] = provenance_of(file)
    try:
        return AtomLibrary(**content)
    except InputError as error:
        raise InputError(f"{target}: {error}") from error


def _read(file: h5py.File, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in _COMPLEX:
        return read_array(
            file, name, dtype=np.int64 if name == "orders" else np.float64, shape=shape, most=MOST_ENTRIES
        )
    pair = read_array(file, name, dtype=np.float64, shape=(*shape, 2), most=2 * MOST_ENTRIES)
    return pair[..., 0] + 1j * pair[..., 1]


def shipped_libraries() -> tuple[str, ...]:
    """Names of the libraries that come with the package."""
    folder = resources.files("metalens.formats.meta_atoms") / "libraries"
    entries = folder.iterdir() if folder.is_dir() else iter(())
    return tuple(sorted(each.name.removesuffix(".h5") for each in entries if each.name.endswith(".h5")))


def library_path(source: str | os.PathLike[str]) -> Path:
    """Where a library lies that is given by its file, or by the name of one that comes with the package.

    Raises:
        InputError: there is neither such a file nor such a name.
    """
    name = os.fspath(source)
    if name in shipped_libraries():
        return Path(str(resources.files("metalens.formats.meta_atoms") / "libraries" / f"{name}.h5"))
    names = ", ".join(shipped_libraries())
    missing = f"neither a file nor a library that comes with the package; give a library.h5 or one of {names}."
    return input_file(source, "library.h5", largest=LARGEST_FILE, missing=missing)
