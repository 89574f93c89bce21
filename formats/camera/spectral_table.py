"""Tables over wavelength: light sources, filters and sensors, from a CSV file or as shipped.

A table is a text file: lines that begin with ``#`` are remarks, the first other line names the columns, and every
further line is a wavelength in nanometres with its values. Between its lines a table is linear; beyond its ends
nothing is known.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.formats.files.text_file import cells_of, check_separator, numbered_lines

Kind = Literal["source", "sensor", "filter"]

COLUMNS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "source": (("power",), ("red", "green", "blue")),
    "sensor": (("red", "green", "blue"),),
    "filter": (("transmission",),),
}
"""The columns that a table of each kind has beside ``wavelength_nm``; three columns of a source are its primaries."""

SHIPPED: dict[Kind, tuple[str, ...]] = {
    "source": ("equal_energy", "D65", "white_led", "display"),
    "sensor": ("generic_rgb",),
    "filter": (),
}
"""The tables that come with the package. Their content never changes; a better one gets another name."""

LARGEST_FILE = 2**20
"""In bytes; a table of 10 000 lines has less."""

MOST_LINES = 10_000
SHORTEST_NM, LONGEST_NM = 200.0, 20_000.0


@dataclass(frozen=True)
class SpectralTable:
    """Values over wavelength.

    Attributes:
        name: the file, or the name of a shipped table.
        wavelength: ``[line]`` in metres, ascending.
        columns: their names.
        values: ``[column, line]``, finite and not negative.
        sha256: of the file.
    """

    name: str
    wavelength: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    sha256: str

    def at(self, wavelength: np.ndarray) -> np.ndarray:
        """Values ``[column, ...]`` at wavelengths ``[...]`` in metres, linear between the table's lines."""
        return np.stack([np.interp(wavelength, self.wavelength, column) for column in self.values])


def read_spectral_table(name: str, kind: Kind, folder: Path | None = None) -> SpectralTable:
    """Read a shipped table by its name, or a CSV file.

    Args:
        name: of a shipped table of this kind, or of a file that ends in ``.csv``, relative to ``folder``.
        kind: what the table is for, and so its columns (:data:`COLUMNS`).
        folder: where the ``lens.toml`` lies; None if that is not known, and then only shipped tables can be read.

    Returns:
        Wavelengths in metres, the values of each column, and the SHA-256 of the content.

    Raises:
        InputError: there is no such table, or its content is not one.
    """
    if name == "equal_energy" and kind == "source":
        ends = np.array([SHORTEST_NM, LONGEST_NM]) * 1e-9
        return SpectralTable(name, ends, ("power",), np.ones((1, 2)), hashlib.sha256(b"equal_energy").hexdigest())
    if name in SHIPPED[kind]:
        content = (resources.files("metalens.formats.camera") / "spectra" / f"{name}.csv").read_bytes()
        return parse_spectral_table(content, kind, origin=name)
    if not is_file_name(name):
        choices = ", ".join([*SHIPPED[kind], "a file that ends in .csv"])
        raise InputError(f"spectrum.{kind}: no table {name!r}; expected {choices}.")
    if folder is None:
        raise InputError(
            f"{name}: the {kind}'s table is a file beside the lens.toml, and it is not known where that lies; "
            "read the camera from its file."
        )
    missing = f"no such file; spectrum.{kind} = {name!r} is taken relative to the lens.toml."
    path = input_file(folder / name, "table over wavelength", largest=LARGEST_FILE, missing=missing)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error}).") from error
    return parse_spectral_table(content, kind, origin=name)


def is_file_name(name: str) -> bool:
    """Whether a table's name is that of a file, and not of a shipped table."""
    return name.lower().endswith(".csv")


def parse_spectral_table(content: bytes, kind: Kind, *, origin: str) -> SpectralTable:
    """Read a table from the content of its file.

    Args:
        content: text; letters of remarks may be of any encoding.
        kind: what the table is for.
        origin: how it is named, in errors too.

    Returns:
        Wavelengths in metres, the values of each column, and the SHA-256 of the content.

    Raises:
        InputError: a column is missing or unknown, a cell is no number, not finite or negative, the wavelengths do
            not ascend or are not in nanometres, there are fewer than 2 or more than 10 000 lines, all values of a
            column are zero, or a transmission is above 1.
    """
    lines = list(numbered_lines(io.BytesIO(content), origin))
    if not 3 <= len(lines) <= MOST_LINES + 1:
        raise InputError(
            f"{origin}: {max(len(lines) - 1, 0)} lines of values; one line that names the columns and 2 to "
            f"{MOST_LINES} lines of values were expected."
        )
    columns = _columns(lines[0][1], kind, origin)
    table = np.array([_numbers(line, number, len(columns) + 1, origin) for number, line in lines[1:]])
    _check_values(table, [number for number, _ in lines[1:]], columns, kind, origin)
    return SpectralTable(origin, table[:, 0] * 1e-9, columns, table[:, 1:].T, hashlib.sha256(content).hexdigest())


def _columns(header: str, kind: Kind, origin: str) -> tuple[str, ...]:
    try:
        check_separator(header)
    except ValueError as error:
        raise InputError(f"{origin}: {error}.") from error
    found = tuple(cell.lower() for cell in cells_of(header))
    expected = [("wavelength_nm", *columns) for columns in COLUMNS[kind]]
    if found not in expected:
        raise InputError(
            f"{origin}: columns {', '.join(found)[:200]}; a {kind}'s table has the columns "
            f"{' or '.join(', '.join(columns) for columns in expected)}, in this order."
        )
    return found[1:]


def _numbers(line: str, number: int, count: int, origin: str) -> list[float]:
    cells = cells_of(line)
    if len(cells) != count:
        raise InputError(f"{origin}, line {number}: {len(cells)} cells, {count} were expected.")
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise InputError(f"{origin}, line {number}: {error}; write numbers with a decimal point.") from error


def _check_values(table: np.ndarray, numbers: list[int], columns: tuple[str, ...], kind: Kind, origin: str) -> None:
    """Refuse the first line that is not physical."""
    before = -math.inf
    for number, (wavelength, *values) in zip(numbers, table, strict=True):
        place = f"{origin}, line {number}"
        if not SHORTEST_NM <= wavelength <= LONGEST_NM:
            raise InputError(
                f"{place}: wavelength {wavelength:g} is out of range; {SHORTEST_NM:g} to {LONGEST_NM:g} was expected, "
                "in nanometres."
            )
        if wavelength <= before:
            raise InputError(
                f"{place}: wavelength {wavelength:g} nm after {before:g} nm; sort the lines so that the wavelengths "
                "ascend, each once."
            )
        before = wavelength
        for name, value in zip(columns, values, strict=True):
            if not 0 <= value < math.inf:
                raise InputError(f"{place}: {name} is {value:g}; a finite number of 0 or more was expected.")
            if kind == "filter" and value > 1:
                raise InputError(f"{place}: {name} is {value:g}; 0 to 1 was expected, so divide per cent by 100.")
    for name, column in zip(columns, table[:, 1:].T, strict=True):
        if not column.any():
            raise InputError(f"{origin}: {name} is zero at every wavelength; nothing would be seen.")
