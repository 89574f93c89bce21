"""Writing a folder of pairs: shard by shard, one writer at a time, resumable after any interruption."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from metalens.formats.files.atomic import atomic_file, require_new_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import (
    LOCK,
    MANIFEST,
    LostSource,
    PairsManifest,
    Shard,
    ShardMarker,
    is_finished,
    read_manifest,
)
from metalens.formats.pairs.shard import PairSample, StoredSample, shard_bytes


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
        """Write one of the missing shards; see :func:`write_shard`."""
        write_shard(self.folder, self.manifest, shard, samples)

    def lose(self, lost: LostSource) -> PairsWriter:
        """Write into the manifest that a photograph is gone, before any sample of another one stands in for it.

        Returns:
            The writer with the new manifest.
        """
        manifest = self.manifest.model_copy(update={"lost": (*self.manifest.lost, lost)})
        _write_json(self.folder / MANIFEST, manifest)
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
    _write_bytes(folder / shard.name, image)
    marker = ShardMarker(count=shard.count, bytes=len(image), sha256=hashlib.sha256(image).hexdigest())
    _write_json(folder / shard.marker, marker)
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

    Raises:
        InputError: the folder is not empty, holds other pairs, is in use by another run, or cannot be written.
    """
    target = Path(folder)
    if not resume:
        require_new_directory(target)
    elif target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file, a folder was expected; choose another place with -o.")
    if not target.resolve().parent.is_dir():
        raise InputError(f"{target}: its folder {target.parent} does not exist; make it first.")
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{target}: could not be made ({error.strerror}).") from error
    with _locked(target):
        _remove_leftovers(target)
        if (target / MANIFEST).exists():
            if not resume:
                raise InputError(f"{target}: another run began here meanwhile; choose a new folder with -o.")
            found = read_manifest(target)
            _check_same(found, manifest, target)
            manifest = found
        else:
            strangers = sorted(entry.name for entry in target.iterdir() if entry.name != LOCK)
            if strangers:
                raise InputError(
                    f"{target}: cannot be resumed, it has no {MANIFEST} but holds {strangers[0]!r}; "
                    "choose a new folder with -o."
                )
            _write_json(target / MANIFEST, manifest)
        missing = []
        for shard in manifest.shards:
            if not is_finished(target, shard):
                (target / shard.marker).unlink(missing_ok=True)
                missing.append(shard)
        yield PairsWriter(target, manifest, tuple(missing))
        # Workers of a run that was killed may have outlived it by a moment, and have died in a write of their own.
        _remove_leftovers(target)


def _remove_leftovers(folder: Path) -> None:
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one writer; the lock dies with its process, even by kill -9."""
    import fcntl  # not on Windows, where pairs can still be read

    path = folder / LOCK
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(f"{folder}: could not be written ({error.strerror}).") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise InputError(
                f"{folder}: another run is writing here; wait for it or choose another folder with -o."
            ) from error
        # A lock file that its last owner removed in the meantime protects nothing: try the new one.
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            break
        os.close(descriptor)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _check_same(found: PairsManifest, wanted: PairsManifest, folder: Path) -> None:
    # Through JSON, so that tuples and lists, or 1 and 1.0, in the settings compare as they are stored.
    before, now = (json.loads(manifest.model_dump_json(by_alias=True)) for manifest in (found, wanted))
    for name, value in now.items():
        if name != "lost" and before[name] != value:
            raise InputError(
                f"{folder}: cannot be resumed, {_difference(name, before[name], value)}; "
                "repeat the settings of the first run, or choose a new folder with -o."
            )


def _difference(name: str, before: Any, now: Any) -> str:
    """Say which setting changed, without printing a whole list."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                return _difference(f"{name}.{key}", before.get(key), now.get(key))
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return f"{name} held {len(before)} entries and now holds {len(now)}"
        place = next(index for index in range(len(now)) if before[index] != now[index])
        return _difference(f"{name}[{place}]", before[place], now[place])
    return f"{name} was {before!r} and is now {now!r}"


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)


def _write_json(path: Path, record: BaseModel) -> None:
    text = json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
    _write_bytes(path, (text + "\n").encode())
