"""``lens.toml``: the description of a metalens camera, the first file of the chain.

Keys carry their unit (``aperture_um``, ``wavelength_nm``); an unknown key, a wrong sign or a NaN is refused with
the place, what was found and what was expected. The records below hold the file's own units; the ``*_m``
properties convert to the metres used everywhere inside.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from metalens.formats.camera.changes import folder_of, merged_tables, named_files
from metalens.formats.camera.lens import Lens
from metalens.formats.camera.parts import Aperture, Response
from metalens.formats.camera.phase import Phase
from metalens.formats.camera.sensor import Sensor
from metalens.formats.camera.sensor_preset import with_sensor_preset
from metalens.formats.camera.spectrum import Spectrum
from metalens.formats.files.atomic import atomic_file, write_text
from metalens.formats.files.record import Positive, Record, tags_of
from metalens.formats.files.toml_file import dump_toml, parse_toml, read_text, shipped_names, shipped_text, validated

SCHEMA = "metalens.camera"
VERSION = 1
NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$"
"""Pattern of a camera's name."""

LENS_FILE = "lens.toml"
"""The usual name of a camera's file."""

TAGS = tags_of(Phase, Aperture, Response)


class Camera(Record):
    """A metalens in front of a colour sensor, seeing a scene in a plane at infinity or at a distance."""

    name: str = Field(min_length=1, max_length=80, pattern=NAME)
    description: str = ""
    lens: Lens
    sensor: Sensor
    spectrum: Spectrum
    object_distance_mm: Positive | None = Field(
        default=None,
        description="from the scene to the first refractive surface, else the stop, else the lens; None is infinity",
    )

    @model_validator(mode="after")
    def _fit(self) -> Camera:
        rows, columns = self.sensor.pixels
        half_diagonal = 0.5 * math.hypot(rows, columns) * self.sensor.pixel_pitch_um
        away = half_diagonal + math.hypot(*(self.lens.decentre_um or (0.0, 0.0)))
        corner = math.degrees(math.atan2(away, self.lens.focal_length_um))
        if corner > 75:
            raise ValueError(
                f"the sensor's corner lies {corner:.1f}° off axis, more than the 75° that a scalar model holds; "
                "use a longer focal_length_um, fewer pixels, a smaller pixel_pitch_um or a smaller decentre_um"
            )
        if self.lens.surfaces is not None and self.sensor.tilt_deg is not None and any(self.sensor.tilt_deg):
            raise ValueError(
                "sensor.tilt_deg and lens.surfaces: tilted sensors are not simulated behind refractive surfaces; leave "
                "out one of them"
            )
        return self

    @property
    def object_distance_m(self) -> float:
        """Distance of the scene in metres, or infinity."""
        return math.inf if self.object_distance_mm is None else self.object_distance_mm * 1e-3

    @property
    def hash(self) -> str:
        """SHA-256 of the content in canonical form.

        Comments, order and layout of the file do not change it, nor do keys of later versions that are not set.
        """
        return hashlib.sha256(self.model_dump_json(exclude={"description"}, exclude_none=True).encode()).hexdigest()

    def with_(self, **changes: Any) -> Camera:
        """The same camera with some of its keys changed; this one stays as it is.

        Args:
            changes: keys of a ``lens.toml`` with their new values, in the file's units. A table is a dictionary and is
                merged into the one that is there. It replaces that one if it has another ``family``, ``kind`` or
                ``shape``; so does a ``sensor`` with a ``preset`` and a ``spectrum`` with ``channels`` or a ``source``.
                ``None`` removes an optional key. Files are looked for where those of this camera lie, or else in the
                current folder.

        Returns:
            The changed camera, checked as a ``lens.toml`` is.

        Raises:
            InputError: a key is unknown, a value is out of its range, or a file is missing; the sentence names the key.

        Example:
            >>> camera = read_camera("metacamera")
            >>> small = camera.with_(name="small", lens={"aperture_um": 150}, sensor={"pixels": (96, 96)})
            >>> small.lens.aperture_um, small.lens.focal_length_um, small.sensor.pixels
            (150.0, 1000.0, (96, 96))
            >>> camera.with_(lens={"phase": {"family": "hyperbolic", "wavelength_nm": 530}}).lens.phase.family
            'hyperbolic'
            >>> camera.with_(lens={"aperture_mm": 0.15})  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            metalens.formats.files.errors.InputError: camera metacamera, changed: unknown key lens.aperture_mm; check...
        """
        origin, folder = f"camera {self.name}, changed", folder_of(self)
        base = self.model_dump(exclude_none=True)
        sensor = changes.get("sensor")
        if isinstance(sensor, dict) and "preset" in sensor:
            changes["sensor"] = with_sensor_preset(sensor, folder)
            del base["sensor"]
        changed = validated(Camera, merged_tables(base, changes), origin=origin, tags=TAGS)
        return changed.in_folder(folder)

    def in_folder(self, folder: Path) -> Camera:
        """The same camera with the files that it names found in ``folder``, and their SHA-256 in the record.

        Raises:
            InputError: a file is missing, or not the one whose SHA-256 is recorded.
        """
        found = {"lens": self.lens.in_folder(folder), "spectrum": self.spectrum.in_folder(folder)}
        return self.model_copy(update=found)


def preset_names() -> list[str]:
    """Names of the cameras that come with the package, sorted.

    Example:
        >>> preset_names()[:5]
        ['hyperbolic', 'metacamera', 'metacamera-200um', 'multi-order', 'nano-optics']
    """
    return shipped_names("camera/presets")


@cache
def _presets_by_hash() -> dict[str, str]:
    return {read_camera(name).hash: name for name in preset_names()}


def known_as(name: str, lens_hash: str) -> str:
    """The name by which a camera can be given to commands: that of the preset with its hash, or else its own.

    The two differ where a preset was renamed. Its ``name`` stays as it was, since it is part of the hash.

    Args:
        name: the camera's own name.
        lens_hash: :attr:`Camera.hash`.

    Returns:
        The preset's name, or ``name`` if no preset has this hash.

    Example:
        >>> former = read_camera("metacamera-200um")
        >>> former.name, known_as(former.name, former.hash)
        ('metacamera', 'metacamera-200um')
    """
    return _presets_by_hash().get(lens_hash, name)


def read_camera(source: str | os.PathLike[str]) -> Camera:
    """Read a camera from a ``lens.toml`` or by the name of a preset.

    Args:
        source: the file's path, or one of :func:`preset_names`.

    Returns:
        The camera. Its keys are those of the file, with the file's units in their names: ``camera.lens.aperture_um``.

    Raises:
        InputError: there is no such file or preset, its content does not describe a camera, or a file that it names
            is missing or has changed.

    Example:
        >>> camera = read_camera("metacamera")
        >>> camera.lens.aperture_um, camera.lens.focal_length_um, camera.sensor.pixels
        (110.0, 1000.0, (400, 400))
    """
    name = os.fspath(source)
    if name in preset_names():
        return parse_camera(shipped_text("camera/presets", name), origin=f"preset {name}")
    path = Path(source)
    missing = f"neither a file nor a preset; give a lens.toml or one of {', '.join(preset_names())}."
    camera = parse_camera(read_text(path, "lens.toml", missing=missing), origin=name, folder=path.parent)
    return camera.in_folder(path.parent)


def write_camera(path: str | os.PathLike[str], camera: Camera) -> None:
    """Write a camera as a ``lens.toml``; the file appears whole or not at all.

    Args:
        path: the file, which is replaced if it is there. Files that the camera names are not copied beside it.
        camera: the camera.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> camera = read_camera("metacamera").with_(lens={"aperture_um": 150})
        >>> with TemporaryDirectory() as folder:
        ...     write_camera(f"{folder}/my-lens.toml", camera)
        ...     read_camera(f"{folder}/my-lens.toml") == camera
        True
    """
    write_text(path, dump_camera(camera))


def copy_camera(camera: Camera, folder: Path) -> None:
    """Write a camera as ``lens.toml`` into a folder, with copies of the files that it names.

    Args:
        camera: as :func:`read_camera` gives it.
        folder: where to.

    Raises:
        InputError: the disk refuses the write.
    """
    origin = folder_of(camera)
    for place in named_files(camera):
        copy = folder / place.relative_to(origin)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(copy) as part:
            shutil.copyfile(place, part)
    write_camera(folder / LENS_FILE, camera)


def parse_camera(text: str, *, origin: str = "lens.toml", folder: Path | None = None) -> Camera:
    """Read a camera from the text of a ``lens.toml``.

    Args:
        text: the file's content.
        origin: how error messages name it.
        folder: where it lies, if its sensor may begin with a file beside it.

    Returns:
        The camera, with its sensor's preset filled in.

    Raises:
        InputError: the text is not TOML, of another schema, or does not describe a camera.
    """
    content = parse_toml(text, SCHEMA, VERSION, origin=origin, remedy="copy them from a preset")
    if isinstance(content.get("sensor"), dict):
        content["sensor"] = with_sensor_preset(content["sensor"], folder)
    return validated(Camera, content, origin=origin, tags=TAGS)


def dump_camera(camera: Camera) -> str:
    """Write a camera as the text of a ``lens.toml`` that :func:`parse_camera` reads back to an equal record."""
    return dump_toml(SCHEMA, VERSION, camera.model_dump(exclude_none=True))


def camera_to_json(camera: Camera) -> dict[str, str]:
    """The camera and the files that it names, as text for another process."""
    return {"lens_toml": dump_camera(camera), "folder": str(folder_of(camera).resolve())}


def camera_of_json(told: Mapping[str, str]) -> Camera:
    """The camera of :func:`camera_to_json`."""
    folder = Path(told["folder"])
    return parse_camera(told["lens_toml"], folder=folder).in_folder(folder)
