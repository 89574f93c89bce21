"""Joining folders of pairs into one: the pictures are copied as they are stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from metalens.formats.files.arguments import require_whole
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path
from metalens.formats.pairs.manifest import (
    PairsCamera,
    PairsManifest,
    PairsPart,
    PairsSource,
    Shard,
    SkippedSource,
)
from metalens.formats.pairs.reader import Pairs, read_pairs
from metalens.formats.pairs.shard import StoredSample
from metalens.formats.pairs.writer import open_pairs_writer


def merge_pairs(
    folders: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    shard_size: int | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PairsManifest:
    """Join folders of pairs, one after the other.

    Cameras and photographs that occur in several are listed once. A photograph that validates in one of them validates
    in the whole: what a restorer is judged by must not have been trained on.

    Args:
        folders: two or more finished folders, of pictures of one size.
        output: the folder to make.
        shard_size: samples in a file; by default as in the first folder.
        resume: go on where an equal run was interrupted.
        progress: is told the samples done and the samples in all.

    Returns:
        The manifest that was written.

    Raises:
        InputError: the sizes differ, a folder is given twice, is damaged, or the output cannot be written.
    """
    if shard_size is not None:
        require_whole(shard_size, "merge: shard size", most=10**6)
        if shard_size < 1:
            raise InputError(f"merge: shard size {shard_size} must be 1 or more.")
    if len(folders) < 2 or len({real_path(folder) for folder in folders}) < len(folders):
        raise InputError("merge: give two or more different folders of pairs.")
    sets = [read_pairs(folder, open_shards=1) for folder in folders]
    sizes = {each.manifest.pixels: each.folder for each in sets}
    if len(sizes) > 1:
        found = " and ".join(f"{rows} × {columns} ({folder})" for (rows, columns), folder in sizes.items())
        raise InputError(f"merge: the pictures have {found} pixels; only sets of one size can be joined.")
    for each in sets:
        each.verify()
    plan = _Plan(sets)
    manifest = plan.manifest(sets[0].manifest.shard_size if shard_size is None else shard_size)
    with open_pairs_writer(output, manifest, resume=resume) as writer:
        done = manifest.count - sum(shard.count for shard in writer.missing)
        for shard in writer.missing:
            writer.write(shard, plan.samples(shard))
            done += shard.count
            progress(done, manifest.count)
    for each in sets:
        each.close()
    return manifest


class _Plan:
    """Where each sample of the whole comes from, and what its numbers become."""

    def __init__(self, sets: Sequence[Pairs]) -> None:
        self.sets = sets
        self.cameras: list[PairsCamera] = []
        self.sources: dict[tuple[str, str], PairsSource] = {}
        self.camera_numbers = [[self._camera(each) for each in pairs.manifest.cameras] for pairs in sets]
        for pairs in sets:
            for source in pairs.manifest.sources:
                key = (source.sha256, source.name)
                self.sources.setdefault(key, source)
        held = {each.sha256 for pairs in sets for each in pairs.manifest.sources if each.split == "validation"}
        self.sources = {
            key: each.model_copy(update={"split": "validation" if each.sha256 in held else "train"})
            for key, each in self.sources.items()
        }
        places = {key: place for place, key in enumerate(self.sources)}
        self.source_numbers = [
            [places[source.sha256, source.name] for source in pairs.manifest.sources] for pairs in sets
        ]

    def _camera(self, camera: PairsCamera) -> int:
        if camera not in self.cameras:
            self.cameras.append(camera)
        return self.cameras.index(camera)

    def manifest(self, shard_size: int) -> PairsManifest:
        manifests = [pairs.manifest for pairs in self.sets]
        kinds = {each.kind for each in manifests}
        skipped: dict[tuple[str, str], SkippedSource] = {}
        for each in manifests:
            lost = [SkippedSource(name=each.sources[gone.source].name, reason=gone.reason) for gone in each.lost]
            for entry in (*each.skipped, *lost):
                skipped.setdefault((entry.name, entry.reason), entry)
        return PairsManifest(
            kind=kinds.pop() if len(kinds) == 1 else "mixed",
            count=sum(each.count for each in manifests),
            shard_size=shard_size,
            pixels=manifests[0].pixels,
            seed=manifests[0].seed,
            cameras=tuple(self.cameras),
            config={"merged": [pairs.folder.resolve().name for pairs in self.sets]},
            sources=tuple(self.sources.values()),
            skipped=tuple(skipped.values()),
            parts=tuple(_part(pairs) for pairs in self.sets),
        )

    def samples(self, shard: Shard) -> Iterator[StoredSample]:
        firsts = [0]
        for pairs in self.sets:
            firsts.append(firsts[-1] + len(pairs))
        for number in range(shard.first, shard.first + shard.count):
            place = next(place for place in range(len(self.sets)) if number < firsts[place + 1])
            sample = self.sets[place].stored(number - firsts[place])
            changed: dict[str, Any] = {
                "source": self.source_numbers[place][sample.numbers["source"]],
                "camera": self.camera_numbers[place][sample.numbers["camera"]],
            }
            yield replace(sample, numbers=sample.numbers | changed)


def _part(pairs: Pairs) -> PairsPart:
    manifest = pairs.manifest
    return PairsPart(
        name=pairs.folder.resolve().name,
        kind=manifest.kind,
        count=manifest.count,
        seed=manifest.seed,
        config=manifest.config,
        versions=manifest.versions,
    )
