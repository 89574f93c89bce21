"""A training set for one camera: photographs in, shards of clean and degraded pictures out.

Every sample has its own seed, drawn from the run's seed and the sample's number; nothing depends on the order of
work, so a run that was interrupted and resumed gives the same bytes as one that was not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

import jax.numpy as jnp
import numpy as np

from metalens.formats.errors import InputError
from metalens.formats.pairs import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    SkippedSource,
    open_pairs_writer,
)
from metalens.formats.photograph_split import VALIDATION_SHARE, look_of, split_photographs
from metalens.formats.pictures import read_picture
from metalens.formats.psf_bank import PsfBank
from metalens.formats.scene import linear_to_srgb, random_crop, scene_from_picture, to_8_bit
from metalens.synth.blur import ShiftVariantBlur, blur, shift_variant_blur
from metalens.synth.photographs import Photograph
from metalens.synth.sensor import Demosaicing, Exposure, develop, expose, exposure_for

Cropping = Literal["random", "centre"]

_PACKAGES = ("metalens", "numpy", "jax", "h5py", "pillow", "colour-demosaicing")


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera made ready to photograph scenes: its blur, its exposure and its way of developing a raw frame."""

    bank: PsfBank
    operator: ShiftVariantBlur
    exposure: Exposure
    demosaicing: Demosaicing = "malvar2004"


@dataclass(frozen=True)
class PairsReport:
    """What :func:`generate_pairs` did.

    Attributes:
        count: samples that the folder holds.
        made: samples that this run made; the others were there already.
        sources: photographs that were used.
        skipped: photographs that could not be used, and why.
    """

    count: int
    made: int
    sources: int
    skipped: tuple[SkippedSource, ...] = field(default=())


def simulated_camera(bank: PsfBank, *, demosaicing: Demosaicing = "malvar2004") -> SimulatedCamera:
    """Make a camera ready to photograph scenes.

    Raises:
        InputError: the bank's nodes are no grid, or two of them are closer than a pixel.
    """
    exposure = exposure_for(bank.camera.sensor, bank)
    return SimulatedCamera(bank, shift_variant_blur(bank), exposure, demosaicing)


def photograph_scene(camera: SimulatedCamera, scene: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Photograph a scene: blur, expose, develop.

    Args:
        camera: from :func:`simulated_camera`.
        scene: ``[y, x, 3]`` linear light on the sensor's pixels.
        generator: the random numbers of this sample alone.

    Returns:
        ``[y, x, 3]`` uint8 sRGB.
    """
    sensor = camera.bank.camera.sensor
    light = np.asarray(blur(camera.operator, jnp.asarray(scene)))
    raw = expose(sensor, light, camera.exposure, generator)
    return develop(sensor, raw, camera.exposure, demosaicing=camera.demosaicing)


def generate_pairs(
    photographs: Sequence[Photograph],
    bank: PsfBank,
    output: str | os.PathLike[str],
    *,
    count: int | None = None,
    samples_per_photograph: int = 1,
    cropping: Cropping = "random",
    demosaicing: Demosaicing = "malvar2004",
    seed: int = 0,
    shard_size: int = 64,
    resume: bool = False,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PairsReport:
    """Write a folder of pairs: each photograph as a perfect lens would show it, and as this camera does.

    Args:
        photographs: the scenes.
        bank: the camera's point spread functions.
        output: the folder to make.
        count: samples in all, shared evenly over the photographs, the first ones taking what is left over;
            by default ``samples_per_photograph`` for each.
        samples_per_photograph: see ``count``.
        cropping: ``random`` cuts, scales and mirrors each sample anew, for training; ``centre`` takes the largest
            centred rectangle, for a test set.
        demosaicing: see :func:`metalens.synth.sensor.develop`.
        seed: of all random numbers.
        shard_size: samples in a file.
        resume: go on where an equal run was interrupted.
        strict: refuse a photograph that cannot be read, instead of skipping it.
        progress: is told the samples done and the samples in all.

    Returns:
        What was done; ``read_pairs(output)`` opens the result.

    Raises:
        InputError: no photograph can be used, a setting makes no sense, or the folder cannot be written.
    """
    if cropping not in ("random", "centre"):
        raise InputError(f"cropping {cropping!r}: expected 'random' or 'centre'.")
    usable, sources, skipped = _take_stock(photographs, strict)
    total = count if count is not None else samples_per_photograph * len(usable)
    if total < 1 or shard_size < 1 or seed < 0:
        raise InputError(
            f"pairs: count {total}, shard size {shard_size} and seed {seed} were asked for; "
            "expected at least 1, 1 and 0."
        )
    manifest = PairsManifest(
        kind="simulated",
        count=total,
        shard_size=shard_size,
        pixels=bank.camera.sensor.pixels,
        seed=seed,
        cameras=(
            PairsCamera(
                name=bank.camera.name,
                lens_hash=bank.camera.hash,
                sensor=bank.camera.sensor.pixels,
                psf_hash=_bank_hash(bank),
                provenance=dict(bank.provenance),
            ),
        ),
        config={"cropping": cropping, "demosaicing": demosaicing},
        sources=tuple(sources),
        skipped=tuple(skipped),
        versions={package: version(package) for package in _PACKAGES},
    )
    with open_pairs_writer(output, manifest, resume=resume) as writer:
        missing = sum(shard.count for shard in writer.missing)
        done = total - missing
        camera = simulated_camera(bank, demosaicing=demosaicing)
        pictures = _PictureShelf(usable)
        for shard in writer.missing:
            samples = []
            for number in range(shard.first, shard.first + shard.count):
                source = _source_of(number, total, len(usable))
                samples.append(_make_sample(camera, pictures, source, seed, number, cropping))
                done += 1
                if progress is not None:
                    progress(done, total)
            writer.write(shard, samples)
    return PairsReport(total, missing, len(usable), tuple(skipped))


def _take_stock(
    photographs: Sequence[Photograph], strict: bool
) -> tuple[list[Photograph], list[PairsSource], list[SkippedSource]]:
    """Read every photograph once, so that the manifest can say at the start which ones are used."""
    usable, sources, skipped = [], [], []
    for photograph in photographs:
        try:
            look = look_of(read_picture(photograph.path))
            checksum = hashlib.sha256(photograph.path.read_bytes()).hexdigest()
        except InputError as error:
            if strict:
                raise
            skipped.append(SkippedSource(name=photograph.name, reason=str(error)))
            continue
        usable.append(photograph)
        sources.append(
            PairsSource(
                name=photograph.name,
                licence=photograph.licence,
                credit=photograph.credit,
                sha256=checksum,
                look=look,
            )
        )
    if not usable:
        reason = f"; the first: {skipped[0].reason}" if skipped else ""
        raise InputError(
            f"pairs: none of the {len(photographs)} photographs can be used{reason} "
            "Give a folder of colour photographs."
        )
    sides = split_photographs([each.sha256 for each in sources], [each.look for each in sources], VALIDATION_SHARE)
    split = [each.model_copy(update={"split": side}) for each, side in zip(sources, sides, strict=True)]
    return usable, split, skipped


def _bank_hash(bank: PsfBank) -> str:
    """SHA-256 of the functions themselves: one camera's bank can be computed more or less finely."""
    digest = hashlib.sha256()
    for array in (bank.intensity, bank.field_y, bank.field_x):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _source_of(number: int, total: int, photographs: int) -> int:
    """Tell which photograph a sample is made from; samples of one photograph lie together."""
    each, more = divmod(total, photographs)
    if number < more * (each + 1):
        return number // (each + 1)
    return more + (number - more * (each + 1)) // each


class _PictureShelf:
    """Photographs by position; the last one stays decoded, as the samples of one photograph lie together."""

    def __init__(self, photographs: Sequence[Photograph]) -> None:
        self._photographs = photographs
        self._position = -1
        self._picture = np.zeros((0, 0, 3), dtype=np.uint8)

    def __getitem__(self, position: int) -> np.ndarray:
        if position != self._position:
            self._picture = read_picture(self._photographs[position].path)
            self._position = position
        return self._picture


def _make_sample(
    camera: SimulatedCamera,
    pictures: _PictureShelf,
    source: int,
    seed: int,
    number: int,
    cropping: Cropping,
) -> PairSample:
    generator = np.random.default_rng([seed, number])
    picture = pictures[source]
    pixels = camera.bank.camera.sensor.pixels
    crop = random_crop(picture.shape[:2], pixels, generator) if cropping == "random" else None
    scene = scene_from_picture(picture, pixels, crop)
    degraded = photograph_scene(camera, scene, generator)
    return PairSample(to_8_bit(linear_to_srgb(scene)), degraded, source, number)


def iterate_scenes(photographs: Sequence[Photograph], pixels: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield each photograph's centre as a scene ``[y, x, 3]`` of linear light on a sensor's pixels.

    Raises:
        InputError: a photograph cannot be read.
    """
    for photograph in photographs:
        yield scene_from_picture(read_picture(photograph.path), pixels)
