"""Files to begin with: a valid, commented file of each kind that a person writes.

The values are those of a shipped file or of the defaults; the comments are the descriptions of the records that read
the file, so that they cannot say anything else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metalens.formats.camera.camera import NAME, Camera
from metalens.formats.files.atomic import write_text
from metalens.formats.files.claim import claimed_file
from metalens.formats.files.commented_toml import commented_toml
from metalens.formats.files.errors import InputError
from metalens.formats.files.schema_keys import Key, Table, table_of
from metalens.formats.files.toml_file import shipped_text

NAMED = ("lens", "design", "library")
"""Kinds of files that have a name inside."""

_INLINE = ("distribution", "start")
"""First keys of the tables that are written in one line: a distribution, a range."""

_OF_EVERY_LENS = ("pitch_error_percent", "defocus_um", "tilt_y_deg", "tilt_x_deg", "decentre_y_um", "decentre_x_um")


@dataclass(frozen=True)
class StartingFile:
    """One kind of file.

    Attributes:
        what: the file, as a sentence begins with it.
        read_by: the command that reads it, in which FILE stands for it.
        document: where all of its keys are described.
        content: its tables and values, computed when they are asked for.
    """

    what: str
    read_by: str
    document: str
    content: Callable[[], tuple[Table, Mapping[str, Any]]]


def starting_text(kind: str, name: str) -> str:
    """The text of a file to begin with.

    Args:
        kind: one of :data:`KINDS`.
        name: what the camera, design or library is called; without meaning for other kinds.

    Returns:
        TOML that its reader accepts.

    Raises:
        InputError: there is no such kind, or the name is none that the file can have.
    """
    if kind not in KINDS:
        raise InputError(f"there is no file of the kind {kind!r}; expected one of {', '.join(KINDS)}.")
    chosen = KINDS[kind]
    table, values = chosen.content()
    schema = {key: values[key] for key in ("schema", "version") if key in values}
    rest = {key: value for key, value in values.items() if key not in schema}
    if kind in NAMED:
        rest = {"name": name} | rest | {"name": name}
    command = chosen.read_by.replace("FILE", f"{name}.toml").replace("NAME", name)
    head = [f"# {chosen.what}", f"# All keys: {chosen.document}", f"# {command}"]
    head += [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in schema.items()]
    return commented_toml(table, rest, head=head, inline=_INLINE)


def write_starting_file(kind: str, place: Path) -> Path:
    """Write a file to begin with; it appears whole or not at all.

    Args:
        kind: one of :data:`KINDS`.
        place: the file; ``.toml`` is added where it does not end so. Its name is that of the camera or design, too.

    Returns:
        The file that was written.

    Raises:
        InputError: it exists, its folder does not, the disk refuses the write, or its name is none that a camera can
            have.
    """
    if not place.name:
        raise InputError("no name was given; give that of the file to begin with.")
    path = place if place.suffix == ".toml" else place.with_name(place.name + ".toml")
    with claimed_file(path):
        _require_name(path.stem)
        write_text(path, starting_text(kind, path.stem))
    return path


def _require_name(name: str) -> None:
    if not re.match(NAME, name) or len(name) > 80:
        raise InputError(
            f"{name!r} is no name of a file to begin with; use letters, digits, spaces, dots, hyphens and underscores, "
            "the first one a letter or a digit, 80 at most."
        )


def _lens() -> tuple[Table, Mapping[str, Any]]:
    return table_of(Camera), _shipped("camera/presets", "hyperbolic") | {"description": ""}


def _design() -> tuple[Table, Mapping[str, Any]]:
    from metalens.formats.design.spec import DesignSpec

    return table_of(DesignSpec), _shipped("design/designs", "held") | {"description": ""}


def _tolerances() -> tuple[Table, Mapping[str, Any]]:
    from metalens.formats.design.tolerance_spec import SCHEMA, TYPICAL, VERSION, ToleranceSpec

    # Those that every lens can have; the errors of meta-atoms need a response that has some.
    errors = TYPICAL.errors.model_dump(include=set(_OF_EVERY_LENS), exclude_none=True)
    values = {"description": "", "errors": errors, "limits": {"strehl_ratio": 0.01}}
    return table_of(ToleranceSpec), {"schema": SCHEMA, "version": VERSION, **values}


def _library() -> tuple[Table, Mapping[str, Any]]:
    from metalens.formats.meta_atoms.spec import LibrarySpec

    return table_of(LibrarySpec), _shipped("meta_atoms/libraries", "si3n4-on-sio2")


def _sensor() -> tuple[Table, Mapping[str, Any]]:
    from metalens.formats.camera.sensor import Sensor

    return _of_tables("sensor file", {"sensor": table_of(Sensor)}), _shipped("camera/sensors", "ov6946")


def _captures() -> tuple[Table, Mapping[str, Any]]:
    from metalens.formats.captures.pinhole_captures import SCHEMA, VERSION, CaptureSet

    values = {
        "schema": SCHEMA,
        "version": VERSION,
        "colour": "rgb",
        "full_scale_dn": 1023.0,
        "black_level_dn": 16.0,
        "area": "sensor",
        "captures": [
            {"file": "pinhole_centre.npy", "y_um": 0.0, "x_um": 0.0},
            {"file": "pinhole_10deg.npy", "field_deg": 10.0, "azimuth_deg": 0.0},
        ],
    }
    return table_of(CaptureSet), values


def _training() -> tuple[Table, Mapping[str, Any]]:
    from metalens.restore.adapter.paths import PathShares
    from metalens.restore.adapter.restorer import AdapterConfig
    from metalens.restore.training.config import TrainConfig, vars_of

    recipe, adapter, defaults = table_of(TrainConfig), table_of(AdapterConfig), TrainConfig()
    # They are tables of their own in the file.
    keys = tuple(key for key in recipe.keys if key.name not in ("adapter", "shares"))
    tables = {"training": replace(recipe, keys=keys), "adapter": adapter, "paths": table_of(PathShares)}
    # Only what does not depend on prior and metric: a value that stands in the file overrides their defaults.
    values = {
        "training": {name: getattr(defaults, name) for name in ("batch", "precision", "validate_every", "seed")},
        "adapter": {"form": defaults.adapter.form, "conditioning": defaults.adapter.conditioning},
        "paths": vars_of(defaults.shares),
    }
    return _of_tables("recipe", tables), values


def _of_tables(title: str, tables: Mapping[str, Table]) -> Table:
    """A file that is nothing but some tables."""
    keys = tuple(Key(name, "a table", False, None, "", (table,)) for name, table in tables.items())
    return Table(title, "", keys, {})


def _shipped(folder: str, name: str) -> dict[str, Any]:
    return tomllib.loads(shipped_text(folder, name))


KINDS: Mapping[str, StartingFile] = {
    "lens": StartingFile(
        "A metalens in front of a colour sensor.",
        "metalens psf FILE -o NAME.h5 --dry-run",
        "docs/lens-toml.md",
        _lens,
    ),
    "design": StartingFile(
        "The specification of a lens.",
        "metalens design FILE -o NAME-lens.toml --dry-run",
        "docs/design.md",
        _design,
    ),
    "tolerances": StartingFile(
        "Errors of fabrication and assembly. Those of meta-atoms need a lens with a library as its [lens.response].",
        "metalens tolerance metacamera --spec FILE -o NAME --dry-run",
        "docs/tolerancing.md",
        _tolerances,
    ),
    "library": StartingFile(
        "A library of meta-atoms to compute.",
        "metalens library build FILE -o NAME.h5 --dry-run",
        "docs/meta-atoms.md",
        _library,
    ),
    "sensor": StartingFile(
        "A sensor; a lens.toml in the same folder begins with it.",
        'In that lens.toml: [sensor] preset = "FILE"',
        "docs/sensor.md",
        _sensor,
    ),
    "captures": StartingFile(
        "Captures of a pinhole, in the folder of their files.",
        "metalens psf measured FILE -o NAME.h5 --lens my-lens.toml",
        "docs/measured-psfs.md",
        _captures,
    ),
    "train": StartingFile(
        "The recipe of a training; options of the command override it.",
        "metalens train my-pairs -o my-adapter --psf my-lens.h5 --config FILE --minutes 30 --dry-run",
        "docs/training.md",
        _training,
    ),
}
"""Kind → its file, in the order of the stages."""
