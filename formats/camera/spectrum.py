"""The ``[spectrum]`` table of ``lens.toml``: spectral response of the three colour channels.

It has one of two forms: three Gaussian ``channels``; or a ``source`` of light and a ``sensor``, with a ``filter`` if
there is one, each a table over wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer, model_validator

from metalens.formats.camera.spectral_table import SHIPPED, Kind, SpectralTable, is_file_name, read_spectral_table
from metalens.formats.files.errors import InputError
from metalens.formats.files.record import NotNegative, OpticalWavelength, Record

CHANNEL_NAMES = ("red", "green", "blue")
"""The channels in the order of every array with a channel axis."""

KINDS: tuple[Kind, ...] = ("source", "sensor", "filter")

TableName = Annotated[str, Field(min_length=1, max_length=255)]
Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Channel(Record):
    """The spectral band of one colour channel: a Gaussian in wavelength."""

    name: Literal["red", "green", "blue"]
    centre_nm: OpticalWavelength
    fwhm_nm: NotNegative = Field(description="full width at half maximum; 0 is a laser line")

    @model_validator(mode="after")
    def _fit(self) -> Channel:
        if self.fwhm_nm > self.centre_nm / 2:
            raise ValueError(f"fwhm_nm {self.fwhm_nm:g} is more than half of centre_nm {self.centre_nm:g}")
        return self


class Spectrum(Record):
    """Spectral response of the channels: source × filter × quantum efficiency, as Gaussian bands or from tables."""

    channels: tuple[Channel, ...] = Field(default=(), description="red, green, blue; empty where tables are named")
    wavelengths_per_channel: int = Field(default=9, ge=1, le=99)
    source: TableName | None = Field(default=None, description="spectral power")
    source_sha256: Checksum | None = None
    sensor: TableName | None = Field(default=None, description="quantum efficiency of each channel")
    sensor_sha256: Checksum | None = None
    filter: TableName | None = Field(default=None, description="transmission of a filter before the sensor")
    filter_sha256: Checksum | None = None
    range_nm: tuple[OpticalWavelength, OpticalWavelength] | None = None
    spectral_tolerance: float | None = Field(
        default=None, ge=1e-4, le=0.5, description="largest relative change of a point spread function"
    )

    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _order(self) -> Spectrum:
        names = [channel.name for channel in self.channels]
        if self.channels and names != list(CHANNEL_NAMES):
            raise ValueError(f"channels must be red, green, blue in this order, found {names}")
        return self

    @model_validator(mode="after")
    def _one_form(self) -> Spectrum:
        tables = [kind for kind in KINDS if self.table_name(kind) is not None]
        if self.channels and (tables or self.range_nm):
            raise ValueError(
                f"has both channels and {', '.join([*tables, *(['range_nm'] if self.range_nm else [])])}; give three "
                "Gaussian channels, or source and sensor"
            )
        if not self.channels and not {"source", "sensor"} <= set(tables):
            raise ValueError(
                f"has {' and '.join(tables) or 'neither channels nor tables'}; give three Gaussian channels, or "
                "source and sensor"
            )
        if self.range_nm and not self.range_nm[0] < self.range_nm[1]:
            raise ValueError(f"range_nm {list(self.range_nm)} must ascend")
        return self

    @model_validator(mode="after")
    def _known_tables(self) -> Spectrum:
        for kind in KINDS:
            name, checksum = self.table_name(kind), getattr(self, f"{kind}_sha256")
            if name is not None and name not in SHIPPED[kind] and not is_file_name(name):
                choices = ", ".join([*SHIPPED[kind], "a file that ends in .csv"])
                raise ValueError(f"{kind} {name!r} is no table; expected {choices}")
            if checksum is not None and (name is None or name in SHIPPED[kind]):
                raise ValueError(f"{kind}_sha256 is for a file of your own; leave it out")
        return self

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict:
        content: dict = serialise(self)
        if not self.channels:
            content.pop("channels", None)
        return content

    def table_name(self, kind: Kind) -> str | None:
        """Name of the table of a kind, or None."""
        name: str | None = getattr(self, kind)
        return name

    def in_folder(self, folder: Path) -> Spectrum:
        """The same spectrum with its files found in ``folder``, and the SHA-256 of each in the record.

        Raises:
            InputError: a file is missing, no table, or not the one whose SHA-256 is recorded.
        """
        files = [kind for kind in KINDS if is_file_name(self.table_name(kind) or "")]
        if not files:
            return self
        checksums = {f"{kind}_sha256": _checked_table(self, kind, folder).sha256 for kind in files}
        found = self.model_copy(update=checksums)
        found._folder = folder
        return found


@dataclass(frozen=True)
class SpectralTables:
    """The tables of a spectrum; ``filter`` is None where there is no filter."""

    source: SpectralTable
    sensor: SpectralTable
    filter: SpectralTable | None


def read_tables(spectrum: Spectrum) -> SpectralTables:
    """Read the tables that a spectrum names.

    Args:
        spectrum: of the form with tables; files are looked for where :meth:`Spectrum.in_folder` found them.

    Raises:
        InputError: a table cannot be found or read, or is not the one whose SHA-256 is recorded.
    """
    source, sensor = (_checked_table(spectrum, kind, spectrum._folder) for kind in ("source", "sensor"))
    with_filter = spectrum.filter is not None
    return SpectralTables(source, sensor, _checked_table(spectrum, "filter", spectrum._folder) if with_filter else None)


def _checked_table(spectrum: Spectrum, kind: Kind, folder: Path | None) -> SpectralTable:
    name, checksum = spectrum.table_name(kind), getattr(spectrum, f"{kind}_sha256")
    assert name is not None, f"a spectrum without {kind}"
    table = read_spectral_table(name, kind, folder)
    if checksum not in (None, table.sha256):
        raise InputError(
            f"{name}: its SHA-256 is {table.sha256}, but spectrum.{kind}_sha256 is {checksum}; bring back that file, "
            f"or delete the line {kind}_sha256 for another camera with this one."
        )
    return table
