"""The ``[sensor]`` table of ``lens.toml``."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.record import NotNegative, Positive, Record

Tilt = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]


class Sensor(Record):
    """A colour sensor in the terms of EMVA 1288."""

    pixels: tuple[int, int] = Field(description="rows, columns")
    pixel_pitch_um: Positive
    bayer: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = "RGGB"
    bit_depth: int = Field(ge=4, le=16)
    full_well_e: Positive = Field(description="saturation capacity in electrons")
    read_noise_e: NotNegative = Field(description="temporal dark noise, standard deviation in electrons")
    dark_current_e: NotNegative = Field(default=0.0, description="dark signal of one exposure in electrons")
    black_level_dn: NotNegative = Field(default=0.0)
    white_level: float = Field(default=0.85, gt=0, le=1, description="share of the full well that a white scene fills")
    tilt_deg: tuple[Tilt, Tilt] | None = Field(
        default=None, description="slope of the depth towards +y and towards +x: by a turn about x and one about y"
    )

    @model_validator(mode="after")
    def _fit(self) -> Sensor:
        if min(self.pixels) < 16 or max(self.pixels) > 16_384:
            raise ValueError(f"pixels {list(self.pixels)} must lie between 16 and 16384 on each side")
        if self.black_level_dn >= 2**self.bit_depth / 2:
            raise ValueError(
                f"black_level_dn {self.black_level_dn:g} leaves less than half of the {self.bit_depth}-bit range"
            )
        return self

    @property
    def pixel_pitch_m(self) -> float:
        """Pixel pitch in metres."""
        return self.pixel_pitch_um * 1e-6

    @property
    def tilt(self) -> tuple[float, float]:
        """(y, x) in radians: at (y, x) the sensor lies tan(tilt_y) y + tan(tilt_x) x farther from the lens."""
        along_y, along_x = self.tilt_deg or (0.0, 0.0)
        return math.radians(along_y), math.radians(along_x)
