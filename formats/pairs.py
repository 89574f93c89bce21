"""``pairs/``: clean and degraded pictures side by side, in shards that survive whatever interrupts their writer.

    pairs/manifest.json      written first: what is to be made, from what, for which camera
    pairs/shard-00000.h5     clean[sample, y, x, channel] and degraded[...], one sample a chunk
    pairs/shard-00000.json   written after its shard: count, size and SHA-256; without it the shard is not finished

Nothing in these files depends on when or how often the writer was interrupted: a resumed folder is byte-identical
to an undisturbed one.
"""

from __future__ import annotations

import json
import os
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from metalens.formats.errors import InputError
from metalens.formats.hdf5 import open_guarded
from metalens.formats.pairs_manifest import (
    MANIFEST,
    SCHEMA,
    VERSION,
    PairSample,
    PairsManifest,
    PairsSource,
    Shard,
    ShardMarker,
    SkippedSource,
    is_finished,
    read_json,
    read_manifest,
)
from metalens.formats.pairs_writer import PairsWriter, open_pairs_writer
from metalens.formats.psf_bank import PsfBank

__all__ = [
    "PairSample",
    "Pairs",
    "PairsManifest",
    "PairsSource",
    "PairsWriter",
    "SkippedSource",
    "is_pairs_folder",
    "open_pairs_writer",
    "read_pairs",
    "require_same_camera",
]

_OPEN_SHARDS = 32


def is_pairs_folder(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder calls itself a folder of pairs; :func:`read_pairs` says whether it is a sound one."""
    try:
        manifest = json.loads((Path(folder) / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("schema") == SCHEMA


def read_pairs(folder: str | os.PathLike[str]) -> Pairs:
    """Open a finished folder of pairs for reading.

    Raises:
        InputError: there is no manifest, it is of another schema or version, or shards are missing or have
            another size than their markers say.
    """
    target = Path(folder)
    manifest = read_manifest(target)
    for shard in manifest.shards:
        if not (target / shard.name).is_file() or not (target / shard.marker).is_file():
            done = sum((target / each.marker).is_file() for each in manifest.shards)
            raise InputError(
                f"{target}: unfinished, {done} of {len(manifest.shards)} shards are there, {shard.name} is not; "
                "run the command that makes it again with --resume."
            )
        marker = read_json(target / shard.marker, ShardMarker)
        size = (target / shard.name).stat().st_size
        if marker.count != shard.count or marker.bytes != size:
            raise InputError(
                f"{target / shard.name}: {size} bytes, its marker says {marker.bytes} for {marker.count} samples; "
                "run the command that makes it again with --resume."
            )
    return Pairs(target, manifest)


class Pairs:
    """A finished folder of pairs: ``len(pairs)``, ``pairs[i]`` → clean, degraded, both ``[y, x, 3]`` uint8.

    Shards are opened when they are first needed, by each process for itself, so that a record can be handed to
    the workers of a data loader.
    """

    def __init__(self, folder: Path, manifest: PairsManifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._shards = manifest.shards
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[int, tuple[h5py.File, ExitStack]] = OrderedDict()
        # Closed with the record or before the interpreter ends, while h5py still can.
        weakref.finalize(self, _close_all, self._open, self._process)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "manifest": self.manifest}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __len__(self) -> int:
        return self.manifest.count

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        sample = self.sample(index)
        return sample.clean, sample.degraded

    def sample(self, index: int) -> PairSample:
        """Read one sample with its source and seed.

        Raises:
            IndexError: there is no such sample.
            InputError: its shard is damaged.
        """
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        shard = self._shards[position // self.manifest.shard_size]
        file = self._file(shard)
        place = position - shard.first
        try:
            return PairSample(
                clean=file["clean"][place],
                degraded=file["degraded"][place],
                source=int(file["source"][place]),
                seed=int(file["seed"][place]),
            )
        except (OSError, RuntimeError, KeyError) as error:
            raise InputError(
                f"{self.folder / shard.name}: sample {place} is damaged ({error}); make the pairs again with --resume."
            ) from error

    def source_name(self, index: int) -> str:
        """Name of the photograph that a sample was made from."""
        source = self.sample(index).source
        if not 0 <= source < len(self.manifest.sources):
            raise InputError(f"{self.folder}: sample {index} names source {source}, which the manifest lacks.")
        return self.manifest.sources[source].name

    def source_names(self) -> list[str]:
        """Name of the photograph of every sample, in order; reads no picture.

        Raises:
            InputError: a shard is damaged or names a source that the manifest lacks.
        """
        names = [source.name for source in self.manifest.sources]
        numbers = np.concatenate([self._file(shard)["source"][()] for shard in self._shards])
        if numbers.min() < 0 or numbers.max() >= len(names):
            raise InputError(f"{self.folder}: a sample names a source that the manifest lacks; make them again.")
        return [names[number] for number in numbers]

    def verify(self) -> None:
        """Recompute every shard's checksum.

        Raises:
            InputError: a shard is not what was written.
        """
        for shard in self._shards:
            if not is_finished(self.folder, shard):
                raise InputError(
                    f"{self.folder / shard.name}: its checksum is not that of its marker, the file was changed or "
                    "damaged; run the command that makes it again with --resume."
                )

    def close(self) -> None:
        """Close the shards that this process has open."""
        _close_all(self._open, self._process)
        self._forget()

    def _file(self, shard: Shard) -> h5py.File:
        # Handles that came over a fork belong to the parent: forgotten, not closed.
        if self._process != os.getpid():
            self._forget()
        if shard.index in self._open:
            self._open.move_to_end(shard.index)
            return self._open[shard.index][0]
        with ExitStack() as stack:
            file = stack.enter_context(open_guarded(self.folder / shard.name, SCHEMA, VERSION))
            self._check_shard(file, shard)
            self._open[shard.index] = (file, stack.pop_all())
        if len(self._open) > _OPEN_SHARDS:
            _, (_, oldest) = self._open.popitem(last=False)
            oldest.close()
        return file

    def _check_shard(self, file: h5py.File, shard: Shard) -> None:
        pictures = (shard.count, *self.manifest.pixels, 3)
        for name, shape, dtype in (
            ("clean", pictures, np.uint8),
            ("degraded", pictures, np.uint8),
            ("source", (shard.count,), np.int64),
            ("seed", (shard.count,), np.int64),
        ):
            dataset = file.get(name)
            if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape or dataset.dtype != dtype:
                found = f"{getattr(dataset, 'shape', None)} {getattr(dataset, 'dtype', '')}".strip()
                raise InputError(
                    f"{self.folder / shard.name}: {name} is {found}, expected {shape} {np.dtype(dtype)}; "
                    "make the pairs again."
                )


def _close_all(opened: OrderedDict[int, tuple[h5py.File, ExitStack]], process: int) -> None:
    """Close shards, unless they came over a fork and belong to the parent."""
    if process == os.getpid():
        for _, stack in opened.values():
            stack.close()
        opened.clear()


def require_same_camera(pairs: Pairs, bank: PsfBank) -> None:
    """Refuse a bank of another camera than the pairs were made for.

    Raises:
        InputError: the hashes of the two cameras differ.
    """
    if pairs.manifest.lens_hash != bank.camera.hash:
        raise InputError(
            f"{pairs.folder}: made for camera {pairs.manifest.camera_name!r} "
            f"({pairs.manifest.lens_hash[:12]}…), the psf bank is of {bank.camera.name!r} "
            f"({bank.camera.hash[:12]}…); give the bank that the pairs were made with."
        )
