"""Pseudo pairs: the negative path predicts the camera's captures of clean pictures (DMDiff section 3.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from metalens.formats.files.errors import InputError
from metalens.formats.files.foreign_text import as_utf8
from metalens.formats.pairs.manifest import PairsCamera, PairsManifest, PairsSource, Shard, SkippedSource
from metalens.formats.pairs.photograph_split import (
    VALIDATION_SHARE,
    look_of,
    pairs_of_each,
    photographs_in_turn,
    split_photographs,
)
from metalens.formats.pairs.shard import PairSample
from metalens.formats.pairs.thumbnail import thumbnail_of
from metalens.formats.pairs.writer import open_pairs_writer
from metalens.formats.pictures.pictures import read_picture
from metalens.formats.pictures.resizing import scene_from_picture
from metalens.formats.pictures.scene import linear_to_srgb, random_crop, to_8_bit
from metalens.restore.adapter.restorer import Restorer
from metalens.restore.inference.restoration import degradation_map
from metalens.restore.metrics.picture_tensors import as_picture, as_tensor, pad_to_multiple

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class PseudoPlan:
    """Pseudo pairs before they are made.

    Attributes:
        manifest: of the folder.
        paths: of its photographs, in order.
    """

    manifest: PairsManifest
    paths: list[Path]


def plan_pseudo_pairs(
    restorer: Restorer, photographs: Sequence[Path], *, count: int | None = None, seed: int = 0, shard_size: int = 32
) -> PseudoPlan:
    """Read all photographs and decide what the folder will hold.

    Args:
        restorer: prior and adapter of the camera.
        photographs: clean pictures.
        count: number of pairs; by default one per photograph.
        seed: seed of the crops.
        shard_size: pairs per file.

    Returns:
        The manifest of the pairs, and the photographs that can be read.

    Raises:
        InputError: no photograph can be read.
    """
    if count is not None and count < 1:
        raise InputError(f"--count must be 1 or more, found {count}.")
    sources, paths, skipped = _readable(photographs)
    manifest = PairsManifest(
        kind="pseudo",
        count=len(paths) if count is None else count,
        shard_size=shard_size,
        pixels=restorer.camera.sensor.pixels,
        seed=seed,
        cameras=(
            PairsCamera(
                name=restorer.camera.name,
                lens_hash=restorer.camera.hash,
                sensor=restorer.camera.sensor.pixels,
            ),
        ),
        config={"prior": restorer.prior.identity, "adapter": restorer.identity},
        sources=sources,
        skipped=skipped,
        versions={"metalens": version("metalens"), "torch": torch.__version__},
    )
    return PseudoPlan(manifest, paths)


def make_pseudo_pairs(
    restorer: Restorer,
    plan: PseudoPlan,
    output: Path,
    *,
    resume: bool = False,
    report: Report = lambda done, total: None,
) -> None:
    """Make pairs of clean pictures and captures predicted by the negative path, in the format of ``metalens synth``.

    Args:
        restorer: prior and adapter of the camera.
        plan: of the same restorer.
        output: a new folder, or an unfinished one with ``resume``.
        resume: keep the finished shards.
        report: called after every shard.

    Raises:
        InputError: a photograph cannot be read any more, or the output cannot be written or resumed.
    """
    with open_pairs_writer(output, plan.manifest, resume=resume) as writer:
        count = plan.manifest.count
        done = count - sum(shard.count for shard in writer.missing)
        for shard in writer.missing:
            writer.write(shard, _samples(restorer, plan, shard))
            done += shard.count
            report(done, count)


def _samples(restorer: Restorer, plan: PseudoPlan, shard: Shard) -> Iterator[PairSample]:
    manifest, pixels = plan.manifest, plan.manifest.pixels
    each = pairs_of_each(manifest.count, [source.split for source in manifest.sources], VALIDATION_SHARE)
    numbers = range(shard.first, shard.first + shard.count)
    for number, source in zip(numbers, photographs_in_turn(numbers, each), strict=True):
        picture = read_picture(plan.paths[source])
        crop = random_crop(picture.shape[:2], pixels, np.random.default_rng([manifest.seed, number]))
        clean = to_8_bit(linear_to_srgb(scene_from_picture(picture, pixels, crop)))
        yield PairSample(clean=clean, degraded=degrade(restorer, clean), source=source, seed=number)


@torch.no_grad()
def degrade(restorer: Restorer, clean: np.ndarray) -> np.ndarray:
    """Apply the negative path: predict the camera's picture of a clean one.

    Args:
        restorer: prior and adapter.
        clean: ``[y, x, 3]`` uint8, of the sensor's size.

    Returns:
        ``[y, x, 3]`` uint8.
    """
    device = restorer.prior.alpha_cumprod.device
    maps = degradation_map(restorer, clean, None)
    padded = pad_to_multiple(restorer.clean_input(as_tensor(clean)[None].to(device)), restorer.prior.size_multiple)
    height, width = clean.shape[:2]
    return as_picture(restorer.forward(padded, maps, ["negative"])[0, :, :height, :width])


def _readable(
    photographs: Sequence[Path],
) -> tuple[tuple[PairsSource, ...], list[Path], tuple[SkippedSource, ...]]:
    hashes, looks, thumbnails, paths, skipped = [], [], [], [], []
    for path in photographs:
        try:
            picture = read_picture(path)
        except InputError as error:
            skipped.append(SkippedSource(name=as_utf8(path.name), reason=str(error)))
            continue
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
        looks.append(look_of(picture))
        thumbnails.append(thumbnail_of(picture))
        paths.append(path)
    if not paths:
        reason = skipped[0].reason if skipped else "none was given"
        raise InputError(f"no photograph can be used: {reason}")
    sides = split_photographs(hashes, looks, VALIDATION_SHARE)
    sources = tuple(
        PairsSource(name=path.name, sha256=sha256, look=look, thumbnail=thumbnail, split=side)
        for path, sha256, look, thumbnail, side in zip(paths, hashes, looks, thumbnails, sides, strict=True)
    )
    return sources, paths, tuple(skipped)
