"""``lens.toml``: the description of a metalens camera, the first file of the road.

Keys carry their unit (``aperture_um``, ``wavelength_nm``); an unknown key, a wrong sign or a NaN is refused with
the place, what was found and what was expected. The records below hold the file's own units; the ``*_m``
properties convert to the metres used everywhere inside.
"""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from metalens.formats.errors import InputError

SCHEMA = "metalens.camera"
VERSION = 1

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
OpticalWavelength = Annotated[float, Field(ge=200, le=20_000, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class HyperbolicPhase(_Record):
    """Focuses a plane wave on axis without spherical aberration, at one wavelength."""

    family: Literal["hyperbolic"]
    wavelength_nm: OpticalWavelength


class QuadraticPhase(_Record):
    """The wide-field profile −πr²/(λf): a tilt of the wave is a shift of the pupil."""

    family: Literal["quadratic"]
    wavelength_nm: OpticalWavelength


class EvenPolynomialPhase(_Record):
    """Σ aᵢ (r/R)^(2i), i = 1, 2, …: the form of neural nano-optics."""

    family: Literal["even_polynomial"]
    coefficients_rad: tuple[Finite, ...] = Field(min_length=1, max_length=32)
    radius_um: Positive


Phase = Annotated[HyperbolicPhase | QuadraticPhase | EvenPolynomialPhase, Field(discriminator="family")]


class MetaAtoms(_Record):
    """The pillars that make the phase. Recorded for fabrication; the phase here is taken as ideal."""

    material: str
    substrate: str
    pitch_nm: Positive
    height_nm: Positive
    diameter_nm: tuple[Positive, Positive]

    @model_validator(mode="after")
    def _fit(self) -> MetaAtoms:
        smallest, largest = self.diameter_nm
        if not smallest < largest < self.pitch_nm:
            raise ValueError(
                f"diameter_nm {list(self.diameter_nm)} must grow and stay under pitch_nm {self.pitch_nm:g}"
            )
        return self


class Lens(_Record):
    """A flat circular lens whose aperture stop is the lens itself."""

    aperture_um: Positive = Field(description="diameter of the clear aperture")
    focal_length_um: Positive = Field(description="distance from the lens to the sensor")
    phase: Phase
    meta_atoms: MetaAtoms | None = None

    @property
    def aperture_m(self) -> float:
        """Aperture diameter in metres."""
        return self.aperture_um * 1e-6

    @property
    def focal_length_m(self) -> float:
        """Focal length in metres."""
        return self.focal_length_um * 1e-6


class Sensor(_Record):
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


class Channel(_Record):
    """The spectral band of one colour channel: a Gaussian in wavelength."""

    name: Literal["red", "green", "blue"]
    centre_nm: OpticalWavelength
    fwhm_nm: NotNegative = Field(description="full width at half maximum; 0 is a laser line")

    @model_validator(mode="after")
    def _fit(self) -> Channel:
        if self.fwhm_nm > self.centre_nm / 2:
            raise ValueError(f"fwhm_nm {self.fwhm_nm:g} is more than half of centre_nm {self.centre_nm:g}")
        return self


class Spectrum(_Record):
    """What the three channels see: illuminant × filter × quantum efficiency, as bands."""

    channels: tuple[Channel, Channel, Channel]
    wavelengths_per_channel: int = Field(default=9, ge=1, le=99)

    @model_validator(mode="after")
    def _order(self) -> Spectrum:
        names = [channel.name for channel in self.channels]
        if names != ["red", "green", "blue"]:
            raise ValueError(f"channels must be red, green, blue in this order, found {names}")
        return self


class Camera(_Record):
    """A metalens in front of a colour sensor, seeing a scene at infinity."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    description: str = ""
    lens: Lens
    sensor: Sensor
    spectrum: Spectrum

    @model_validator(mode="after")
    def _fit(self) -> Camera:
        rows, columns = self.sensor.pixels
        half_diagonal = 0.5 * math.hypot(rows, columns) * self.sensor.pixel_pitch_um
        corner = math.degrees(math.atan2(half_diagonal, self.lens.focal_length_um))
        if corner > 75:
            raise ValueError(
                f"the sensor's corner lies {corner:.1f}° off axis, more than the 75° that a scalar model holds; "
                "use a longer focal_length_um, fewer pixels or a smaller pixel_pitch_um"
            )
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the content in canonical form; comments, order and layout of the file do not change it."""
        return hashlib.sha256(self.model_dump_json(exclude={"description"}).encode()).hexdigest()


def preset_names() -> list[str]:
    """Names of the cameras that come with the package."""
    folder = resources.files("metalens.formats") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_camera(source: str | os.PathLike[str]) -> Camera:
    """Read a camera from a ``lens.toml`` or by the name of a preset.

    Raises:
        InputError: there is no such file or preset, or its content does not describe a camera.
    """
    name = os.fspath(source)
    if name in preset_names():
        text = (resources.files("metalens.formats") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        return parse_camera(text, origin=f"preset {name}")
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"{name}: neither a file nor a preset; give a lens.toml or one of {', '.join(preset_names())}."
        )
    if path.stat().st_size > 2**20:
        raise InputError(f"{name}: {path.stat().st_size} bytes is no lens.toml; at most 1 MiB is read.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: could not be read as UTF-8 text ({error}).") from error
    return parse_camera(text, origin=name)


def parse_camera(text: str, *, origin: str = "lens.toml") -> Camera:
    """Read a camera from the text of a ``lens.toml``.

    Args:
        text: the file's content.
        origin: how error messages name it.

    Raises:
        InputError: the text is not TOML, of another schema, or does not describe a camera.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin}: not valid TOML ({error}).") from error
    if content.pop("schema", None) != SCHEMA or content.pop("version", None) != VERSION:
        raise InputError(
            f'{origin}: expected the lines schema = "{SCHEMA}" and version = {VERSION} at the top; '
            "copy them from a preset."
        )
    try:
        return Camera.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{origin}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    """The first problem of a validation error as one sentence, and how many more there are."""
    # An unknown key says more than the missing one that it was meant to be.
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    # A misspelt key is both unknown and missing; the unknown one shows the mistake.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    families = {"hyperbolic", "quadratic", "even_polynomial"}
    place = ".".join(str(part) for part in first["loc"] if part not in families) or "the file"
    if first["type"] == "extra_forbidden":
        what = f"unknown key {place}; check its spelling and unit (keys end in _um, _nm, _rad, _e or _dn)"
        lacking = [str(each["loc"][-1]) for each in problems if each["type"] == "missing"]
        if lacking:
            what += f"; missing: {', '.join(lacking)}"
        problems = [each for each in problems if each["type"] != "missing"]
    elif first["type"] == "missing":
        what = f"missing key {place}"
    else:
        what = f"{place}: {first['msg'].removeprefix('Value error, ')}"
        if first["type"] != "value_error":
            what += f", found {first['input']!r}"
    more = f" ({len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return f"{what}{more}."


def dump_camera(camera: Camera) -> str:
    """Write a camera as the text of a ``lens.toml`` that :func:`parse_camera` reads back to an equal record."""
    lines = [f'schema = "{SCHEMA}"', f"version = {VERSION}"]
    _dump_table(camera.model_dump(exclude_none=True), "", lines)
    return "\n".join(lines) + "\n"


def _dump_table(table: dict, prefix: str, lines: list[str]) -> None:
    nested = {key: value for key, value in table.items() if isinstance(value, dict)}
    listed = {
        key: value
        for key, value in table.items()
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict)
    }
    for key, value in table.items():
        if key not in nested and key not in listed:
            lines.append(f"{key} = {_toml_value(value)}")
    for key, value in nested.items():
        lines += ["", f"[{prefix}{key}]"]
        _dump_table(value, f"{prefix}{key}.", lines)
    for key, values in listed.items():
        for value in values:
            lines += ["", f"[[{prefix}{key}]]"]
            _dump_table(value, f"{prefix}{key}.", lines)


def _toml_value(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return repr(value)
