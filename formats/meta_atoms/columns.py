"""Meaning of the columns of another program's table: the ``[columns]`` table of a library's description.

Tables that name their columns as ``docs/meta-atoms.md`` says need none. Others are brought into those names: a radius
becomes a diameter, a transmittance in dB an amplitude, columns for TE and TM two sets of samples.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from metalens.formats.files.record import Positive, Record
from metalens.formats.meta_atoms.library import Polarisation
from metalens.formats.meta_atoms.shapes import MOST_PARAMETERS

ColumnName = str
Columns = dict[str, np.ndarray]
"""Numbers ``[line]`` by the name of their column."""

_METRES = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3, "m": 1.0}
_HERTZ = {"hz": 1.0, "ghz": 1e9, "thz": 1e12}
_RADIANS = {"rad": 1.0, "deg": np.pi / 180, "turns": 2 * np.pi}


class LengthColumn(Record):
    """A column of lengths."""

    column: ColumnName = Field(min_length=1, max_length=200)
    unit: Literal["nm", "um", "mm", "m"] = "nm"
    times: Positive = Field(default=1.0, description="2 where the column holds radii and diameters are wanted")


class FrequencyColumn(Record):
    """A column of frequencies."""

    column: ColumnName = Field(min_length=1, max_length=200)
    unit: Literal["hz", "ghz", "thz"] = "thz"


class AngleColumn(Record):
    """A column of angles of incidence."""

    column: ColumnName = Field(min_length=1, max_length=200)
    unit: Literal["deg", "rad"] = "deg"


class TransmissionColumns(Record):
    """Two columns that make a complex transmission, of one polarisation."""

    polarisation: Polarisation | None = Field(default=None, description="s is TE, p is TM; None is not said")
    real: ColumnName | None = Field(default=None, max_length=200)
    imaginary: ColumnName | None = Field(default=None, max_length=200)
    amplitude: ColumnName | None = Field(default=None, max_length=200, description="|t|")
    power: ColumnName | None = Field(default=None, max_length=200, description="|t|² as a share")
    power_db: ColumnName | None = Field(default=None, max_length=200, description="10 log |t|²")
    phase: ColumnName | None = Field(default=None, max_length=200)
    phase_unit: Literal["rad", "deg", "turns"] = "rad"

    @model_validator(mode="after")
    def _fit(self) -> TransmissionColumns:
        given = {name for name in type(self).model_fields if name not in ("polarisation", "phase_unit")}
        given = {name for name in given if getattr(self, name) is not None}
        if given not in ({"real", "imaginary"}, *({name, "phase"} for name in ("amplitude", "power", "power_db"))):
            raise ValueError(
                "a transmission is real and imaginary, or one of amplitude, power and power_db with phase; found "
                f"{' and '.join(sorted(given)) or 'none'}"
            )
        return self

    def of(self, columns: Columns) -> np.ndarray:
        """``[line]`` complex."""
        if self.real is not None and self.imaginary is not None:
            return _column(columns, self.real) + 1j * _column(columns, self.imaginary)
        assert self.phase is not None
        phase = _RADIANS[self.phase_unit] * _column(columns, self.phase)
        return self._amplitude(columns) * np.exp(1j * phase)

    def _amplitude(self, columns: Columns) -> np.ndarray:
        if self.amplitude is not None:
            return _column(columns, self.amplitude)
        if self.power_db is not None:
            return np.asarray(10 ** (_column(columns, self.power_db) / 20))
        assert self.power is not None
        power = _column(columns, self.power)
        if (power < 0).any():
            raise ValueError(f"the column {self.power!r} holds {power.min():g}; a share of power is 0 or more")
        return np.sqrt(power)


class ColumnMap(Record):
    """The columns of a table whose names are its own."""

    geometry: dict[str, LengthColumn] = Field(
        min_length=1, max_length=MOST_PARAMETERS, description="by the shape's parameter"
    )
    wavelength: LengthColumn | None = None
    frequency: FrequencyColumn | None = None
    angle: AngleColumn | None = None
    transmission: tuple[TransmissionColumns, ...] = Field(min_length=1, max_length=2)

    @model_validator(mode="after")
    def _fit(self) -> ColumnMap:
        if (self.wavelength is None) == (self.frequency is None):
            raise ValueError("columns need either wavelength or frequency")
        if len(self.transmission) == 2 and {each.polarisation for each in self.transmission} != {"s", "p"}:
            raise ValueError("two transmissions are one of polarisation s and one of p")
        return self

    def named(self, columns: Columns, parameters: tuple[str, ...]) -> Columns:
        """The same samples under the names of ``docs/meta-atoms.md``; a second polarisation's follow the first's.

        Args:
            columns: as the table has them, names in small letters.
            parameters: of the geometry.

        Returns:
            Name with its unit → values, lengths in metres.

        Raises:
            ValueError: a column is not there, or a parameter has none.
        """
        if set(self.geometry) != set(parameters):
            raise ValueError(f"columns.geometry names {', '.join(self.geometry)}; {', '.join(parameters)} was expected")
        found = {
            f"{name}_m": each.times * _METRES[each.unit] * _column(columns, each.column)
            for name, each in self.geometry.items()
        }
        if self.wavelength is not None:
            each = self.wavelength
            found["wavelength_m"] = each.times * _METRES[each.unit] * _column(columns, each.column)
        if self.frequency is not None:
            found["frequency_hz"] = _HERTZ[self.frequency.unit] * _column(columns, self.frequency.column)
        if self.angle is not None:
            found["angle_deg"] = np.degrees(_RADIANS[self.angle.unit] * _column(columns, self.angle.column))
        sets = [self._with(found, each, columns) for each in self.transmission]
        return {name: np.concatenate([each[name] for each in sets]) for name in sets[0]}

    def _with(self, found: Columns, one: TransmissionColumns, columns: Columns) -> Columns:
        transmission = one.of(columns)
        code = {"s": 0.0, "p": 1.0, None: -1.0}[one.polarisation]
        own = {"t_re": transmission.real, "t_im": transmission.imag}
        return found | own | {"polarisation": np.full(len(transmission), code)}


def _column(columns: Columns, name: ColumnName) -> np.ndarray:
    if name.lower() not in columns:
        raise ValueError(f"it has no column {name!r}; its columns are {', '.join(columns)[:400]}")
    return columns[name.lower()]
