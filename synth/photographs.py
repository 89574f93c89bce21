"""Clean photographs, the scenes of a simulated camera, with licence and credit."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from metalens.formats.files.foreign_text import as_utf8
from metalens.formats.files.json_file import read_json, read_record
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


_Remark = Annotated[str, Field(max_length=100_000)]


class _Credit(BaseModel):
    """An entry of a manifest; further keys are not read."""

    file: str
    licence: _Remark = ""
    credit: _Remark = ""


class _Manifest(BaseModel):
    photographs: list[_Credit]


def find_photographs(
    sources: Iterable[str | os.PathLike[str]], suffixes: Collection[str] = LIGHT_SUFFIXES
) -> list[Photograph]:
    """List the photographs in files and folders; a ``manifest.json`` beside them gives licence and credit.

    Args:
        sources: files, which are taken unchanged, and folders.
        suffixes: file name endings of photographs in folders; by default all that
            :func:`metalens.formats.pictures.light.read_light` reads.

    Returns:
        A photograph for each picture, with licence and credit where a manifest gives them.

    Raises:
        InputError: a source does not exist, there is no picture at all, or a manifest is damaged.
    """
    terms: dict[Path, dict[str, _Credit]] = {}
    photographs = []
    for path in list_pictures(sources, suffixes):
        folder = path.parent
        if folder not in terms:
            terms[folder] = _read_credits(folder / MANIFEST)
        entry = terms[folder].get(path.name, _Credit(file=path.name))
        photographs.append(Photograph(as_utf8(path.stem), path, entry.licence, entry.credit))
    return photographs


def _read_credits(path: Path) -> dict[str, _Credit]:
    """File name → its entry; other files of this name that programs leave in folders have no ``photographs``."""
    if not path.is_file():
        return {}
    what, advice = "manifest of photographs", "remove it or make it again"
    found = read_json(path, what, advice, kind=object)
    if not (isinstance(found, dict) and "photographs" in found):
        return {}
    return {each.file: each for each in read_record(path, _Manifest, what, advice).photographs}
