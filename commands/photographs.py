"""Clean photographs as a command is given them: files, folders, and the embedded ones by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from metalens.synth.photographs import Photograph

EMBEDDED: dict[str, Literal["train", "held_out"] | None] = {
    "embedded": None,
    "embedded:train": "train",
    "embedded:held-out": "held_out",
}


def named_photographs(sources: Sequence[str], *, as_light: bool = False) -> list[Photograph]:
    """Photographs of files, folders, and the embedded ones by name.

    Args:
        sources: as given on the command line.
        as_light: whether the command reads OpenEXR too; otherwise those in folders are passed over.
    """
    from metalens.formats.pictures.light import LIGHT_SUFFIXES
    from metalens.formats.pictures.pictures import SUFFIXES
    from metalens.synth.embedded_photographs import embedded_photographs
    from metalens.synth.photographs import find_photographs

    found: list[Photograph] = []
    for source in sources:
        if source in EMBEDDED:
            found += embedded_photographs(EMBEDDED[source])
        else:
            found += find_photographs([source], LIGHT_SUFFIXES if as_light else SUFFIXES)
    return found
