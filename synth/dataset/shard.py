"""One sample, and one shard: what a worker makes, from what it is told and nothing else."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.manifest import PairsManifest, Shard, read_manifest
from metalens.formats.pairs.neutral_target import neutral_target
from metalens.formats.pairs.shard import PairSample, StoredSample, store_sample
from metalens.formats.pairs.writer import write_shard
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank, read_psf_bank
from metalens.runners.job import Progress
from metalens.synth.dataset.camera import SimulatedCamera, photograph_crop, simulated_camera
from metalens.synth.dataset.crops import Sharpness, choose_view, cut_scene, sharpness_of
from metalens.synth.dataset.photograph_survey import read_bytes
from metalens.synth.dataset.settings import (
    PairsSettings,
    camera_of,
    described_settings,
    position_of,
    source_of,
    stand_in,
)
from metalens.synth.sensor import Demosaicing

STAGES = ("photograph", "scene", "capture", "neutral", "compression", "writing")
"""What a shard's seconds are told apart by."""

SHARD = "metalens.synth.dataset.shard:run_shard"
"""The job's name."""

_CAMERAS_READY = 2


class LostPhotograph(Exception):
    """A photograph cannot be read any more, or is not what it was when the set was begun."""

    def __init__(self, source: int, reason: str) -> None:
        super().__init__(reason)
        self.source = source
        self.reason = reason


@dataclass(frozen=True)
class ShardSpec:
    """All that is needed to make one shard, by path; JSON-able.

    Attributes:
        folder: the folder of pairs, which has its manifest.
        index: of the shard.
        photographs: path of each source that the shard needs.
        banks: path of each camera's ``psf.h5``, in the order of the manifest.
        lost: the sources that others stand in for.
    """

    folder: str
    index: int
    photographs: dict[str, str]
    banks: list[str]
    lost: list[int]


def sources_of(manifest: PairsManifest, shard: Shard, lost: Sequence[int]) -> list[int]:
    """The photograph of each sample of a shard, where others of the same side of the split stand in for the lost.

    Raises:
        InputError: every photograph is lost.
    """
    gone = set(lost)
    chosen = []
    for number in range(shard.first, shard.first + shard.count):
        source = source_of(number, manifest.count, len(manifest.sources))
        if source in gone:
            left = [place for place in range(len(manifest.sources)) if place not in gone]
            beside = [place for place in left if manifest.sources[place].split == manifest.sources[source].split]
            if not left:
                raise InputError("pairs: none of the photographs can be read any more; put them back and --resume.")
            source = stand_in(number, manifest.seed, beside or left)
        chosen.append(source)
    return chosen


def run_shard(spec: Mapping[str, Any], progress: Progress = lambda made: None) -> dict[str, Any]:
    """Make and write one shard: a pure function of its spec and of the files that the spec names.

    The same spec gives the same bytes, whoever runs it, when, and beside what.

    Args:
        spec: the fields of a :class:`ShardSpec`.
        progress: is told the samples made.

    Returns:
        ``index``, ``seconds`` by stage, and ``lost``: the source and reason of a photograph that could not be read,
        in which case nothing was written.

    Raises:
        InputError: the folder, a bank or the disk cannot be used.
    """
    given = ShardSpec(**spec)
    folder = Path(given.folder)
    manifest = read_manifest(folder)
    if len(given.banks) != len(manifest.cameras):
        raise InputError(f"{folder}: has {len(manifest.cameras)} cameras, {len(given.banks)} banks were given.")
    demosaicing = described_settings(manifest.config).demosaicing

    def camera(number: int) -> SimulatedCamera:
        return _ready_camera(given.banks[number], manifest.cameras[number].psf_hash, demosaicing)

    photographs = {int(source): Path(path) for source, path in given.photographs.items()}
    return make_shard(folder, manifest, manifest.shards[given.index], photographs, camera, given.lost, progress)


@lru_cache(maxsize=_CAMERAS_READY)
def _ready_camera(path: str, psf_hash: str, demosaicing: Demosaicing) -> SimulatedCamera:
    bank = read_psf_bank(path)
    if hash_of_bank(bank) != psf_hash:
        raise InputError(f"{path}: is not the psf bank that the pairs were begun with; give that one, or begin anew.")
    return simulated_camera(bank, demosaicing=demosaicing)


def hash_of_bank(bank: PsfBank) -> str:
    """SHA-256 of the functions themselves: one camera's bank can be computed more or less finely."""
    digest = hashlib.sha256()
    for array in (bank.intensity, bank.field_y, bank.field_x):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def make_shard(
    folder: Path,
    manifest: PairsManifest,
    shard: Shard,
    photographs: Mapping[int, Path],
    camera: Callable[[int], SimulatedCamera],
    lost: Sequence[int],
    progress: Progress,
) -> dict[str, Any]:
    """Make and write one shard; see :func:`run_shard`, which reads the manifest and the banks first.

    Products of matrices are computed on one thread, whoever calls: on two they are added up in another order, and the
    last bit of the light decides now and then what a pixel's noise is.
    """
    seconds = dict.fromkeys(STAGES, 0.0)
    maker = _SampleMaker(manifest, photographs, camera, seconds)

    def samples() -> Iterator[StoredSample]:
        for made, source in enumerate(sources_of(manifest, shard, lost), start=1):
            yield maker.make(shard.first + made - 1, source)
            progress(made)

    start = time.perf_counter()
    try:
        with threadpool_limits(limits=1):
            write_shard(folder, manifest, shard, samples())
    except LostPhotograph as gone:
        return {"index": shard.index, "seconds": seconds, "lost": {"source": gone.source, "reason": gone.reason}}
    seconds["writing"] = time.perf_counter() - start - sum(seconds.values())
    return {"index": shard.index, "seconds": seconds, "lost": None}


class _SampleMaker:
    """Makes samples one by one; the last photograph stays decoded, as the samples of one lie together."""

    def __init__(
        self,
        manifest: PairsManifest,
        photographs: Mapping[int, Path],
        camera: Callable[[int], SimulatedCamera],
        seconds: dict[str, float],
    ) -> None:
        self.manifest = manifest
        self.photographs = photographs
        self.camera = camera
        self.settings: PairsSettings = described_settings(manifest.config)
        self.seconds = seconds
        self._source = -1
        self._picture = np.zeros((0, 0, 3), dtype=np.uint8)
        self._sharpness: Sharpness

    def make(self, number: int, source: int) -> StoredSample:
        """Make one sample: all that is random in it comes from the run's seed and its number."""
        watch = _Watch(self.seconds)
        generator = np.random.default_rng([self.manifest.seed, number])
        pixels = self.manifest.pixels
        self._take_up(source)
        watch.lap("photograph")
        place = camera_of(number, self.manifest.seed, len(self.manifest.cameras))
        camera = self.camera(place)
        view = choose_view(self._sharpness, pixels, self.settings, generator)
        exposure = 1.0 if self.settings.cropping == "centre" else _log_uniform(self.settings.exposure, generator)
        margin = camera.margin(pixels)
        position = position_of(number, self.manifest.seed, pixels, camera.pixels, margin)
        scene = cut_scene(self._picture, view, pixels, margin) * np.float32(exposure)
        inner = (slice(margin, margin + pixels[0]), slice(margin, margin + pixels[1]))
        clean = to_8_bit(linear_to_srgb(scene[inner]))
        watch.lap("scene")
        degraded, blur_error = photograph_crop(camera, scene, pixels, position, generator)
        watch.lap("capture")
        neutral = neutral_target(clean)
        watch.lap("neutral")
        crop = (view.crop.top, view.crop.left, view.crop.height, view.crop.width)
        sample = PairSample(
            clean=clean,
            degraded=degraded,
            neutral=neutral,
            source=source,
            seed=number,
            camera=place,
            position=position,
            crop=crop,
            turns=view.turns,
            mirrored=view.mirrored,
            exposure=exposure,
            blur_error=blur_error,
        )
        stored = store_sample(sample, pixels)
        watch.lap("compression")
        return stored

    def _take_up(self, source: int) -> None:
        if source == self._source:
            return
        self._source = -1
        try:
            if source not in self.photographs:
                raise InputError("it is not among the photographs any more.")
            path = self.photographs[source]
            data = read_bytes(path)
            if hashlib.sha256(data).hexdigest() != self.manifest.sources[source].sha256:
                raise InputError(f"{path}: was changed since the pairs were begun.")
            self._picture = read_light(path)
        except InputError as error:
            raise LostPhotograph(source, str(error)) from error
        self._sharpness = sharpness_of(self._picture)
        self._source = source


class _Watch:
    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] += now - self.last
        self.last = now


def _log_uniform(limits: tuple[float, float], generator: np.random.Generator) -> float:
    low, high = limits
    return low if low == high else float(low * (high / low) ** generator.random())
