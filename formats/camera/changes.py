"""Changes of a camera, as tables within tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metalens.formats.camera.phase import SumPhase
from metalens.formats.files.input_file import is_file

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera

_TAGS = ("family", "kind", "shape")
_FILES = ("file", "library", "source", "sensor", "filter")
"""Keys that may name a file. The record keeps the SHA-256 of that file under a key that ends in ``sha256``."""


def merged_tables(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changed tables into those that are there.

    A table of another family, kind or shape replaces the one that is there, for its other keys would have no meaning.
    So does a spectrum with ``channels`` or a ``source``: it has one of two forms.

    Args:
        base: keys with their values, which are tables again, numbers, words or lists.
        changes: keys that have another value.

    Returns:
        All keys. A list is replaced whole.
    """
    result = dict(base)
    for key, value in changes.items():
        before = base.get(key)
        if not isinstance(value, Mapping) or not isinstance(before, Mapping):
            result[key] = value
            continue
        replaces = any(tag in value and value[tag] != before.get(tag) for tag in _TAGS)
        replaces = replaces or (key == "spectrum" and ("channels" in value or "source" in value))
        result[key] = dict(value) if replaces else merged_tables(_without_old_digest(before, value), value)
    return result


def _without_old_digest(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table without the SHA-256 of files, if another file is named."""
    if not any(key in changes and changes[key] != table.get(key) for key in _FILES):
        return dict(table)
    return {key: value for key, value in table.items() if not key.endswith("sha256")}


def named_files(camera: Camera) -> list[Path]:
    """Where the files lie that a camera names, such as maps, tables and libraries."""
    folder = folder_of(camera)
    places = (folder / name for name in _names_in(camera.model_dump(exclude_none=True)))
    return [place for place in places if is_file(place)]


def _names_in(value: Any) -> Iterator[str]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, str) and key in _FILES:
            yield each
        elif isinstance(each, dict | list | tuple):
            yield from _names_in(each)


def folder_of(camera: Camera) -> Path:
    """The folder of the files that a camera names; the current one if it names none."""
    lens = camera.lens
    terms = lens.phase.terms if isinstance(lens.phase, SumPhase) else (lens.phase,)
    parts = (*terms, lens.response, lens.structure, lens.radial_geometry, lens.neighbours, camera.spectrum)
    folders = [getattr(part, "_folder", None) for part in parts]
    return next((folder for folder in folders if folder is not None), Path())
