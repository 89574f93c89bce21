"""The ``[spectrum]`` table of ``lens.toml``: what the three colour channels see."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from metalens.formats.record import NotNegative, OpticalWavelength, Record


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
    """What the three channels see: illuminant × filter × quantum efficiency, as bands."""

    channels: tuple[Channel, Channel, Channel]
    wavelengths_per_channel: int = Field(default=9, ge=1, le=99)

    @model_validator(mode="after")
    def _order(self) -> Spectrum:
        names = [channel.name for channel in self.channels]
        if names != ["red", "green", "blue"]:
            raise ValueError(f"channels must be red, green, blue in this order, found {names}")
        return self
