"""Pairs of folders of equally named pictures, as other projects publish them.

    clean/0001.png    captured/0001.png    names.txt: 0001.png, a name a line

Names are compared without their suffix, with their sub-folders. The pictures are of one size and already aligned.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path, require_folder, require_utf8_name
from metalens.formats.files.text_file import text_lines
from metalens.formats.pairs.manifest import PairsCamera, PairsManifest, PairsSource, Shard
from metalens.formats.pairs.photograph_split import VALIDATION_SHARE, look_of, split_photographs
from metalens.formats.pairs.shard import PairSample
from metalens.formats.pairs.thumbnail import thumbnail_of
from metalens.formats.pairs.writer import open_pairs_writer
from metalens.formats.pictures.pictures import SUFFIXES, decode_picture, list_pictures, read_bytes, read_picture

LONGEST_LICENCE = 1000
"""Characters; it is kept with every photograph."""

LARGEST_LIST = 2**26
"""Bytes of a list of names."""

_NAMED = 3
"""Names that a message lists."""


class NamedPictures(NamedTuple):
    """The files of a clean and a captured picture, perhaps of a neutral target, and what all are called."""

    name: str
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class ImportOptions:
    """How two folders become pairs.

    Attributes:
        neutral: a folder of targets of the neutral path; None makes them of the clean pictures.
        names: a text file with one name a line, which chooses and orders the pairs; None takes all.
        camera: what took the captures; None if only their size is known.
        kind: ``captured`` by a camera, or ``pseudo``: made by a restorer.
        validation: share of the clean pictures in the validation split, 0..1.
        licence: the terms that the pictures come under.
        shard_size: samples in a file.
        resume: keep the finished shards of an equal run.
    """

    neutral: Path | None = None
    names: Path | None = None
    camera: Camera | None = None
    kind: Literal["captured", "pseudo"] = "captured"
    validation: float = VALIDATION_SHARE
    licence: str = ""
    shard_size: int = 32
    resume: bool = False


def import_pairs(
    clean: Path,
    captured: Path,
    output: str | os.PathLike[str],
    options: ImportOptions = ImportOptions(),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PairsManifest:
    """Make a folder of pairs of two folders of equally named pictures.

    Args:
        clean: the folder of clean pictures.
        captured: the folder of captured ones.
        output: the folder of pairs.
        options: names, camera, kind, split.
        progress: is told the pairs done and the pairs in all.

    Returns:
        The manifest that was written.

    Raises:
        InputError: names differ or occur twice, the list names nothing or what is not there, a picture cannot be read
            or has another size, or the output cannot be written.
    """
    if len(options.licence) > LONGEST_LICENCE:
        raise InputError(
            f"--licence: has {len(options.licence)} characters, at most {LONGEST_LICENCE} were expected; name the "
            "terms and where their text is."
        )
    folders = [clean, captured] if options.neutral is None else [clean, captured, options.neutral]
    pairs = matched(folders, options.names)
    surveyed = _survey(pairs)
    camera = options.camera or unknown_camera(surveyed.pixels)
    if camera.sensor.pixels != surveyed.pixels:
        rows, columns = camera.sensor.pixels
        raise InputError(
            f"{captured}: pictures of {surveyed.pixels[0]} × {surveyed.pixels[1]} pixels, the sensor of {camera.name} "
            f"has {rows} × {columns}; give whole frames, or leave the lens out."
        )
    sides = split_photographs(surveyed.hashes, surveyed.looks, options.validation)
    manifest = PairsManifest(
        kind=options.kind,
        count=len(pairs),
        shard_size=options.shard_size,
        pixels=surveyed.pixels,
        seed=0,
        cameras=(PairsCamera(name=camera.name, lens_hash=camera.hash, sensor=camera.sensor.pixels),),
        config={"imported": {"clean": clean.resolve().name, "captured": captured.resolve().name}},
        sources=tuple(
            PairsSource(
                name=pair.name, licence=options.licence, sha256=sha256, look=look, thumbnail=thumbnail, split=side
            )
            for pair, sha256, look, thumbnail, side in zip(
                pairs, surveyed.hashes, surveyed.looks, surveyed.thumbnails, sides, strict=True
            )
        ),
        versions={"metalens": version("metalens")},
    )
    with open_pairs_writer(output, manifest, resume=options.resume) as writer:
        done = manifest.count - sum(shard.count for shard in writer.missing)
        for shard in writer.missing:
            writer.write(shard, _samples(pairs, shard))
            done += shard.count
            progress(done, manifest.count)
    return manifest


def matched(folders: Sequence[Path], names: Path | None = None) -> list[NamedPictures]:
    """Match the pictures of folders by their names.

    Args:
        folders: two or more.
        names: a text file with one name a line, with or without suffix; None takes all.

    Returns:
        The names with their pictures, in the order of the list, or of the names.

    Raises:
        InputError: see :func:`import_pairs`.
    """
    if len({real_path(folder) for folder in folders}) < len(folders):
        raise InputError(f"{', '.join(map(str, folders))}: one folder is given twice; give each its own.")
    found = [_by_name(folder) for folder in folders]
    wanted = sorted(set().union(*found)) if names is None else _read_names(names)
    for folder, pictures in zip(folders, found, strict=True):
        lacking = [name for name in wanted if name not in pictures]
        if lacking and names is not None:
            raise InputError(f"{names}: {folder} lacks {_listed(lacking)}; correct the list or the folder.")
        if lacking:
            raise InputError(
                f"{folder}: lacks {_listed(lacking)} of {len(wanted)} pictures of the other folders; give folders with "
                "equal names, or a list of those that all have."
            )
    return [NamedPictures(name, tuple(pictures[name] for pictures in found)) for name in wanted]


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their relative names without suffix."""
    require_folder(folder, "give a folder of pictures")
    found: dict[str, Path] = {}
    for path in list_pictures([folder]):
        require_utf8_name(path)
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{folder}: {found[name].name} and {path.name} have one name; keep one of them.")
        found[name] = path
    return found


def _read_names(path: Path) -> list[str]:
    # No remarks: "#" may stand in a name.
    lines = text_lines(path, "list of names", largest=LARGEST_LIST, remark="\0")
    names = [line[: -len(Path(line).suffix)] if Path(line).suffix.lower() in SUFFIXES else line for line in lines]
    if not names:
        raise InputError(f"{path}: names no picture; write one name a line.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path}: names {_listed(twice)} twice; name each picture once.")
    return names


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class _Survey(NamedTuple):
    pixels: tuple[int, int]
    hashes: list[str]
    looks: list[str]
    thumbnails: list[str]


def _survey(pairs: Sequence[NamedPictures]) -> _Survey:
    """Look at every picture before the first is written: sizes, and what the clean ones show."""
    hashes, looks, thumbnails = [], [], []
    pixels: tuple[int, int] | None = None
    for pair in pairs:
        content = read_bytes(pair.paths[0])
        clean = decode_picture(content, origin=str(pair.paths[0]))
        pictures = [clean, *map(read_picture, pair.paths[1:])]
        for path, picture in zip(pair.paths, pictures, strict=True):
            rows, columns = picture.shape[:2]
            pixels = pixels or (rows, columns)
            if (rows, columns) != pixels:
                raise InputError(
                    f"{path}: {rows} × {columns} pixels, {pairs[0].paths[0]} has {pixels[0]} × {pixels[1]}; all "
                    "pictures of a folder of pairs have one size."
                )
        hashes.append(hashlib.sha256(content).hexdigest())
        looks.append(look_of(clean))
        thumbnails.append(thumbnail_of(clean))
    assert pixels is not None
    return _Survey(pixels, hashes, looks, thumbnails)


def _samples(pairs: Sequence[NamedPictures], shard: Shard) -> Iterator[PairSample]:
    for number in range(shard.first, shard.first + shard.count):
        clean, captured, *neutral = map(read_picture, pairs[number].paths)
        rows, columns = clean.shape[:2]
        crop = (0.0, 0.0, float(rows), float(columns))
        yield PairSample(clean, captured, number, number, neutral=neutral[0] if neutral else None, crop=crop)
