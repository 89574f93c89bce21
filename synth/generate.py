"""Training set of a camera: from photographs to shards of clean and degraded pictures.

Every sample has its own seed, drawn from the run's seed and the sample's number; nothing depends on the order of
work, so a run that was interrupted and resumed, or shared by any number of workers, gives the same bytes as one that
was not.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from metalens.formats.files.arguments import require_whole, require_whole_pair
from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import real_path
from metalens.formats.files.record import first_problem
from metalens.formats.pairs.manifest import MANIFEST, read_manifest
from metalens.formats.pairs.reader import PairsCamera, PairsManifest, PairsSource, SkippedSource, open_pairs_writer
from metalens.formats.pairs.writer import require_same_pairs
from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.bank_file import Bank, as_bank, write_psf_bank
from metalens.runners.backend import BackendSettings
from metalens.runners.job import Runner
from metalens.synth.dataset.camera import SimulatedCamera, photograph_crop, photograph_scene, simulated_camera
from metalens.synth.dataset.photograph_survey import BATCH, INSPECT, find_again, take_stock
from metalens.synth.dataset.settings import PairsSettings
from metalens.synth.dataset.shard import SHARD, hash_of_bank
from metalens.synth.dataset.shard_scheduler import DatasetRun, Execution, PairsReport
from metalens.synth.photographs import Photograph

__all__ = [
    "BackendSettings",
    "Execution",
    "PairsOptions",
    "PairsReport",
    "PairsSettings",
    "SimulatedCamera",
    "generate_pairs",
    "photograph_crop",
    "photograph_scene",
    "simulated_camera",
]

_PACKAGES = ("metalens", "numpy", "scipy", "jax", "jaxlib", "h5py", "pillow")

_SHARD_BYTES = 2**28
_LARGEST_SHARD = 64
_MOST = {"count": 10**9, "shard size": 10**6, "seed": 2**63 - 1}
"""As far as a manifest goes."""


@dataclass(frozen=True)
class PairsOptions:
    """What pairs are asked for; with photographs and cameras, all that they depend on.

    Attributes:
        count: number of samples, divided evenly over the photographs (the first ones get one more if there is a
            remainder); by default one per photograph.
        pixels: rows, columns of the samples, each at a random position on the sensor; by default the whole sensor.
        seed: of all random numbers, at least 0.
        settings: how samples are made.
        design_hash: hash of the nominal camera of an ensemble; training on the pairs uses the bank of that camera.
        shard_size: samples per file; by default 256 MiB of pictures, at most 64 samples.
    """

    count: int | None = None
    pixels: tuple[int, int] | None = None
    seed: int = 0
    settings: PairsSettings = field(default_factory=PairsSettings)
    design_hash: str = ""
    shard_size: int | None = None


def generate_pairs(
    photographs: Sequence[Photograph],
    bank: Bank | Sequence[Bank],
    output: str | os.PathLike[str],
    options: PairsOptions | None = None,
    *,
    resume: bool = False,
    execution: Execution | None = None,
) -> PairsReport:
    """Simulate pairs of clean and captured pictures and write them into a folder.

    Args:
        photographs: the scenes.
        bank: the camera's point spread functions, or the path of its ``psf.h5``; several for an ensemble: each sample
            uses one of them.
        output: the folder to make.
        options: number and size of the samples, and how they are made; by default :class:`PairsOptions`.
        resume: continue an interrupted run with the same arguments.
        execution: workers and progress; it changes no picture. By default this process, silently.

    Returns:
        Numbers of samples and photographs; ``read_pairs(output)`` opens the result.

    Raises:
        InputError: no photograph can be used, a setting is out of range, or the folder cannot be written.
    """
    options, execution = options or PairsOptions(), execution or Execution()
    settings = options.settings
    asked = {"count": options.count, "shard size": options.shard_size, "seed": options.seed}
    for name, number in asked.items():
        if number is not None:
            require_whole(number, f"pairs: {name}", most=_MOST[name])
    several = isinstance(bank, Sequence) and not isinstance(bank, str)
    given: list[Bank] = list(bank) if several else [bank]  # type: ignore[arg-type, list-item]
    cameras, pixels = checked_cameras(given, options)
    folder, place = Path(output), execution.backend
    begun = read_manifest(folder) if resume and (folder / MANIFEST).is_file() else None
    job = DatasetRun(folder, given, settings)
    with closing(place.open(folder, {SHARD: job.make_here})) as backend:
        if begun is not None:
            paths, sources, skipped = find_again(begun, photographs, folder), begun.sources, begun.skipped
        else:
            found = _look(backend, photographs, pixels, execution.look)
            listed, sources, skipped = take_stock(
                photographs, found, validation=settings.validation, strict=execution.strict
            )
            paths = dict(enumerate(listed))
        manifest = _manifest_of(options, cameras, pixels, sources, skipped)
        # The workers end before the folder is left, whatever ends this: none writes there any more.
        with (
            open_pairs_writer(folder, manifest, resume=resume) as writer,
            _bank_paths(given, place) as bank_paths,
            closing(backend),
        ):
            job.bank_paths = bank_paths
            return job.fill(writer, paths, backend, execution)


def check_resumption(
    photographs: Sequence[Photograph], banks: Sequence[Bank], folder: Path, options: PairsOptions
) -> None:
    """Check that an interrupted run could go on with these settings, as :func:`generate_pairs` does.

    Args:
        photographs: the scenes.
        banks: point spread functions of each camera, or their files.
        folder: of the pairs; a new one is as good.
        options: of the pairs.

    Raises:
        InputError: they are not those that the folder was begun with.
    """
    if not (folder / MANIFEST).is_file():
        return
    begun = read_manifest(folder)
    find_again(begun, photographs, folder)
    cameras, pixels = checked_cameras(banks, options)
    require_same_pairs(begun, _manifest_of(options, cameras, pixels, begun.sources, begun.skipped), folder)


def _manifest_of(
    options: PairsOptions,
    cameras: tuple[PairsCamera, ...],
    pixels: tuple[int, int],
    sources: Sequence[PairsSource],
    skipped: Sequence[SkippedSource],
) -> PairsManifest:
    """What the folder is to hold."""
    total = options.count if options.count is not None else len(sources)
    seed, shard_size = options.seed, options.shard_size
    if shard_size is None:
        shard_size = min(max(1, _SHARD_BYTES // (9 * pixels[0] * pixels[1])), _LARGEST_SHARD)
    if total < 1 or shard_size < 1 or seed < 0:
        raise InputError(
            f"pairs: count {total}, shard size {shard_size} and seed {seed} were asked for; "
            "expected at least 1, 1 and 0."
        )
    content = {
        "kind": "simulated",
        "count": total,
        "shard_size": shard_size,
        "pixels": pixels,
        "seed": seed,
        "cameras": cameras,
        "config": options.settings.described(),
        "sources": sources,
        "skipped": skipped,
        "versions": {package: version(package) for package in _PACKAGES},
    }
    try:
        return PairsManifest.model_validate(content)
    except ValidationError as error:
        raise InputError(f"pairs: {first_problem(error, PairsManifest)}") from error


def checked_cameras(banks: Sequence[Bank], options: PairsOptions) -> tuple[tuple[PairsCamera, ...], tuple[int, int]]:
    """The cameras of pairs and the size of their frames, refused if they do not go together.

    Args:
        banks: point spread functions of each camera, or their files.
        options: of the pairs.

    Returns:
        A record of each camera, in the order of the banks; and rows, columns of a frame.

    Raises:
        InputError: a bank cannot be read, or pixels do not fit a sensor.
    """
    cameras = tuple(_described_camera(as_bank(each), options.design_hash) for each in banks)
    return cameras, _checked_pixels(options.pixels, cameras, options.settings)


def _checked_pixels(
    pixels: tuple[int, int] | None, cameras: Sequence[PairsCamera], settings: PairsSettings
) -> tuple[int, int]:
    if not cameras:
        raise InputError("pairs: no psf bank was given.")
    sensors = sorted({camera.sensor for camera in cameras})
    if pixels is None:
        if len(sensors) > 1:
            raise InputError(f"pairs: the cameras' sensors have {sensors} pixels; choose a --crop that fits all.")
        return sensors[0]
    require_whole_pair(pixels, "pairs: pixels")
    if min(pixels) < 1 or any(pixels[axis] > sensor[axis] for sensor in sensors for axis in (0, 1)):
        sensor = f"{sensors[0][0]} × {sensors[0][1]}"
        raise InputError(f"--crop of {pixels[0]} × {pixels[1]} pixels does not fit on a sensor of {sensor}.")
    if settings.cropping == "centre" and any(pixels != sensor for sensor in sensors):
        raise InputError("--whole shows the whole sensor; leave --crop out.")
    return pixels


def _look(
    backend: Runner,
    photographs: Sequence[Photograph],
    pixels: tuple[int, int],
    look: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    """Inspect every photograph first: the manifest lists the usable ones before the first sample."""
    batches = [photographs[first : first + BATCH] for first in range(0, len(photographs), BATCH)]
    specs = [{"paths": [str(each.path) for each in batch], "pixels": list(pixels)} for batch in batches]
    found: dict[int, list[dict[str, Any]]] = {}
    for place, entries in backend.run(INSPECT, specs):
        found[place] = entries
        look(sum(map(len, found.values())), len(photographs))
    return [entry for place in range(len(specs)) for entry in found[place]]


def _described_camera(bank: PsfBank, design_hash: str) -> PairsCamera:
    camera = bank.camera
    return PairsCamera(
        name=camera.name,
        lens_hash=camera.hash,
        design_hash="" if design_hash == camera.hash else design_hash,
        sensor=camera.sensor.pixels,
        psf_hash=hash_of_bank(bank),
        provenance=dict(bank.provenance),
    )


@contextmanager
def _bank_paths(banks: Sequence[Bank], place: BackendSettings) -> Iterator[list[str]]:
    """Path of each bank for the workers; a bank in memory is written to a temporary file for local workers."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, bank in enumerate(banks):
            if not isinstance(bank, PsfBank):
                paths.append(str(real_path(bank)))
                continue
            paths.append(str(Path(folder) / f"psf-{number}.h5"))
            if place.backend != "local":
                raise InputError("pairs: workers elsewhere need the path of a psf.h5, not a bank in memory.")
            if place.workers > 1:
                write_psf_bank(paths[-1], bank)
        yield paths
