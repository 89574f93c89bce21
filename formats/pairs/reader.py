"""``pairs/``: clean and degraded pictures side by side, in shards that survive whatever interrupts their writer.

    pairs/manifest.json      written first: what is to be made, from what, for which camera
    pairs/shard-00000.h5     clean[sample, y, x, channel], degraded[...], neutral[...], one sample a chunk, and more
    pairs/shard-00000.json   written after its shard: count, size and SHA-256; without it the shard is not finished

Nothing in these files depends on when or how often the writer was interrupted: a resumed folder is byte-identical
to an undisturbed one.
"""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.camera.unknown import unknown_camera
from metalens.formats.files.errors import InputError
from metalens.formats.files.json_file import read_json
from metalens.formats.pairs.example import pairs_folder
from metalens.formats.pairs.manifest import (
    MANIFEST,
    SCHEMA,
    PairsCamera,
    PairsManifest,
    PairsSource,
    Shard,
    SkippedSource,
    damage_of,
    read_manifest,
    read_marker,
)
from metalens.formats.pairs.photograph_split import Split
from metalens.formats.pairs.shard import OpenShard, PairSample, StoredSample, open_shard
from metalens.formats.pairs.writer import PairsWriter, open_pairs_writer
from metalens.formats.psf.bank import PsfBank

__all__ = [
    "PairSample",
    "Pairs",
    "PairsCamera",
    "PairsManifest",
    "PairsSource",
    "PairsWriter",
    "SkippedSource",
    "is_pairs_folder",
    "open_pairs_writer",
    "pair_names",
    "read_pairs",
    "require_same_camera",
]

_OPEN_SHARDS = 32


def is_pairs_folder(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder calls itself a folder of pairs; :func:`read_pairs` says whether it is a sound one."""
    folder = pairs_folder(folder)
    try:
        manifest = read_json(folder / MANIFEST, "manifest of pairs", "make the pairs again", kind=object)
    except InputError:
        return False
    return isinstance(manifest, dict) and manifest.get("schema") == SCHEMA


def read_pairs(folder: str | os.PathLike[str], *, open_shards: int = _OPEN_SHARDS) -> Pairs:
    """Open a finished folder of pairs for reading.

    Args:
        folder: what ``metalens synth`` wrote, ``hf:user/name[@revision]``, or ``embedded:example``, the pair that comes
            with the package.
        open_shards: how many files stay open at most, in each process.

    Returns:
        The pairs: ``clean, captured = pairs[i]``, both ``[y, x, 3]`` uint8 sRGB.

    Raises:
        InputError: there is no manifest, it is of another schema or version, or shards are missing or have
            another size than their markers say.

    Example: see :func:`metalens.generate_pairs`, which makes the folder that it reads.
    """
    target = pairs_folder(folder)
    manifest = read_manifest(target)
    for shard in manifest.shards:
        if not (target / shard.name).is_file() or not (target / shard.marker).is_file():
            lacking = shard.marker if (target / shard.name).is_file() else shard.name
            done = sum((target / each.name).is_file() and (target / each.marker).is_file() for each in manifest.shards)
            raise InputError(
                f"{target}: unfinished, {lacking} is missing, {done} of {len(manifest.shards)} complete; "
                "run the command that makes it again with --resume."
            )
        marker = read_marker(target / shard.marker)
        size = (target / shard.name).stat().st_size
        if marker.count != shard.count or marker.bytes != size:
            raise InputError(
                f"{target / shard.name}: {size} bytes, its marker says {marker.bytes} for {marker.count} samples; "
                "run the command that makes it again with --resume."
            )
    return Pairs(target, manifest, open_shards)


class Pairs:
    """A finished folder of pairs: ``len(pairs)``, ``pairs[i]`` → clean, degraded, both ``[y, x, 3]`` uint8.

    Shards are opened when they are first needed, by each process for itself, so that a record can be handed to
    the workers of a data loader; at most ``open_shards`` stay open.
    """

    def __init__(self, folder: Path, manifest: PairsManifest, open_shards: int = _OPEN_SHARDS) -> None:
        self.folder = folder
        self.manifest = manifest
        self.open_shards = max(1, open_shards)
        self._shards = manifest.shards
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._open: OrderedDict[int, tuple[OpenShard, ExitStack]] = OrderedDict()
        # Closed with the record or before the interpreter ends, while h5py still can.
        weakref.finalize(self, _close_all, self._open, self._process)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "manifest": self.manifest, "open_shards": self.open_shards}

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
        """Read one sample with all that is known of it.

        Raises:
            IndexError: there is no such sample.
            InputError: its shard is damaged.
        """
        shard, place = self._place(index)
        return self._shard(shard).sample(place)

    def stored(self, index: int) -> StoredSample:
        """Read one sample as it is stored; see :meth:`sample`."""
        shard, place = self._place(index)
        return self._shard(shard).stored(place)

    def source_name(self, index: int) -> str:
        """Name of the photograph that a sample was made from."""
        shard, place = self._place(index)
        return self.manifest.sources[int(self._shard(shard).numbers["source"][place])].name

    def source_names(self) -> list[str]:
        """Name of the photograph of every sample, in order; reads no picture.

        Raises:
            InputError: a shard is damaged.
        """
        return [self.manifest.sources[number].name for number in self.numbers("source")]

    def numbers(self, name: str) -> np.ndarray:
        """One of the numbers of every sample, such as ``source`` or ``position``, in order; reads no picture.

        Args:
            name: one of :data:`metalens.formats.pairs.shard.NUMBERS`.

        Raises:
            InputError: a shard is damaged.
        """
        return np.concatenate([self._shard(shard).numbers[name] for shard in self._shards])

    def of_split(self, split: Split) -> np.ndarray:
        """Positions of the samples whose photographs are of one side of the split, ascending."""
        sides = np.array([source.split == split for source in self.manifest.sources])
        return np.flatnonzero(sides[self.numbers("source")])

    def verify(self) -> None:
        """Recompute every shard's checksum.

        Raises:
            InputError: a shard is not what was written.
        """
        for shard in self._shards:
            damage = damage_of(self.folder, shard)
            if damage is not None:
                raise InputError(
                    f"{self.folder / shard.name}: {damage}; run the command that makes it again with --resume."
                )

    def close(self) -> None:
        """Close the shards that this process has open."""
        _close_all(self._open, self._process)
        self._forget()

    def _place(self, index: int) -> tuple[Shard, int]:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        shard = self._shards[position // self.manifest.shard_size]
        return shard, position - shard.first

    def _shard(self, shard: Shard) -> OpenShard:
        # Handles that came over a fork belong to the parent: forgotten, not closed.
        if self._process != os.getpid():
            self._forget()
        if shard.index in self._open:
            self._open.move_to_end(shard.index)
            return self._open[shard.index][0]
        with ExitStack() as stack:
            opened = stack.enter_context(open_shard(self.folder, self.manifest, shard))
            self._open[shard.index] = (opened, stack.pop_all())
        if len(self._open) > self.open_shards:
            _, (_, oldest) = self._open.popitem(last=False)
            oldest.close()
        return opened


def pair_names(pairs: Pairs) -> list[str]:
    """A name for every sample: its photograph's, numbered where a photograph has several samples."""
    names = [Path(name).stem for name in pairs.source_names()]
    return [
        name if names.count(name) == 1 else f"{name}-{names[:index].count(name)}" for index, name in enumerate(names)
    ]


def _close_all(opened: OrderedDict[int, tuple[OpenShard, ExitStack]], process: int) -> None:
    """Close shards, unless they came over a fork and belong to the parent."""
    if process == os.getpid():
        for _, stack in opened.values():
            stack.close()
        opened.clear()


def require_same_camera(pairs: Pairs, bank: PsfBank) -> None:
    """Check that a bank belongs to the camera of the pairs.

    Args:
        pairs: the pairs.
        bank: the bank.

    Raises:
        InputError: the pairs are of several cameras, or the hash of their one differs from the bank's.
    """
    hashes = pairs.manifest.lens_hashes
    if hashes != [bank.camera.hash]:
        if hashes == [unknown_camera(pairs.manifest.pixels).hash]:
            raise InputError(
                f"{pairs.folder}: their lens is unknown, the psf bank is of {bank.camera.name!r}; import them again "
                "with --lens if it is theirs, or train on them without --psf."
            )
        made = f"camera {pairs.manifest.camera_names!r} ({', '.join(each[:12] + '…' for each in hashes)})"
        raise InputError(
            f"{pairs.folder}: made for {made}, the psf bank is of {bank.camera.name!r} "
            f"({bank.camera.hash[:12]}…); give the bank that the pairs were made with."
        )
