"""``sensor.toml``: a table ``[sensor]`` of its own, as shipped in ``sensors/`` or measured, for cameras to begin with.

A ``lens.toml`` names it by ``preset`` in its ``[sensor]``; keys beside that win. When the camera has been read the
values are in the record, and the name is no longer: another file of the same name changes no camera that was made.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from metalens.formats.files.errors import InputError
from metalens.formats.files.toml_file import parse_toml, read_text, shipped_names, shipped_text

SCHEMA = "metalens.sensor"
VERSION = 1


def sensor_preset_names() -> list[str]:
    """Names of the sensors that come with the package."""
    return shipped_names("camera/sensors")


def with_sensor_preset(table: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Complete a table ``[sensor]`` by the keys of its ``preset`` that it does not have.

    Args:
        table: with the key ``preset``, or without, and then it stays as it is.
        folder: of the ``lens.toml``, below which files are found; ``None`` if that is not known.

    Returns:
        The keys of ``[sensor]`` without ``preset``; the table's own keys come before the preset's.

    Raises:
        InputError: there is no such sensor, or its file cannot be read.
    """
    if "preset" not in table:
        return table
    own = {key: value for key, value in table.items() if key != "preset"}
    return read_sensor_preset(table["preset"], folder) | own


def read_sensor_preset(name: object, folder: Path | None = None) -> dict[str, Any]:
    """Read the table ``[sensor]`` of a shipped sensor by its name, or of a file that ends in ``.toml``.

    Its values are checked with those of the camera that they go into.

    Args:
        name: of a shipped sensor, or a file that ends in ``.toml``.
        folder: to which the file name is relative.

    Returns:
        The table, unchecked.

    Raises:
        InputError: as :func:`with_sensor_preset`.
    """
    if isinstance(name, str) and name in sensor_preset_names():
        return _parse(shipped_text("camera/sensors", name), name)
    if not isinstance(name, str) or not name.endswith(".toml"):
        choices = ", ".join([*sensor_preset_names(), "a file that ends in .toml"])
        raise InputError(f"sensor.preset: no sensor {name!r}; expected {choices}.")
    if folder is None or "\\" in name or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        raise InputError(
            f"sensor.preset: {name!r} is no file in the folder of the lens.toml or below it; put it there."
        )
    path = folder / name
    missing = "no such file; sensor.preset is taken relative to the lens.toml."
    return _parse(read_text(path, "sensor.toml", missing=missing), str(path))


def dump_sensor_preset(table: dict[str, float | int | list[int]], remark: str) -> str:
    """Write numbers as the text of a ``sensor.toml``.

    Args:
        table: keys of ``[sensor]`` with their numbers.
        remark: one line that says where they are from.

    Returns:
        TOML that ends with a line break.
    """
    lines = [f"{key} = {value!r}" for key, value in table.items()]
    head = [f"# {remark}", f'schema = "{SCHEMA}"', f"version = {VERSION}"]
    return "\n".join([*head, "", "[sensor]", *lines]) + "\n"


def _parse(text: str, origin: str) -> dict[str, Any]:
    content = parse_toml(
        text, SCHEMA, VERSION, origin=origin, remedy="copy them from a sensor that comes with the package"
    )
    table = content.get("sensor")
    if not isinstance(table, dict):
        raise InputError(f"{origin}: has no table [sensor]; put the sensor's keys into one.")
    if "preset" in table or len(content) != 1:
        raise InputError(f"{origin}: holds more than its own [sensor]; a preset has no preset and no other table.")
    return table
