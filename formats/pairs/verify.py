"""Integrity check of a folder of pairs: checksums of the shards, and decompression of every picture."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metalens.formats.files.errors import InputError
from metalens.formats.hub.content import belongs
from metalens.formats.hub.pulling import NOTE
from metalens.formats.pairs.example import pairs_folder
from metalens.formats.pairs.manifest import MANIFEST, PairsManifest, Shard, damage_of, read_manifest
from metalens.formats.pairs.shard import open_shard


@dataclass(frozen=True)
class DamagedShard:
    """A shard that is missing or not what was written, and what is wrong with it."""

    name: str
    reason: str


@dataclass(frozen=True)
class Verification:
    """Result of :func:`verify_pairs`.

    Attributes:
        shards: that the folder is to hold.
        samples: that it is to hold.
        damaged: the shards that have to be made again.
        strangers: files in the folder that do not belong to it.
    """

    shards: int
    samples: int
    damaged: tuple[DamagedShard, ...]
    strangers: tuple[str, ...]


def verify_pairs(
    folder: str | os.PathLike[str],
    *,
    thorough: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Recompute the checksum of every shard; ``metalens synth --resume`` makes again what is damaged.

    Args:
        folder: a folder of pairs, finished or not.
        thorough: also unpack every picture, which finds shards that were damaged before their checksum was taken.
        progress: called with shards checked and shards in total.

    Returns:
        Numbers of shards and samples, the damaged shards, and files that do not belong to the folder.

    Raises:
        InputError: the folder has no manifest that can be read.
    """
    target = pairs_folder(folder)
    manifest = read_manifest(target)
    damaged = []
    for done, shard in enumerate(manifest.shards, start=1):
        reason = damage_of(target, shard) or (_unpack(target, manifest, shard) if thorough else None)
        if reason is not None:
            damaged.append(DamagedShard(shard.name, reason))
        progress(done, len(manifest.shards))
    return Verification(len(manifest.shards), manifest.count, tuple(damaged), _strangers(target, manifest))


def _unpack(folder: Path, manifest: PairsManifest, shard: Shard) -> str | None:
    try:
        with open_shard(folder, manifest, shard) as opened:
            for place in range(shard.count):
                opened.sample(place)
    except InputError as error:
        return str(error)
    return None


def _strangers(folder: Path, manifest: PairsManifest) -> tuple[str, ...]:
    ours = {MANIFEST} | {name for shard in manifest.shards for name in (shard.name, shard.marker)}
    return tuple(
        sorted(
            entry.name
            for entry in folder.iterdir()
            if entry.name not in ours
            and not belongs("pairs", entry.name)
            and entry.name != NOTE
            and entry.name[0] != "."
        )
    )
