"""Samples of transmission in files of other programs (CSV, HDF5, Touchstone): read, checked and put on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded, read_array
from metalens.formats.files.input_file import input_file
from metalens.formats.files.text_file import Words, header_of, numbers_of, text_lines
from metalens.formats.meta_atoms.columns import ColumnMap
from metalens.formats.meta_atoms.library import Polarisation
from metalens.formats.meta_atoms.touchstone import LARGEST_FILE, read_touchstone

LIGHT_SPEED = 299_792_458.0

MOST_SAMPLES = 10**7
"""Lines of a table: as many as its largest file holds."""

_LENGTHS = {"nm": 1e-9, "um": 1e-6, "m": 1.0}
_FREQUENCIES = {"hz": 1.0, "ghz": 1e9, "thz": 1e12}
_COMPLEX = (("t_re", "t_im"), ("s21_re", "s21_im"), ("t_abs", "t_phase_rad"), ("t_abs", "t_phase_deg"))


@dataclass(frozen=True)
class Samples:
    """Transmissions one by one.

    Attributes:
        geometry: ``[sample, parameter]`` in metres.
        wavelength: ``[sample]`` in metres.
        angle: ``[sample]`` in radians.
        polarisation: ``[sample]`` 0 is s, 1 is p, −1 is not said.
        transmission: ``[sample]`` complex, as in the file.
        shares: ``transmittance`` and ``reflectance``, where the file has them.
    """

    geometry: np.ndarray
    wavelength: np.ndarray
    angle: np.ndarray
    polarisation: np.ndarray
    transmission: np.ndarray
    shares: dict[str, np.ndarray]

    def with_polarisation(self, polarisation: Polarisation | None) -> Samples:
        """The same, with the polarisation of samples that do not say theirs; s if None."""
        code = 1 if polarisation == "p" else 0
        return replace(self, polarisation=np.where(self.polarisation < 0, code, self.polarisation))

    def checked(self, origin: str) -> Samples:
        """The same, if every combination is there once and finite.

        Raises:
            InputError: it is not.
        """
        if not len(self.transmission):
            raise InputError(f"{origin}: holds no samples.")
        numbers = (self.geometry, self.wavelength, self.angle, self.transmission, *self.shares.values())
        if not all(np.isfinite(each).all() for each in numbers):
            raise InputError(f"{origin}: holds NaN or infinity; give every sample a value.")
        cells = np.stack(self._places(), axis=1)
        if len(np.unique(cells, axis=0)) < len(cells):
            raise InputError(f"{origin}: the same geometry, wavelength, angle and polarisation are there twice.")
        wanted = int(np.prod([len(np.unique(cells[:, axis])) for axis in range(4)]))
        if wanted != len(cells):
            raise InputError(
                f"{origin}: {len(cells)} samples, but its geometries, wavelengths, angles and polarisations make "
                f"{wanted} combinations; give each of them."
            )
        return self

    def polarisations(self) -> tuple[Polarisation, ...]:
        """Those there are, s first."""
        return tuple(cast(Polarisation, "sp"[int(code)]) for code in np.unique(self.polarisation))

    def gridded(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Axes ``geometry``, ``wavelength`` and ``angle``; tables ``[polarisation, angle, geometry, wavelength]``."""
        places = self._places()
        axes = {
            "geometry": np.unique(np.round(self.geometry, 15), axis=0),
            "wavelength": np.unique(np.round(self.wavelength, 15)),
            "angle": np.unique(np.round(self.angle, 12)),
        }
        lengths = tuple(len(np.unique(place)) for place in places)
        tables = {}
        for name, values in {"transmission": self.transmission, **self.shares}.items():
            tables[name] = np.zeros(lengths, dtype=values.dtype)
            tables[name][places] = values
        return axes, tables

    def _places(self) -> tuple[np.ndarray, ...]:
        # Rounded to a femtometre: files hold decimals.
        return (
            np.unique(self.polarisation, return_inverse=True)[1].ravel(),
            np.unique(np.round(self.angle, 12), return_inverse=True)[1].ravel(),
            np.unique(np.round(self.geometry, 15), axis=0, return_inverse=True)[1].ravel(),
            np.unique(np.round(self.wavelength, 15), return_inverse=True)[1].ravel(),
        )


_LARGEST = 1e18
"""Largest magnitude of the numbers of a table, more than the frequency of any light in hertz."""


def read_samples(path: Path, parameters: tuple[str, ...], columns: ColumnMap | None = None) -> Samples:
    """Read a CSV or an HDF5 file.

    Args:
        path: ``.csv`` with a header line, or ``.h5``/``.hdf5`` with the schema ``metalens.atom_table``.
        parameters: of the geometry, as columns or datasets are named without their unit.
        columns: which columns of a CSV file hold what; None of one that names them as ``docs/meta-atoms.md`` says.

    Returns:
        The samples, with the geometry's lengths in metres.

    Raises:
        InputError: the file is missing, too large, of another kind, or lacks a column.
    """
    input_file(path, "table of transmissions", largest=LARGEST_FILE, missing="no such file; check its name.")
    if path.suffix.lower() == ".csv":
        return _from_columns(path, _csv_columns(path, parameters, columns), parameters)
    if path.suffix.lower() in (".h5", ".hdf5"):
        return _from_hdf5(path, parameters)
    raise InputError(f"{path}: a table of transmissions ends in .csv, .h5 or .hdf5; save it as one of these.")


def _csv_columns(path: Path, parameters: tuple[str, ...], columns: ColumnMap | None) -> dict[str, np.ndarray]:
    try:
        lines = text_lines(path, "table of transmissions", largest=LARGEST_FILE)
        names = header_of(lines)
        words: Words = {place: _polarisation for place, name in enumerate(names) if name == "polarisation"}
        values = numbers_of(lines, columns=len(names), words=words)
        if not (np.abs(values) <= _LARGEST).all():
            raise InputError(
                f"{path}: holds NaN or infinity, or numbers beyond {_LARGEST:g}; give every sample a value."
            )
        table = dict(zip(names, values.T, strict=True))
        return table if columns is None else columns.named(table, parameters)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: not a table of numbers between commas under a line of names ({error}).") from error


def _polarisation(word: str) -> float:
    codes = {"s": 0.0, "p": 1.0}
    if word.strip().lower() not in codes:
        raise ValueError(f"polarisation is {word[:40]!r}, s or p was expected")
    return codes[word.strip().lower()]


def _from_columns(path: Path, columns: dict[str, np.ndarray], parameters: tuple[str, ...]) -> Samples:
    def length(name: str) -> np.ndarray | None:
        for unit, metres in _LENGTHS.items():
            if f"{name}_{unit}" in columns:
                return columns[f"{name}_{unit}"] * metres
        return None

    geometry = [length(name) for name in parameters]
    wavelength = length("wavelength")
    for unit, hertz in _FREQUENCIES.items():
        if wavelength is None and f"frequency_{unit}" in columns:
            wavelength = LIGHT_SPEED / (columns[f"frequency_{unit}"] * hertz)
    if wavelength is None or any(each is None for each in geometry):
        raise InputError(
            f"{path}: found the columns {', '.join(columns)}; expected {', '.join(parameters)} with _nm, _um or _m, "
            "and wavelength_nm or frequency_thz."
        )
    count = len(wavelength)
    return Samples(
        np.stack([each for each in geometry if each is not None], axis=1),
        wavelength,
        np.radians(columns.get("angle_deg", np.zeros(count))),
        columns.get("polarisation", np.full(count, -1.0)),
        _complex_of(path, columns),
        {name: columns[name] for name in ("transmittance", "reflectance") if name in columns},
    )


def _complex_of(path: Path, columns: dict[str, np.ndarray]) -> np.ndarray:
    for first, second in _COMPLEX:
        if first in columns and second in columns:
            one, two = columns[first], columns[second]
            if second.endswith("_im"):
                return one + 1j * two
            return one * np.exp(1j * (np.radians(two) if second.endswith("_deg") else two))
    pairs = "; ".join(" and ".join(pair) for pair in _COMPLEX)
    raise InputError(f"{path}: found the columns {', '.join(columns)}; expected a pair of {pairs}.")


def _from_hdf5(path: Path, parameters: tuple[str, ...]) -> Samples:
    with open_guarded(path, "metalens.atom_table", 1, remedy="write it again as docs/meta-atoms.md says") as file:
        names = (*parameters, "wavelength", "t_re", "t_im", "angle", "transmittance", "reflectance")
        optional = names[len(parameters) + 3 :]
        columns = {
            name: read_array(file, name, dtype=np.float64, shape=(None,), most=MOST_SAMPLES)
            for name in names
            if name not in optional or name in file
        }
    if len({len(each) for each in columns.values()}) != 1:
        raise InputError(f"{path}: its datasets have different lengths; one number a sample was expected in each.")
    count = len(columns["wavelength"])
    return Samples(
        np.stack([columns[name] for name in parameters], axis=1),
        columns["wavelength"],
        columns.get("angle", np.zeros(count)),
        np.full(count, -1.0),
        columns["t_re"] + 1j * columns["t_im"],
        {name: columns[name] for name in ("transmittance", "reflectance") if name in columns},
    )


def read_touchstone_samples(files: list[tuple[Path, tuple[float, ...]]]) -> Samples:
    """Read S21 of two-port Touchstone files, each of one meta-atom.

    Args:
        files: each file with its geometry in nanometres.

    Raises:
        InputError: a file is missing, or no Touchstone file that can be read.
    """
    parts = [read_touchstone(path) for path, _ in files]
    counts = [len(frequency) for frequency, _ in parts]
    frequency = np.concatenate([each for each, _ in parts]) if parts else np.zeros(0)
    total = len(frequency)
    geometry = np.repeat(np.array([geometry for _, geometry in files], dtype=float) * 1e-9, counts, axis=0)
    forward = np.concatenate([each for _, each in parts]) if parts else np.zeros(0, dtype=complex)
    return Samples(geometry, LIGHT_SPEED / frequency, np.zeros(total), np.full(total, -1.0), forward, {})
