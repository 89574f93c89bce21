"""Writing a folder of pairs: shard by shard, one writer at a time, resumable after any interruption."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from pydantic import BaseModel

from metalens.formats.atomic import atomic_file, require_new_directory
from metalens.formats.errors import InputError
from metalens.formats.pairs_manifest import (
    LOCK,
    MANIFEST,
    SCHEMA,
    VERSION,
    PairSample,
    PairsManifest,
    Shard,
    ShardMarker,
    is_finished,
    read_manifest,
)


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

    def write(self, shard: Shard, samples: Iterable[PairSample]) -> None:
        """Write one shard and its done-marker; they appear whole or not at all.

        Args:
            shard: one of ``missing``.
            samples: exactly ``shard.count`` of them, in order.

        Raises:
            InputError: a sample has another shape or type, or the disk refuses the write.
        """
        image = _shard_bytes(self.manifest, shard, list(samples))
        _write_bytes(self.folder / shard.name, image)
        marker = ShardMarker(count=shard.count, bytes=len(image), sha256=hashlib.sha256(image).hexdigest())
        _write_json(self.folder / shard.marker, marker)


@contextmanager
def open_pairs_writer(
    folder: str | os.PathLike[str], manifest: PairsManifest, *, resume: bool = False
) -> Iterator[PairsWriter]:
    """Open a folder to fill it with pairs. Only one writer at a time may hold it.

    Args:
        folder: a new or empty folder, or with ``resume`` one that an equal run left unfinished.
        manifest: what the folder is to hold; written before this returns.
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
        for leftover in target.glob(".*.part"):
            leftover.unlink()
        if (target / MANIFEST).exists():
            if not resume:
                raise InputError(f"{target}: another run began here meanwhile; choose a new folder with -o.")
            _check_same(read_manifest(target), manifest, target)
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
        if before[name] != value:
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


def _shard_bytes(manifest: PairsManifest, shard: Shard, samples: list[PairSample]) -> bytes:
    """Build the HDF5 file in memory, so that its bytes can be hashed and written in one go."""
    if len(samples) != shard.count:
        raise InputError(f"{shard.name}: got {len(samples)} samples, expected {shard.count}.")
    shape = (*manifest.pixels, 3)
    options: dict[str, Any] = {
        "chunks": (1, *shape),
        "compression": "gzip",
        "compression_opts": 1,
        "shuffle": False,
        "track_times": False,
    }
    # A core-driver file has no place on the disk; its name only has to be unique among those open.
    with h5py.File(
        f"{os.getpid()}-{id(samples)}",
        "w",
        driver="core",
        backing_store=False,
        libver=("earliest", "v110"),
        track_order=False,
    ) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["version"] = VERSION
        file.attrs["first"] = shard.first
        for name in ("clean", "degraded"):
            stack = np.stack([_checked(getattr(sample, name), shape, name) for sample in samples])
            file.create_dataset(name, data=stack, **options)
        for name, limit in (("source", len(manifest.sources)), ("seed", 2**63)):
            values = [int(getattr(sample, name)) for sample in samples]
            if min(values) < 0 or max(values) >= limit:
                raise InputError(f"{shard.name}: a sample's {name} lies outside 0..{limit - 1}.")
            file.create_dataset(name, data=np.array(values, dtype=np.int64), track_times=False)
        file.flush()
        return bytes(file.id.get_file_image())


def _checked(picture: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.shape != shape:
        raise InputError(
            f"pairs: found a {name} picture of shape {array.shape} and type {array.dtype}, expected uint8 {shape}."
        )
    return array


def _write_bytes(path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)


def _write_json(path: Path, record: BaseModel) -> None:
    text = json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False)
    _write_bytes(path, (text + "\n").encode())
