"""Filling a folder: its missing shards are handed out, and photographs that are lost meanwhile are stood in for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import LostSource, PairsManifest, Shard, SkippedSource, read_manifest
from metalens.formats.pairs.writer import PairsWriter
from metalens.formats.psf.bank import Bank, as_bank
from metalens.runners.backend import BackendSettings
from metalens.runners.job import Runner
from metalens.synth.dataset.camera import SimulatedCamera, simulated_camera
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.dataset.shard import SHARD, STAGES, ShardSpec, make_shard, sources_of


@dataclass(frozen=True)
class PairsReport:
    """What :func:`generate_pairs` did.

    Attributes:
        count: samples that the folder holds.
        made: samples that this run made; the others were there already.
        sources: photographs that the set was begun with.
        skipped: photographs that could not be used, and why.
        lost: photographs that could not be read any more when they were needed, and why.
        seconds: of all workers together, by stage.
    """

    count: int
    made: int
    sources: int
    skipped: tuple[SkippedSource, ...] = ()
    lost: tuple[SkippedSource, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """Where pairs are made and who is told of it; the pairs are the same for all.

    Attributes:
        backend: where the work is done; by default in this process.
        strict: refuse a photograph that cannot be read, now or when its turn comes, instead of going on without it.
        progress: is told the samples done and the samples in all.
        look: is told the photographs looked at and those in all, before the first sample is made.
    """

    backend: BackendSettings = field(default_factory=BackendSettings)
    strict: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None
    look: Callable[[int, int], None] = lambda done, total: None


@dataclass
class Filling:
    """One run: which shards are missing, and what is known of the photographs."""

    folder: Path
    banks: Sequence[Bank]
    settings: PairsSettings
    bank_paths: Sequence[str] = ()
    _ready: dict[int, SimulatedCamera] = field(default_factory=dict)

    def make_here(self, spec: Mapping[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
        """Do what :func:`metalens.synth.dataset.shard.run_shard` does, with the banks that are in memory already."""
        given = ShardSpec(**spec)
        manifest = read_manifest(self.folder)
        photographs = {int(source): Path(path) for source, path in given.photographs.items()}
        shard = manifest.shards[given.index]
        return make_shard(self.folder, manifest, shard, photographs, self._camera, given.lost, progress)

    def _camera(self, number: int) -> SimulatedCamera:
        if number not in self._ready:
            # One at a time: an ensemble's would not all fit into memory.
            bank = as_bank(self.banks[number])
            self._ready = {number: simulated_camera(bank, demosaicing=self.settings.demosaicing)}
        return self._ready[number]

    def fill(
        self,
        writer: PairsWriter,
        paths: Mapping[int, Path],
        backend: Runner,
        execution: Execution,
    ) -> PairsReport:
        """Make the missing shards."""
        total = writer.manifest.count
        to_make = sum(shard.count for shard in writer.missing)
        counts = {shard.index: 0 for shard in writer.missing}
        seconds = dict.fromkeys(STAGES, 0.0)
        waiting = list(writer.missing)

        def tell(shard: Shard, made: int) -> None:
            counts[shard.index] = made
            execution.progress(total - to_make + sum(counts.values()), total)

        def tell_place(shards: Sequence[Shard], place: int, made: int) -> None:
            tell(shards[place], made)

        while waiting:
            specs = [self._spec(writer.manifest, shard, paths) for shard in waiting]
            again = []
            now = tuple(waiting)
            for place, result in backend.run(SHARD, specs, partial(tell_place, now)):
                for stage, spent in result["seconds"].items():
                    seconds[stage] += spent
                if result["lost"] is None:
                    if counts[waiting[place].index] != waiting[place].count:
                        tell(waiting[place], waiting[place].count)
                    continue
                writer = self._lose(writer, result["lost"], execution.strict)
                again.append(waiting[place])
            waiting = again
        manifest = writer.manifest
        names = [source.name for source in manifest.sources]
        lost = tuple(SkippedSource(name=names[each.source], reason=each.reason) for each in manifest.lost)
        return PairsReport(total, to_make, len(manifest.sources), manifest.skipped, lost, seconds)

    def _spec(self, manifest: PairsManifest, shard: Shard, paths: Mapping[int, Path]) -> dict[str, Any]:
        lost = sorted({each.source for each in manifest.lost})
        needed = sorted(set(sources_of(manifest, shard, lost)))
        spec = ShardSpec(
            folder=str(self.folder.resolve()),
            index=shard.index,
            photographs={str(source): str(paths[source].resolve()) for source in needed if source in paths},
            banks=list(self.bank_paths),
            lost=lost,
        )
        return asdict(spec)

    def _lose(self, writer: PairsWriter, lost: Mapping[str, Any], strict: bool) -> PairsWriter:
        source, reason = int(lost["source"]), str(lost["reason"])
        if strict:
            name = writer.manifest.sources[source].name
            raise InputError(f"{self.folder}: {name} is lost: {reason} Put it back and run again with --resume.")
        if any(each.source == source for each in writer.manifest.lost):
            return writer
        return writer.lose(LostSource(source=source, reason=reason))
