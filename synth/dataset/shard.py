"""One sample and one shard: the work of a worker, a pure function of its spec."""

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
from metalens.formats.pairs.photograph_split import photographs_in_turn
from metalens.formats.pairs.shard import PairSample, StoredSample, store_sample
from metalens.formats.pairs.writer import write_shard
from metalens.formats.pictures.light import read_stored_light
from metalens.formats.pictures.pictures import read_bytes
from metalens.formats.pictures.resizing import StoredLight
from metalens.formats.pictures.scene import linear_to_srgb, to_8_bit
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import read_psf_bank
from metalens.runners.job import Progress
from metalens.synth.dataset.camera import SimulatedCamera, photograph_crop, simulated_camera
from metalens.synth.dataset.crops import Sharpness, choose_view, cut_scene, sharpness_of
from metalens.synth.dataset.settings import (
    PairsSettings,
    camera_of,
    described_settings,
    pairs_of_sources,
    position_of,
    stand_in,
)
from metalens.synth.sensor import Demosaicing

STAGES = ("photograph", "scene", "capture", "neutral", "compression", "writing")
"""Stages for which the time is reported."""

SHARD = "metalens.synth.dataset.shard:run_shard"
"""The job's name."""

_CAMERAS_READY = 2


class LostPhotograph(Exception):
    """A photograph that cannot be read any more, or that was changed after the set was begun."""

    def __init__(self, source: int, reason: str) -> None:
        super().__init__(reason)
        self.source = source
        self.reason = reason


@dataclass(frozen=True)
class ShardSpec:
    """Everything that one shard needs, by path; converts to JSON.

    Attributes:
        folder: the folder of pairs, with its manifest.
        index: of the shard.
        photographs: path of each source that the shard needs.
        banks: path of each camera's ``psf.h5``, in the order of the manifest.
        lost: indices of the lost sources, which others replace.
    """

    folder: str
    index: int
    photographs: dict[str, str]
    banks: list[str]
    lost: list[int]


def sources_of(manifest: PairsManifest, shard: Shard, lost: Sequence[int]) -> list[int]:
    """Photograph of each sample of a shard; a lost one is replaced by another of the same side of the split.

    Args:
        manifest: of the set.
        shard: the shard.
        lost: indices of sources that cannot be read any more.

    Returns:
        Source index of each sample, in order.

    Raises:
        InputError: every photograph is lost.
    """
    gone = set(lost)
    chosen = []
    numbers = range(shard.first, shard.first + shard.count)
    for number, source in zip(numbers, photographs_in_turn(numbers, pairs_of_sources(manifest)), strict=True):
        if source in gone:
            left = [place for place in range(len(manifest.sources)) if place not in gone]
            beside = [place for place in left if manifest.sources[place].split == manifest.sources[source].split]
            if not left:
                raise InputError("pairs: none of the photographs can be read any more; put them back and --resume.")
            chosen.append(stand_in(number, manifest.seed, beside or left))
        else:
            chosen.append(source)
    return chosen


def run_shard(spec: Mapping[str, Any], progress: Progress = lambda made: None) -> dict[str, Any]:
    """Make and write one shard; a job.

    The bytes depend on the spec and on the files that it names, not on the machine or on other workers.

    Args:
        spec: the fields of a :class:`ShardSpec`.
        progress: called with the number of samples made so far.

    Returns:
        ``index``, ``seconds`` by stage, and ``lost``: ``None``, or source and reason of a photograph that could not be
        read; nothing was written then.

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
    """SHA-256 of the point spread functions; the camera's hash is not enough, as its bank may have any sampling."""
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
    """Make and write one shard, with the manifest and the cameras in memory; see :func:`run_shard`.

    Matrix products run on one thread. The order of summation depends on the number of threads, and the last bit of the
    light can change a pixel's noise.

    Args:
        folder: of the pairs.
        manifest: of the set.
        shard: the shard.
        photographs: source index → path.
        camera: returns the prepared camera of an index.
        lost: indices of sources that cannot be read any more.
        progress: called with the number of samples made so far.

    Returns:
        As :func:`run_shard`.

    Raises:
        InputError: no photograph can be read any more, or the disk cannot be written.
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
    """Makes samples; keeps the last photograph decoded, as its samples are consecutive."""

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
        self._photograph: StoredLight
        self._sharpness: Sharpness

    def make(self, number: int, source: int) -> StoredSample:
        """Make one sample; its random numbers come from the seed of the run and the number of the sample.

        Args:
            number: of the sample, from 0.
            source: index of its photograph.

        Returns:
            The compressed sample.

        Raises:
            LostPhotograph: the photograph cannot be read or was changed.
            InputError: the camera's bank cannot be used.
        """
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
        scene = cut_scene(self._photograph, view, pixels, margin) * np.float32(exposure)
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
            if hashlib.sha256(read_bytes(path)).hexdigest() != self.manifest.sources[source].sha256:
                raise InputError(f"{path}: was changed since the pairs were begun.")
            self._photograph = read_stored_light(path)
        except InputError as error:
            raise LostPhotograph(source, str(error)) from error
        self._sharpness = sharpness_of(self._photograph)
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
