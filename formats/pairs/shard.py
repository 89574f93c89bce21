"""One shard of a folder of pairs: an HDF5 file of samples, built in memory and read with checks.

    clean, degraded, neutral   uint8 [sample, y, x, 3], one sample a chunk, deflated
    source, seed, …            one number or a few a sample (``NUMBERS``), with a checksum

Any HDF5 library reads it. This reader inflates the pictures itself, and never to more than a picture's size: a chunk
that unpacks to gigabytes is refused before it has.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.hdf5 import open_guarded
from metalens.formats.pairs.manifest import SCHEMA, VERSION, PairsManifest, Shard

PICTURES = ("clean", "degraded", "neutral")

NUMBERS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "source": (np.int64, ()),
    "seed": (np.int64, ()),
    "camera": (np.int32, ()),
    "position": (np.int32, (2,)),
    "crop": (np.float64, (4,)),
    "turns": (np.uint8, ()),
    "mirrored": (np.uint8, ()),
    "exposure": (np.float64, ()),
    "blur_error": (np.float64, ()),
}
"""What is stored of a sample beside its pictures: type and shape. The names are those of :class:`PairSample`."""

_LEVEL = 1
"""Level of deflate; higher levels take several times as long and save a few percent for noisy pictures."""

_STRATEGIES = {"degraded": zlib.Z_RLE}
"""Picture → strategy of deflate. In a noisy picture next to nothing repeats but what is saturated: looking for more
takes three times as long for 3 %."""

_DEFLATE = h5py.h5z.FILTER_DEFLATE


class PairSample(NamedTuple):
    """One pair of a shard: pictures and metadata.

    Attributes:
        clean: ``[y, x, 3]`` uint8 sRGB: the target of the positive path.
        degraded: ``[y, x, 3]`` uint8 sRGB.
        source: position of its photograph in the manifest's ``sources``.
        seed: the sample's number, which with the run's seed makes its random numbers.
        neutral: ``[y, x, 3]`` uint8 sRGB: the target of the neutral path; if it is not given, the writer makes it by
            :func:`metalens.formats.pairs.neutral_target.neutral_target`.
        camera: position of its camera in the manifest's ``cameras``.
        position: first row and column on the camera's sensor, in pixels.
        crop: top, left, height and width of what it shows of the photograph, in the photograph's pixels.
        turns: quarter turns to the left after cutting.
        mirrored: mirrored left to right after turning.
        exposure: the light of the scene as a share of the photograph's.
        blur_error: estimate of the blur's relative error, as :mod:`metalens.synth.blur` gives it; NaN if unknown.
    """

    clean: np.ndarray
    degraded: np.ndarray
    source: int
    seed: int
    neutral: np.ndarray | None = None
    camera: int = 0
    position: tuple[int, int] = (0, 0)
    crop: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    turns: int = 0
    mirrored: bool = False
    exposure: float = 1.0
    blur_error: float = float("nan")


@dataclass(frozen=True)
class StoredSample:
    """A sample as stored in a shard: compressed pictures by name, and its numbers."""

    pictures: dict[str, bytes]
    numbers: dict[str, Any]


def store_sample(sample: PairSample, pixels: tuple[int, int]) -> StoredSample:
    """Compress the pictures of a sample.

    Args:
        sample: the sample.
        pixels: rows, columns that its pictures must have.

    Returns:
        The sample with compressed pictures.

    Raises:
        InputError: a picture has another shape or type.
    """
    shape = (*pixels, 3)
    pictures = {"clean": sample.clean, "degraded": sample.degraded}
    for name, picture in pictures.items():
        _check_picture(np.asarray(picture), shape, name)
    # SciPy's filters are imported for writers alone.
    from metalens.formats.pairs.neutral_target import neutral_target

    pictures["neutral"] = neutral_target(sample.clean) if sample.neutral is None else sample.neutral
    _check_picture(np.asarray(pictures["neutral"]), shape, "neutral")
    deflated = {name: _deflated(np.ascontiguousarray(picture), name) for name, picture in pictures.items()}
    return StoredSample(deflated, {name: getattr(sample, name) for name in NUMBERS})


def _deflated(picture: np.ndarray, name: str) -> bytes:
    deflate = zlib.compressobj(_LEVEL, strategy=_STRATEGIES.get(name, zlib.Z_DEFAULT_STRATEGY))
    return deflate.compress(picture.data) + deflate.flush()


def _check_picture(picture: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    if picture.dtype != np.uint8 or picture.shape != shape:
        raise InputError(
            f"pairs: found a {name} picture of shape {picture.shape} and type {picture.dtype}, expected uint8 {shape}."
        )


def shard_bytes(manifest: PairsManifest, shard: Shard, samples: Iterable[PairSample | StoredSample]) -> bytes:
    """Build the HDF5 file of a shard in memory, so that its bytes can be hashed and written in one go.

    Args:
        manifest: of the folder.
        shard: which one.
        samples: exactly ``shard.count`` of them, in order; they are asked for one by one and held deflated.

    Returns:
        The bytes of the file ``shard-NNNNN.h5``.

    Raises:
        InputError: there are more or fewer samples, or one does not fit the manifest.
    """
    shape = (*manifest.pixels, 3)
    numbers: dict[str, list[Any]] = {name: [] for name in NUMBERS}
    # A core-driver file has no place on the disk; its name only has to be unique among those open. The newer layout
    # puts checksums on everything that describes the data.
    with h5py.File(
        f"{os.getpid()}-{id(numbers)}", "w", driver="core", backing_store=False, libver=("v110", "v110")
    ) as file:
        file.attrs["schema"] = SCHEMA
        file.attrs["version"] = VERSION
        file.attrs["first"] = shard.first
        for name in PICTURES:
            file.create_dataset(
                name,
                shape=(shard.count, *shape),
                dtype=np.uint8,
                chunks=(1, *shape),
                compression="gzip",
                compression_opts=_LEVEL,
                shuffle=False,
                track_times=False,
            )
        count = 0
        for count, sample in enumerate(samples, start=1):
            if count > shard.count:
                break
            stored = sample if isinstance(sample, StoredSample) else store_sample(sample, manifest.pixels)
            _check_numbers(stored.numbers, manifest, shard)
            for name in PICTURES:
                file[name].id.write_direct_chunk((count - 1, 0, 0, 0), stored.pictures[name])
            for name in NUMBERS:
                numbers[name].append(stored.numbers[name])
        if count != shard.count:
            found = "more" if count > shard.count else str(count)
            raise InputError(f"{shard.name}: got {found} samples, expected {shard.count}.")
        for name, (dtype, tail) in NUMBERS.items():
            values = np.array(numbers[name], dtype=dtype).reshape(shard.count, *tail)
            file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True, track_times=False)
        file.flush()
        return bytes(file.id.get_file_image())


def _check_numbers(numbers: dict[str, Any], manifest: PairsManifest, shard: Shard) -> None:
    """Refuse what could not be read again: numbers that name nothing, or places off the sensor."""
    for name, limit in (("source", len(manifest.sources)), ("seed", 2**63), ("camera", len(manifest.cameras))):
        if not 0 <= int(numbers[name]) < limit:
            raise InputError(f"{shard.name}: a sample's {name} is {numbers[name]}, it must lie in 0..{limit - 1}.")
    sensor = manifest.cameras[int(numbers["camera"])].sensor
    for place, side, whole in zip(numbers["position"], manifest.pixels, sensor, strict=True):
        if not 0 <= int(place) <= whole - side:
            raise InputError(
                f"{shard.name}: a sample of {list(manifest.pixels)} pixels lies at {list(numbers['position'])}, which "
                f"is off the sensor of {list(sensor)}."
            )


@dataclass(frozen=True)
class OpenShard:
    """A shard that is open for reading: its numbers by name, and its file for the pictures."""

    file: h5py.File
    path: Path
    pixels: tuple[int, int]
    numbers: dict[str, np.ndarray]

    def sample(self, place: int) -> PairSample:
        """Read a sample.

        Raises:
            InputError: a picture is damaged.
        """
        clean, degraded, neutral = (self._picture(name, place) for name in PICTURES)
        values = {name: self.numbers[name][place].tolist() for name in NUMBERS}
        values["position"] = tuple(values["position"])
        values["crop"] = tuple(values["crop"])
        values["mirrored"] = bool(values["mirrored"])
        return PairSample(clean=clean, degraded=degraded, neutral=neutral, **values)

    def stored(self, place: int) -> StoredSample:
        """Read a sample as it is stored, after unpacking it once to see that it is whole."""
        sample = self.sample(place)
        pictures = {name: self._chunk(name, place) for name in PICTURES}
        return StoredSample(pictures, {name: getattr(sample, name) for name in NUMBERS})

    def _picture(self, name: str, place: int) -> np.ndarray:
        size = 3 * self.pixels[0] * self.pixels[1]
        inflate = zlib.decompressobj()
        try:
            values = inflate.decompress(self._chunk(name, place), size + 1)
        except zlib.error as error:
            raise self._damaged(place, str(error)) from error
        if len(values) != size or not inflate.eof:
            raise self._damaged(place, f"its {name} picture unpacks to another size than {size} bytes")
        return np.frombuffer(bytearray(values), dtype=np.uint8).reshape(*self.pixels, 3)

    def _chunk(self, name: str, place: int) -> bytes:
        try:
            dataset = self.file[name].id
            described = dataset.get_chunk_info_by_coord((place, 0, 0, 0))
            if described.byte_offset is None or described.size > self.path.stat().st_size:
                raise self._damaged(place, f"its {name} picture is not in the file")
            skipped_filters, chunk = dataset.read_direct_chunk((place, 0, 0, 0))
        except InputError:
            raise
        except (OSError, RuntimeError, LookupError, TypeError, ValueError, MemoryError) as error:
            raise self._damaged(place, str(error)) from error
        if skipped_filters:
            raise self._damaged(place, f"its {name} picture is not deflated")
        return bytes(chunk)

    def _damaged(self, place: int, reason: str) -> InputError:
        return InputError(f"{self.path}: sample {place} is damaged ({reason}); make the pairs again with --resume.")


@contextmanager
def open_shard(folder: Path, manifest: PairsManifest, shard: Shard) -> Iterator[OpenShard]:
    """Open a shard for reading and check everything except the pictures.

    Args:
        folder: of the pairs.
        manifest: of the pairs.
        shard: the shard.

    Returns:
        A context manager that gives the open shard.

    Raises:
        InputError: it is missing, damaged, hostile, or not the shard that the manifest describes.
    """
    path = folder / shard.name
    remedy = "make the pairs again with `metalens synth`"
    with open_guarded(path, SCHEMA, VERSION, remedy=remedy) as file:
        if file.attrs.get("first") != shard.first:
            raise InputError(f"{path}: begins with sample {file.attrs.get('first')}, expected {shard.first}.")
        for name in PICTURES:
            _check_dataset(file, path, name, (shard.count, *manifest.pixels, 3), np.uint8)
            _check_storage(file[name], path, name)
        numbers = {}
        for name, (dtype, tail) in NUMBERS.items():
            _check_dataset(file, path, name, (shard.count, *tail), dtype)
            numbers[name] = file[name][()]
        for place in range(shard.count):
            _check_numbers({name: values[place] for name, values in numbers.items()}, manifest, shard)
        yield OpenShard(file, path, manifest.pixels, numbers)


def _check_dataset(file: h5py.File, path: Path, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape != shape or dataset.dtype != dtype:
        found = f"{getattr(dataset, 'shape', None)} {getattr(dataset, 'dtype', '')}".strip()
        raise InputError(f"{path}: {name} is {found}, expected {shape} {np.dtype(dtype)}; make the pairs again.")


def _check_storage(dataset: h5py.Dataset, path: Path, name: str) -> None:
    """Each sample a chunk of its own, deflated and nothing else."""
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(number)[0] for number in range(created.get_nfilters())]
    if dataset.chunks != (1, *dataset.shape[1:]) or filters != [_DEFLATE]:
        raise InputError(
            f"{path}: {name} is stored in chunks of {dataset.chunks} with filters {filters}, expected one deflated "
            "chunk a sample; make the pairs again."
        )
