"""The ``[sensor]`` table of ``lens.toml``: a sensor in the terms of EMVA 1288, and how its frames are developed."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from metalens.formats.files.record import Finite, NotNegative, PixelPitch, Positive, Record

Tilt = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)]
Efficiency = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=-200, le=200, allow_inf_nan=False)]
Row = tuple[Finite, Finite, Finite]


class Development(Record):
    """Development of the raw frame, where it differs from the default (automatic white balance and sRGB)."""

    white_balance: tuple[Positive, Positive, Positive] | None = Field(
        default=None, description="gains of red, green and blue; 1 for green shows a white scene's green as 1"
    )
    colour_matrix: tuple[Row, Row, Row] | None = Field(
        default=None, description="from balanced camera values to linear sRGB; each row sums to 1"
    )
    gamma: float | None = Field(
        default=None, ge=0.2, le=5, allow_inf_nan=False, description="encode as light^(1/gamma), not as sRGB"
    )

    @model_validator(mode="after")
    def _white_stays_white(self) -> Development:
        for row in self.colour_matrix or ():
            if abs(sum(row) - 1) > 0.01:
                raise ValueError(f"colour_matrix: the row {list(row)} sums to {sum(row):.4g}; 1 keeps white white")
        return self


class Sensor(Record):
    """A colour sensor in the terms of EMVA 1288; a term that is None is switched off, unless a preset gives it."""

    pixels: tuple[int, int] = Field(description="rows, columns")
    pixel_pitch_um: PixelPitch
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

    quantum_efficiency: tuple[Efficiency, Efficiency, Efficiency] | None = Field(
        default=None, description="electrons a photon, red, green and blue"
    )
    white_photons: Positive | None = Field(
        default=None, description="photons of a channel that a white scene sends to a pixel; in place of white_level"
    )
    crosstalk: Share | None = Field(default=None, description="share of a pixel's electrons that its 4 neighbours get")
    shot_noise: bool | None = Field(default=None, description="false switches it off")
    dark_current_e_per_s: NotNegative | None = Field(default=None, description="at the reference temperature")
    exposure_time_s: Positive | None = None
    temperature_c: Celsius | None = None
    reference_temperature_c: Celsius | None = Field(default=None, description="at which dark_current_e_per_s holds")
    doubling_c: Positive | None = Field(default=None, description="by how much the dark current doubles")
    dsnu_e: NotNegative | None = Field(default=None, description="DSNU1288: dark signal between pixels")
    prnu_percent: Percent | None = Field(default=None, description="PRNU1288: response between pixels")
    row_pattern_e: NotNegative | None = Field(default=None, description="offset of each row, the same in all shots")
    column_pattern_e: NotNegative | None = Field(default=None, description="offset of each column, likewise")
    row_noise_e: NotNegative | None = Field(default=None, description="offset of each row, new in each shot")
    column_noise_e: NotNegative | None = Field(default=None, description="offset of each column, likewise")
    hot_pixel_share: Share | None = None
    hot_pixel_e: Positive | None = Field(default=None, description="mean dark signal of a hot pixel in one exposure")
    dead_pixel_share: Share | None = Field(default=None, description="pixels that read the black level")
    system_gain_dn_per_e: Positive | None = Field(
        default=None, description="K; None lets the full well read as the largest number"
    )
    rolling_gain_percent: Percent | None = Field(
        default=None, description="slow drift of the gain along the rows of a shot, standard deviation"
    )
    camera_seed: int | None = Field(default=None, ge=0, lt=2**63, description="which camera: its fixed patterns")
    development: Development | None = None

    @model_validator(mode="after")
    def _fit(self) -> Sensor:
        if min(self.pixels) < 16 or max(self.pixels) > 16_384:
            raise ValueError(f"pixels {list(self.pixels)} must lie between 16 and 16384 on each side")
        if self.black_level_dn >= 2**self.bit_depth / 2:
            raise ValueError(
                f"black_level_dn {self.black_level_dn:g} leaves less than half of the {self.bit_depth}-bit range"
            )
        return self

    @model_validator(mode="after")
    def _belong_together(self) -> Sensor:
        for names in (
            ("dark_current_e_per_s", "exposure_time_s"),
            ("temperature_c", "reference_temperature_c", "doubling_c"),
            ("hot_pixel_share", "hot_pixel_e"),
        ):
            given = [name for name in names if getattr(self, name) is not None]
            if given and len(given) < len(names):
                lacking = [name for name in names if name not in given]
                raise ValueError(f"{' and '.join(given)} needs {' and '.join(lacking)} as well")
        if self.white_photons is not None and self.quantum_efficiency is None:
            raise ValueError("white_photons needs quantum_efficiency as well")
        if self.temperature_c is not None and self.dark_current_e_per_s is None:
            raise ValueError("temperature_c needs dark_current_e_per_s as well")
        return self

    @model_validator(mode="after")
    def _sees_light(self) -> Sensor:
        room, white = self.saturation_e, self.white_level * self.full_well_e * self.system_gain
        if room < 1:
            raise ValueError(
                f"a pixel saturates at {room:g} electrons, one or more was expected; check full_well_e and "
                "system_gain_dn_per_e"
            )
        for what, electrons, keys in (
            ("dark signal of an exposure", self.dark_signal_e, "dark_current_e, or dark_current_e_per_s and its time"),
            ("temporal dark noise", self.read_noise_e, "read_noise_e"),
        ):
            if electrons >= room:
                raise ValueError(
                    f"the {what}, {electrons:g} electrons, leaves no room for light below saturation at {room:g}; "
                    f"check {keys}"
                )
        if white < 1:
            raise ValueError(
                f"a white scene gives {white:g} DN, one or more was expected; check system_gain_dn_per_e and "
                "white_level"
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

    @property
    def dark_signal_e(self) -> float:
        """Mean dark signal of one exposure in electrons: EMVA 1288's µ_d0 + µ_I t, with µ_I doubling every T_d."""
        if self.dark_current_e_per_s is None or self.exposure_time_s is None:
            return self.dark_current_e
        current = self.dark_current_e_per_s
        if self.temperature_c is not None and self.reference_temperature_c is not None and self.doubling_c is not None:
            # Beyond 2^1000 a float overflows; so much dark current is refused.
            current *= 2.0 ** min((self.temperature_c - self.reference_temperature_c) / self.doubling_c, 1000.0)
        return self.dark_current_e + current * self.exposure_time_s

    @property
    def system_gain(self) -> float:
        """System gain K in DN per electron."""
        if self.system_gain_dn_per_e is not None:
            return self.system_gain_dn_per_e
        return (2**self.bit_depth - 1 - self.black_level_dn) / self.full_well_e

    @property
    def saturation_e(self) -> float:
        """Electrons at which a pixel saturates: its well is full, or its number the largest."""
        if self.system_gain_dn_per_e is None:
            return self.full_well_e
        return min(self.full_well_e, (2**self.bit_depth - 1 - self.black_level_dn) / self.system_gain_dn_per_e)
