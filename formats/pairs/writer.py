"""Writing a folder of pairs: shard by shard, one writer at a time, resumable after any interruption."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from metalens.formats.files.atomic import write_bytes
from metalens.formats.files.claim import claimed_folder, require_same, write_note
from metalens.formats.pairs.manifest import (
    MANIFEST,
    LostSource,
    PairsManifest,
    Shard,
    ShardMarker,
    is_finished,
    read_manifest,
)
from metalens.formats.pairs.shard import PairSample, StoredSample, shard_bytes

_MAY_DIFFER = ("lost",)
"""Entries of a manifest that grow while it is filled."""


@dataclass(frozen=True)
class PairsWriter:
    """An open folder of pairs; see :func:`open_pairs_writer`.

    Attributes:
        folder: the folder.
        manifest: what it is to hold.
        missing: the shards that are not finished yet.
    """

    folder: Path
    manifest: PairsManifest
    missing: tuple[Shard, ...]

    def write(self, shard: Shard, samples: Iterable[PairSample | StoredSample]) -> None:
        """Write one of the missing shards; see :func:`write_shard`.

        Args:
            shard: one of the missing shards.
            samples: its samples, in order.

        Raises:
            InputError: a sample does not fit, or the disk cannot be written.
        """
        write_shard(self.folder, self.manifest, shard, samples)

    def lose(self, lost: LostSource) -> PairsWriter:
        """Write into the manifest that a photograph is gone, before any sample of another one stands in for it.

        Returns:
            The writer with the new manifest.
        """
        manifest = self.manifest.model_copy(update={"lost": (*self.manifest.lost, lost)})
        write_note(self.folder / MANIFEST, _stored(manifest))
        return replace(self, manifest=manifest)


def write_shard(
    folder: Path, manifest: PairsManifest, shard: Shard, samples: Iterable[PairSample | StoredSample]
) -> ShardMarker:
    """Write one shard and then its done-marker; each appears whole or not at all.

    Several processes may each write another shard of a folder that :func:`open_pairs_writer` holds for them.

    Args:
        folder: the folder of pairs.
        manifest: what it is to hold.
        shard: which one to write.
        samples: exactly ``shard.count`` of them, in order.

    Returns:
        The marker.

    Raises:
        InputError: a sample does not fit, or the disk refuses the write.
    """
    image = shard_bytes(manifest, shard, samples)
    write_bytes(folder / shard.name, image)
    marker = ShardMarker(count=shard.count, bytes=len(image), sha256=hashlib.sha256(image).hexdigest())
    write_note(folder / shard.marker, _stored(marker))
    return marker


@contextmanager
def open_pairs_writer(
    folder: str | os.PathLike[str], manifest: PairsManifest, *, resume: bool = False
) -> Iterator[PairsWriter]:
    """Open a folder to fill it with pairs. Only one writer at a time may hold it.

    Args:
        folder: a new or empty folder, or with ``resume`` one that an equal run left unfinished.
        manifest: what the folder is to hold; written before this returns. What ``lost`` of an earlier run is kept.
        resume: keep the finished shards whose checksums hold, and remake the rest.

    Returns:
        A context manager that gives the writer of the missing shards.

    Raises:
        InputError: the folder is not empty, holds other pairs, is in use by another run, or cannot be written.
    """
    target = Path(folder)
    with claimed_folder(target, MANIFEST, _stored(manifest), resume=resume, may_differ=_MAY_DIFFER) as before:
        if before is not None:
            manifest = read_manifest(target)
        missing = []
        for shard in manifest.shards:
            if not is_finished(target, shard):
                (target / shard.marker).unlink(missing_ok=True)
                missing.append(shard)
        yield PairsWriter(target, manifest, tuple(missing))


def require_same_pairs(begun: PairsManifest, asked: PairsManifest, folder: Path) -> None:
    """Check that an interrupted run is the one that is asked for.

    Args:
        begun: its manifest.
        asked: manifest of this run.
        folder: of the pairs, for messages.

    Raises:
        InputError: names the first setting that changed.
    """
    require_same(_stored(begun), _stored(asked), folder, may_differ=_MAY_DIFFER)


def _stored(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json", by_alias=True)
