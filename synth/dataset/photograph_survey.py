"""Inspection of photographs: which can be used, their hash and content, and their side of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.hub.kept import streamed
from metalens.formats.pairs.manifest import PairsManifest, PairsSource, SkippedSource
from metalens.formats.pairs.photograph_split import look_of, split_photographs
from metalens.formats.pairs.thumbnail import thumbnail_of
from metalens.formats.pictures.light import read_stored_light
from metalens.formats.pictures.pictures import decode_picture, read_bytes
from metalens.formats.pictures.resizing import strips
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.runners.job import Progress
from metalens.synth.photographs import Photograph

ENLARGEMENT = 2.0
"""A photograph that must be enlarged more than this to fill a crop is not used: it has too little detail."""

BATCH = 8
"""Number of photographs in one job."""


INSPECT = "metalens.synth.dataset.photograph_survey:inspect_photographs"
"""The job's name."""


def inspect_photographs(spec: Mapping[str, Any], progress: Progress = lambda made: None) -> list[dict[str, Any]]:
    """Inspect a batch of photographs; a job.

    Args:
        spec: ``paths``, and ``pixels``: rows, columns of the crops.
        progress: not called.

    Returns:
        One entry per photograph, in order: ``sha256``, ``look`` and ``thumbnail``, or ``error``, the reason why it
        cannot be used.
    """
    del progress
    return [_inspect(Path(path), (spec["pixels"][0], spec["pixels"][1])) for path in spec["paths"]]


def _inspect(path: Path, pixels: tuple[int, int]) -> dict[str, Any]:
    try:
        data = read_bytes(streamed(path))
        if path.suffix.lower() == ".exr":
            light = read_stored_light(path)
            columns = slice(0, light.pixels[1])
            parts = [to_8_bit(linear_to_srgb(light.part(rows, columns))) for rows in strips(light.pixels)]
            picture = np.concatenate(parts)
        else:
            picture = decode_picture(data, origin=str(path))
    except InputError as error:
        return {"error": str(error)}
    rows, columns = picture.shape[:2]
    if max(pixels[0] / rows, pixels[1] / columns) > ENLARGEMENT:
        return {
            "error": f"{path}: {rows} × {columns} pixels would be enlarged more than {ENLARGEMENT:g} times to fill "
            f"{pixels[0]} × {pixels[1]}; give a larger photograph, or take a smaller --crop."
        }
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "look": look_of(picture),
        "thumbnail": thumbnail_of(picture),
    }


def require_usable(photographs: Sequence[Photograph], pixels: tuple[int, int]) -> None:
    """Check, before a long computation, that one of the photographs can be used at least.

    Args:
        photographs: that samples are to be made from; read until one can be used.
        pixels: rows, columns of the samples.

    Raises:
        InputError: none can be used.
    """
    reasons = []
    for photograph in photographs:
        found = _inspect(photograph.path, pixels)
        if "error" not in found:
            return
        reasons.append(found["error"])
    raise _unusable(reasons)


def _unusable(reasons: Sequence[str]) -> InputError:
    first = reasons[0] if reasons else "there is none."
    none = f"none of the {len(reasons)} photographs can be used; the first"
    which = "the photograph cannot be used" if len(reasons) == 1 else none
    return InputError(f"pairs: {which}: {first} Give a folder of colour photographs.")


def take_stock(
    photographs: Sequence[Photograph], found: Sequence[Mapping[str, Any]], *, validation: float, strict: bool
) -> tuple[list[Path], tuple[PairsSource, ...], tuple[SkippedSource, ...]]:
    """Divide inspected photographs into usable sources and skipped ones.

    Args:
        photographs: all of the run.
        found: result of :func:`inspect_photographs` for each.
        validation: share of the photographs in the validation split, 0..1.
        strict: raise for a photograph that cannot be used, instead of skipping it.

    Returns:
        Paths of the usable photographs, their sources, and the skipped ones with reasons.

    Raises:
        InputError: no photograph can be used, or with ``strict`` one cannot.
    """
    usable, skipped = [], []
    for photograph, entry in zip(photographs, found, strict=True):
        if "error" not in entry:
            usable.append((photograph, entry))
            continue
        if strict:
            raise InputError(entry["error"])
        skipped.append(SkippedSource(name=photograph.name, reason=entry["error"]))
    if not usable:
        raise _unusable([each.reason for each in skipped])
    hashes, looks = ([entry[key] for _, entry in usable] for key in ("sha256", "look"))
    sides = split_photographs(hashes, looks, validation)
    sources = tuple(
        PairsSource(
            name=photograph.name,
            licence=photograph.licence,
            credit=photograph.credit,
            sha256=entry["sha256"],
            look=entry["look"],
            thumbnail=entry["thumbnail"],
            split=side,
        )
        for (photograph, entry), side in zip(usable, sides, strict=True)
    )
    return [photograph.path for photograph, _ in usable], sources, tuple(skipped)


def find_again(manifest: PairsManifest, photographs: Sequence[Photograph], folder: Path) -> dict[int, Path]:
    """Find the photographs of an interrupted set by their SHA-256.

    Args:
        manifest: of the set.
        photographs: all of this run.
        folder: of the set, for messages.

    Returns:
        Source index → path. A missing source is treated as lost when a sample needs it.

    Raises:
        InputError: a photograph is not one of the set, or was changed.
    """
    known = {source.sha256 for source in manifest.sources}
    skipped = {entry.name for entry in manifest.skipped}
    paths: dict[str, Path] = {}
    for photograph in photographs:
        try:
            sha256 = hashlib.sha256(read_bytes(streamed(photograph.path))).hexdigest()
        except InputError:
            continue
        if sha256 not in known and photograph.name not in skipped:
            raise InputError(
                f"{folder}: cannot be resumed, {photograph.path} is none of the photographs that it was begun with, or "
                "it was changed since; give the same photographs, or choose a new folder with -o."
            )
        paths.setdefault(sha256, photograph.path)
    return {place: paths[each.sha256] for place, each in enumerate(manifest.sources) if each.sha256 in paths}
