"""One dataset run: missing shards are distributed to workers; photographs lost meanwhile are replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import LostSource, PairsManifest, Shard, SkippedSource, read_manifest
from metalens.formats.pairs.writer import PairsWriter
from metalens.formats.psf.bank_file import Bank, as_bank
from metalens.runners.backend import BackendSettings
from metalens.runners.job import Runner
from metalens.synth.dataset.camera import SimulatedCamera, simulated_camera
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.dataset.shard import SHARD, STAGES, ShardSpec, make_shard, sources_of


@dataclass(frozen=True)
class PairsReport:
    """Result of :func:`metalens.synth.generate.generate_pairs`.

    Attributes:
        count: samples in the folder.
        made: samples made by this run.
        sources: photographs in the manifest.
        skipped: photographs that could not be used, and why.
        lost: photographs that could be read at first but not when a sample needed them, and why.
        seconds: time by stage, summed over the workers.
    """

    count: int
    made: int
    sources: int
    skipped: tuple[SkippedSource, ...] = ()
    lost: tuple[SkippedSource, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """Where pairs are made and how progress is reported; the pairs do not depend on it.

    Attributes:
        backend: workers; by default this process.
        strict: raise for a photograph that cannot be read, instead of replacing it.
        progress: called with samples done and samples in total.
        look: called with photographs inspected and photographs in total, before the first sample.
    """

    backend: BackendSettings = field(default_factory=BackendSettings)
    strict: bool = False
    progress: Callable[[int, int], None] = lambda done, total: None
    look: Callable[[int, int], None] = lambda done, total: None


@dataclass
class DatasetRun:
    """State of one dataset run: missing shards and usable photographs.

    Attributes:
        folder: of the pairs.
        banks: point spread functions of each camera, or paths of them.
        settings: how samples are made.
        bank_paths: path of each bank, for workers in other processes.
    """

    folder: Path
    banks: Sequence[Bank]
    settings: PairsSettings
    bank_paths: Sequence[str] = ()
    _ready: dict[int, SimulatedCamera] = field(default_factory=dict)

    def make_here(self, spec: Mapping[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
        """Make one shard as :func:`metalens.synth.dataset.shard.run_shard` does, with the banks in memory.

        Args:
            spec: fields of a :class:`~metalens.synth.dataset.shard.ShardSpec`.
            progress: called with the number of samples made so far.

        Returns:
            As ``run_shard``.

        Raises:
            InputError: the folder, a bank or the disk cannot be used.
        """
        given = ShardSpec(**spec)
        manifest = read_manifest(self.folder)
        photographs = {int(source): Path(path) for source, path in given.photographs.items()}
        shard = manifest.shards[given.index]
        return make_shard(self.folder, manifest, shard, photographs, self._camera, given.lost, progress)

    def _camera(self, number: int) -> SimulatedCamera:
        if number not in self._ready:
            # Only one camera is kept: the blurs of a whole ensemble would not fit into memory.
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
        """Make the missing shards, in passes: a shard with a lost photograph is made again with a replacement.

        Args:
            writer: of the folder, with its manifest.
            paths: source index → path of the photograph.
            backend: runs the jobs.
            execution: strictness and progress.

        Returns:
            What was made and what was lost.

        Raises:
            InputError: a photograph is lost with ``strict``, all are lost, or the disk cannot be written.
        """
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
