"""Clean photographs as a user names them: files, folders, and the embedded ones by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from metalens.formats.pictures.light import LIGHT_SUFFIXES
from metalens.formats.pictures.pictures import SUFFIXES
from metalens.synth.embedded_photographs import embedded_photographs
from metalens.synth.photographs import Photograph, find_photographs

PhotographSource = str | os.PathLike[str] | Photograph

EMBEDDED: dict[str, Literal["train", "held_out"] | None] = {
    "embedded": None,
    "embedded:train": "train",
    "embedded:held-out": "held_out",
}


def photographs_of(
    sources: PhotographSource | Sequence[PhotographSource], *, as_light: bool = True
) -> list[Photograph]:
    """Photographs of files, folders, and the embedded ones by name.

    Args:
        sources: one or several of them; photographs that were found already stay as they are.
        as_light: whether OpenEXR is taken too; otherwise such files in folders are passed over.

    Raises:
        InputError: a file or folder is missing, or there is no picture in it.

    Example:
        >>> [each.name for each in photographs_of("embedded:held-out")]
        ['china', 'coffee', 'motorcycle']
    """
    found: list[Photograph] = []
    for source in [sources] if isinstance(sources, str | os.PathLike | Photograph) else sources:
        if isinstance(source, Photograph):
            found.append(source)
        elif isinstance(source, str) and source in EMBEDDED:
            found += embedded_photographs(EMBEDDED[source])
        else:
            found += find_photographs([source], LIGHT_SUFFIXES if as_light else SUFFIXES)
    return found
