"""Finds clean photographs by file, by folder, by the name of an embedded set, or in a dataset on the hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path
from metalens.formats.hub.address import is_hub_address
from metalens.formats.hub.kept import streamed
from metalens.formats.pictures.light import LIGHT_SUFFIXES
from metalens.formats.pictures.pictures import SUFFIXES
from metalens.synth.embedded_photographs import EMBEDDED_NAMES, embedded_photographs
from metalens.synth.hub_photographs import hub_photographs
from metalens.synth.photographs import Photograph, find_photographs

PhotographSource = str | os.PathLike[str] | Photograph

EMBEDDED: dict[str, Literal["train", "held_out"] | None] = {
    "embedded": None,
    "embedded:train": "train",
    "embedded:held-out": "held_out",
}
_SINGLE = {f"embedded:{name}": name for name in EMBEDDED_NAMES}


def photographs_of(
    sources: PhotographSource | Sequence[PhotographSource], *, as_light: bool = True, streaming: bool = False
) -> list[Photograph]:
    """Find photographs in files, folders and the embedded sets.

    Args:
        sources: one or several: paths, ``embedded:…`` with the name of a set or of a photograph,
            ``hf:user/name[@revision]``, or photographs, which are returned unchanged.
        as_light: include OpenEXR files (linear light) of folders; by default they are included.
        streaming: leave photographs of the hub where they are until :func:`metalens.formats.hub.kept.streamed` is asked
            for them; by default they are pulled.

    Returns:
        The photographs in the order of the sources, none twice.

    Raises:
        InputError: a file or folder is missing, a folder holds no picture, or no embedded photograph has the name.

    Example:
        >>> [each.name for each in photographs_of("embedded:held-out")]
        ['china', 'coffee', 'motorcycle']
    """
    found: dict[object, Photograph] = {}
    for source in [sources] if isinstance(sources, str | os.PathLike | Photograph) else sources:
        if isinstance(source, Photograph):
            several = [source]
        elif isinstance(source, str) and source in EMBEDDED:
            several = embedded_photographs(EMBEDDED[source])
        elif isinstance(source, str) and source in _SINGLE:
            several = embedded_photographs(name=_SINGLE[source])
        elif isinstance(source, str) and source.startswith("embedded:"):
            names = ", ".join((*EMBEDDED, *_SINGLE))
            raise InputError(f"{source}: no photographs of this name come with the package; one of {names}.")
        elif is_hub_address(source):
            several = hub_photographs(source)
            if not as_light:
                several = [each for each in several if each.path.suffix.lower() in SUFFIXES]
            if not streaming:
                several = [replace(each, path=streamed(each.path)) for each in several]
        else:
            several = find_photographs([source], LIGHT_SUFFIXES if as_light else SUFFIXES)
        for each in several:
            found.setdefault(real_path(each.path), each)
    return list(found.values())
