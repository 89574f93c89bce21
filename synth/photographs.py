"""Clean photographs, the scenes of a simulated camera, with licence and credit."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.json_file import read_json
from metalens.formats.pictures.light import LIGHT_SUFFIXES
from metalens.formats.pictures.pictures import list_pictures

MANIFEST = "manifest.json"
"""File in a folder of photographs with author and licence of each."""


@dataclass(frozen=True)
class Photograph:
    """A clean photograph on the disk.

    Attributes:
        name: a short name, unique within its source.
        path: the picture file.
        licence: as its source states it; empty if unknown.
        credit: author to name, as its source states it; empty if unknown.
    """

    name: str
    path: Path
    licence: str = ""
    credit: str = ""


def find_photographs(
    sources: Iterable[str | os.PathLike[str]], suffixes: Collection[str] = LIGHT_SUFFIXES
) -> list[Photograph]:
    """List the photographs in files and folders; a ``manifest.json`` beside them gives licence and credit.

    Args:
        sources: files, which are taken unchanged, and folders.
        suffixes: file name endings of photographs in folders; by default all that
            :func:`metalens.formats.pictures.light.read_light` reads.

    Raises:
        InputError: a source does not exist, or there is no picture at all.
    """
    terms: dict[Path, dict[str, dict[str, str]]] = {}
    photographs = []
    for path in list_pictures(sources, suffixes):
        folder = path.parent
        if folder not in terms:
            terms[folder] = _read_credits(folder / MANIFEST)
        entry = terms[folder].get(path.name, {})
        photographs.append(Photograph(path.stem, path, entry.get("licence", ""), entry.get("credit", "")))
    return photographs


def _read_credits(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    manifest = read_json(path, "manifest of photographs", "remove it or make it again", kind=object)
    entries = manifest.get("photographs") if isinstance(manifest, dict) else None
    if not isinstance(entries, list):
        return {}
    return {
        str(entry["file"]): {key: str(entry.get(key, "")) for key in ("licence", "credit")}
        for entry in entries
        if isinstance(entry, dict) and "file" in entry
    }
