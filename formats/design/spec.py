"""``design.toml``: specification of a lens design, and settings of the search.

A specification has a camera (complete, or as changes to another one), the free parameters of its lens, the fields and
wavelengths of the evaluation, and the objectives. docs/design.md lists all keys.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from metalens.formats.camera.camera import TAGS as CAMERA_TAGS
from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.camera.changes import merged_tables
from metalens.formats.camera.sensor_preset import with_sensor_preset
from metalens.formats.design.exploration import Exploration
from metalens.formats.design.objectives import Objective
from metalens.formats.design.tolerance_spec import TYPICAL, Distribution, Errors
from metalens.formats.design.variables import Variables
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import is_file
from metalens.formats.files.record import (
    NotNegative,
    OpticalWavelength,
    Positive,
    Record,
    tags_of,
)
from metalens.formats.files.toml_file import dump_toml, parse_toml, read_text, shipped_names, shipped_text, validated

SCHEMA = "metalens.design"
VERSION = 1
TAGS = tags_of(Variables, Objective, Distribution) | CAMERA_TAGS

Angle = Annotated[float, Field(ge=0, le=75, allow_inf_nan=False)]
Turn = Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]
StartFamily = Literal[
    "hyperbolic", "quadratic", "log_asphere", "smallest_spots", "camera", "independent", "interleaved"
]
Engine = Literal["auto", "direction_cosine", "angular_spectrum"]


class Start(Record):
    """Starting lenses of the search; each is tried for a few steps."""

    families: tuple[StartFamily, ...] = Field(
        default=("hyperbolic", "quadratic", "log_asphere"), max_length=7, description="camera is the camera's own phase"
    )
    wavelengths_nm: tuple[OpticalWavelength, ...] = Field(
        default=(), max_length=16, description="design wavelengths; empty for the middle of each channel"
    )
    random: int = Field(default=0, ge=0, le=256, description="further starts: the others with a random phase added")
    random_rad: Positive = Field(default=4.0, description="standard deviation of that phase over the lens")
    steps: int = Field(default=10, ge=0, le=1000, description="steps of each trial")
    learning_rate: Positive = Field(default=0.5, description="of the trials, see search")

    @model_validator(mode="after")
    def _fit(self) -> Start:
        if not self.families:
            raise ValueError("families is empty; name at least one lens to begin with")
        return self


class Sampling(Record):
    """Fields and wavelengths at which a lens is evaluated during the search."""

    fields_deg: tuple[Angle, ...] = Field(min_length=1, max_length=64, description="from the axis, ascending")
    azimuths_deg: tuple[Turn, ...] = Field(
        default=(0.0,), min_length=1, max_length=32, description="sides on which the fields lie, from +x towards +y"
    )
    weights: tuple[Positive, ...] | None = Field(
        default=None, description="of the fields in means; None is the share of the sensor nearest to each"
    )
    wavelengths_per_channel: int | None = Field(default=None, ge=1, le=99, description="None is the camera's own")
    window_pixels: int = Field(default=65, ge=9, le=401, description="side of each point spread function, odd")
    engine: Engine = "angular_spectrum"

    @model_validator(mode="after")
    def _fit(self) -> Sampling:
        if list(self.fields_deg) != sorted(set(self.fields_deg)):
            raise ValueError(f"fields_deg {list(self.fields_deg)} must ascend, each once; sort them")
        if self.window_pixels % 2 == 0:
            raise ValueError(
                f"window_pixels {self.window_pixels} is even; an odd number has a middle pixel for the chief ray"
            )
        if self.weights is not None and len(self.weights) != len(self.fields_deg):
            raise ValueError(f"{len(self.weights)} weights for {len(self.fields_deg)} fields_deg; give one a field")
        return self


class FabricationSamples(Record):
    """Lenses with random errors, over which the objectives are averaged; the same ones in every step."""

    samples: int = Field(default=8, ge=1, le=256)
    spread_weight: NotNegative = Field(
        default=0.0, description="standard deviations over the lenses by which each objective's mean is worsened"
    )
    seed: int = Field(default=0, ge=0, lt=2**63)
    errors: Errors = Field(default=TYPICAL.errors, description="the distribution of each error")


class Search(Record):
    """Settings of the search: Adam with a cosine learning rate."""

    steps: int = Field(default=300, ge=1, le=100_000)
    learning_rate: Positive = Field(default=0.1, description="of the variables, in radians of phase or their own unit")
    patience: int = Field(default=100, ge=1, description="steps without progress after which it stops")
    progress: NotNegative = Field(default=1e-4, description="fall of the loss that counts as progress")
    seed: int = Field(default=0, ge=0, lt=2**63, description="of the random starts")


class DesignSpec(Record):
    """A complete specification, with its camera."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    description: str = ""
    camera: Camera
    variables: Variables
    start: Start = Start()
    sampling: Sampling
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=16)
    fabrication: FabricationSamples | None = None
    search: Search = Search()
    explore: Exploration | None = Field(default=None, description="architectures for `metalens explore`")

    @property
    def stop_terms(self) -> int | None:
        """Free terms of a phase in the plane of the stop; None if it is not one of the variables."""
        return getattr(self.variables, "stop_terms", None)

    @property
    def hash(self) -> str:
        """SHA-256 of the content in canonical form; comments, order and descriptions do not change it."""
        content = self.model_dump_json(exclude={"description": True, "camera": {"description"}}, exclude_none=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def with_(self, **changes: Any) -> DesignSpec:
        """The same specification with some of its keys changed; this one stays as it is.

        Args:
            changes: keys of a ``design.toml`` with their new values; tables are merged as by
                :meth:`metalens.formats.camera.camera.Camera.with_`. ``camera`` takes changes of the camera.

        Raises:
            InputError: a key is unknown or a value is out of its range; the sentence names the key.

        Example:
            >>> spec = read_design("held").with_(camera={"lens": {"aperture_um": 200}}, search={"steps": 100})
            >>> spec.camera.lens.aperture_um, spec.search.steps, spec.search.patience
            (200.0, 100, 80)
        """
        camera = changes.pop("camera", {})
        changed = camera if isinstance(camera, Camera) else self.camera.with_(**camera)
        content = merged_tables(self.model_dump(exclude={"camera"}, exclude_none=True), changes) | {"camera": changed}
        return validated(DesignSpec, content, origin=f"design {self.name}, changed", tags=TAGS)


def design_names() -> list[str]:
    """Names of the specifications that come with the package, sorted.

    Example:
        >>> design_names()[:2]
        ['explore-1mm3', 'held']
    """
    return shipped_names("design/designs")


def read_design(source: str | os.PathLike[str]) -> DesignSpec:
    """Read a specification from a file or by the name of a shipped one.

    Args:
        source: the path of a ``design.toml``, or one of :func:`design_names`.

    Returns:
        The specification, with its camera. Its keys are those of the file, with the file's units in their names.

    Raises:
        InputError: there is no such file or name, or its content is no specification.

    Example:
        >>> spec = read_design("held")
        >>> spec.camera.lens.aperture_um, spec.sampling.fields_deg
        (300.0, (0.0, 5.0, 10.0, 15.0, 20.0))
    """
    name = os.fspath(source)
    if name in design_names():
        return parse_design(shipped_text("design/designs", name), origin=f"design {name}")
    path = Path(source)
    missing = f"neither a file nor a shipped specification; give a design.toml or one of {', '.join(design_names())}."
    spec = parse_design(read_text(path, "design.toml", missing=missing), origin=name, folder=path.parent)
    return spec.model_copy(update={"camera": spec.camera.in_folder(path.parent)})


def parse_design(text: str, *, origin: str = "design.toml", folder: Path | None = None) -> DesignSpec:
    """Read a specification from its text.

    Args:
        text: the file's content.
        origin: how error messages name it.
        folder: where it lies, if its camera begins with a file beside it.

    Returns:
        The specification, with its camera filled in.

    Raises:
        InputError: the text is not TOML, of another schema, or no specification.
    """
    content = parse_toml(text, SCHEMA, VERSION, origin=origin, remedy="copy them from docs/design.md")
    if isinstance(content.get("camera"), dict):
        content["camera"] = _camera_table(content, origin, folder)
    return validated(DesignSpec, content, origin=origin, tags=TAGS)


def dump_design(spec: DesignSpec) -> str:
    """Write a specification, with its whole camera, as the text of a ``design.toml``.

    :func:`parse_design` reads it back to an equal record.
    """
    return dump_toml(SCHEMA, VERSION, spec.model_dump(exclude_none=True))


def _camera_table(content: dict[str, Any], origin: str, folder: Path | None) -> dict[str, Any]:
    """The camera's tables: those of its base, and what the specification says otherwise."""
    table = dict(content["camera"])
    base = table.pop("base", None)
    found: dict[str, Any] = {}
    if base is not None:
        if not isinstance(base, str):
            raise InputError(f"{origin}: camera.base {base!r} must be the name of a preset or of a file.")
        beside = None if folder is None else folder / base
        camera = read_camera(beside if beside is not None and is_file(beside) else base)
        found = camera.model_dump(exclude_none=True, exclude={"name", "description"})
    if isinstance(table.get("sensor"), dict):
        table["sensor"] = with_sensor_preset(table["sensor"], folder)
    merged = merged_tables(found, table)
    merged.setdefault("name", content.get("name"))
    lens = merged.get("lens")
    if isinstance(lens, dict) and "phase" not in lens:
        # What is free replaces it; a camera is whole only with one.
        lens["phase"] = {"family": "hyperbolic", "wavelength_nm": 532.0}
    return merged
