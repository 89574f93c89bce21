"""Shards that were damaged or made to harm: each read gives what was written, or an InputError, and soon."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.formats.pairs.shard import NUMBERS, PICTURES, StoredSample, store_sample

PIXELS = (6, 8)
COUNT = 3


def manifest_of(count: int = COUNT) -> PairsManifest:
    return PairsManifest(
        kind="simulated",
        count=count,
        shard_size=count,
        pixels=PIXELS,
        seed=0,
        cameras=(PairsCamera(name="one", lens_hash="0" * 64, sensor=(10, 12)),),
        sources=tuple(PairsSource(name=str(n), sha256=f"{n:064x}") for n in range(3)),
    )


def sample_of(number: int) -> PairSample:
    clean, degraded = np.random.default_rng(number).integers(0, 256, (2, *PIXELS, 3), dtype=np.uint8)
    return PairSample(clean, degraded, number % 3, number, position=(2, 4), blur_error=1e-3)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "pairs"
    with open_pairs_writer(folder, manifest_of()) as writer:
        writer.write(writer.missing[0], [sample_of(number) for number in range(COUNT)])
    return folder


@pytest.fixture(scope="module")
def whole(written: Path) -> tuple[bytes, list[PairSample]]:
    pairs = read_pairs(written)
    samples = [pairs.sample(number) for number in range(COUNT)]
    pairs.close()
    return (written / "shard-00000.h5").read_bytes(), samples


def put(folder: Path, content: bytes) -> None:
    """Put another shard in place, with a marker that calls it whole, as whoever means harm would."""
    (folder / "shard-00000.h5").write_bytes(content)
    marker = json.loads((folder / "shard-00000.json").read_text())
    (folder / "shard-00000.json").write_text(json.dumps(marker | {"bytes": max(len(content), 1)}))


def read_all(folder: Path) -> list[PairSample]:
    pairs = read_pairs(folder)
    try:
        return [pairs.sample(number) for number in range(COUNT)]
    finally:
        pairs.close()


def same(one: PairSample, other: PairSample) -> bool:
    pictures = all((getattr(one, name) == getattr(other, name)).all() for name in PICTURES)
    return pictures and all(getattr(one, name) == getattr(other, name) for name in NUMBERS)


Mutation = Callable[[bytearray], None]


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    kind = draw(st.sampled_from(["flip", "overwrite", "number", "cut", "insert", "copy"]))
    place, other = draw(st.floats(0, 1, exclude_max=True)), draw(st.floats(0, 1, exclude_max=True))
    length = draw(st.integers(1, 40))
    values = draw(st.binary(min_size=1, max_size=16))
    width = draw(st.sampled_from([1, 2, 4, 8]))
    number = draw(st.sampled_from([0, 1, 2**7, 2**15, 2**31 - 1, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1]))

    def mutate(content: bytearray) -> None:
        at = int(place * len(content))
        if kind == "flip":
            content[at] ^= 1 << (length % 8)
        elif kind == "overwrite":
            content[at : at + len(values)] = values
        elif kind == "number":
            content[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, "little")
        elif kind == "cut":
            del content[at : at + length]
        elif kind == "insert":
            content[at:at] = values
        else:
            begin = int(other * len(content))
            content[at : at + length] = content[begin : begin + length]

    return mutate


@settings(
    max_examples=250, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(changes=st.lists(mutations(), min_size=1, max_size=4))
def test_a_changed_shard_reads_as_written_or_is_refused(
    written: Path, whole: tuple[bytes, list[PairSample]], changes: list[Mutation]
) -> None:
    content = bytearray(whole[0])
    for change in changes:
        if content:
            change(content)
    put(written, bytes(content))
    try:
        found = read_all(written)
    except InputError:
        return
    assert all(same(one, other) for one, other in zip(found, whole[1], strict=True))


def changed(written: Path, whole: tuple[bytes, list[PairSample]], change: Callable[[h5py.File], None]) -> None:
    """Change a shard as HDF5 would, so that all checksums are right."""
    path = written / "shard-00000.h5"
    path.write_bytes(whole[0])
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        change(file)
    put(written, path.read_bytes())


def with_soft_link(file: h5py.File) -> None:
    del file["seed"]
    file["seed"] = h5py.SoftLink("/source")


def with_external_link(file: h5py.File) -> None:
    del file["clean"]
    file["clean"] = h5py.ExternalLink("other.h5", "/clean")


def with_external_storage(file: h5py.File) -> None:
    del file["seed"]
    file.create_dataset("seed", shape=(COUNT,), dtype=np.int64, external=[("/etc/hostname", 0, 8 * COUNT)])


def with_virtual_dataset(file: h5py.File) -> None:
    del file["seed"]
    layout = h5py.VirtualLayout(shape=(COUNT,), dtype=np.int64)
    layout[:] = h5py.VirtualSource("other.h5", "seed", shape=(COUNT,))
    file.create_virtual_dataset("seed", layout)


def with_references(file: h5py.File) -> None:
    file.create_dataset("more", data=np.array([file.ref, file["clean"].ref], dtype=h5py.ref_dtype))


def with_a_group_within_itself(file: h5py.File) -> None:
    group = file.create_group("loop")
    group["loop"] = group


def with_absurd_size(file: h5py.File) -> None:
    file.create_dataset("more", shape=(2**40,), dtype=np.uint8, chunks=(2**20,), compression="gzip")


def without_the_pictures(file: h5py.File) -> None:
    del file["clean"]
    file.create_dataset("clean", shape=(COUNT, *PIXELS, 3), dtype=np.uint8, chunks=(1, *PIXELS, 3), compression="gzip")


def with_another_filter(file: h5py.File) -> None:
    del file["clean"]
    file.create_dataset(
        "clean", data=np.zeros((COUNT, *PIXELS, 3), np.uint8), chunks=(1, *PIXELS, 3), compression="lzf"
    )


def with_a_source_that_is_none(file: h5py.File) -> None:
    file["source"][1] = 99


def with_a_place_off_the_sensor(file: h5py.File) -> None:
    file["position"][1] = (2**31 - 1, 0)


def as_another_shard(file: h5py.File) -> None:
    file.attrs["first"] = 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_soft_link, "is a link out of its place"),
        (with_external_link, "is a link out of its place"),
        (with_external_storage, "keeps its data outside the file"),
        (with_virtual_dataset, "keeps its data outside the file"),
        (with_references, "holds references or objects"),
        (with_a_group_within_itself, r"shard-00000\.h5"),
        (with_absurd_size, "refused as hostile"),
        (without_the_pictures, "its clean picture is not in the file"),
        (with_another_filter, "expected one deflated chunk a sample"),
        (with_a_source_that_is_none, "source is 99"),
        (with_a_place_off_the_sensor, "off the sensor"),
        (as_another_shard, "begins with sample 3, expected 0"),
    ],
)
def test_a_hostile_shard_is_refused(
    written: Path, whole: tuple[bytes, list[PairSample]], change: Callable[[h5py.File], None], message: str
) -> None:
    changed(written, whole, change)
    with pytest.raises(InputError, match=message):
        read_all(written)


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (zlib.compress(bytes(50_000_000), 9), "unpacks to another size"),
        (zlib.compress(bytes(10)), "unpacks to another size"),
        (zlib.compress(bytes(144))[:-2], "unpacks to another size"),
        (b"no deflated data", "incorrect header"),
    ],
    ids=["bomb", "too small", "cut short", "not deflated"],
)
def test_a_chunk_is_never_unpacked_to_more_than_a_picture(tmp_path: Path, chunk: bytes, message: str) -> None:
    samples = [store_sample(sample_of(number), PIXELS) for number in range(COUNT)]
    samples[1] = StoredSample(samples[1].pictures | {"degraded": chunk}, samples[1].numbers)
    with open_pairs_writer(tmp_path / "pairs", manifest_of()) as writer:
        writer.write(writer.missing[0], samples)
    with pytest.raises(InputError, match=message):
        read_all(tmp_path / "pairs")


@settings(max_examples=100, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    key=st.sampled_from(sorted(manifest_of().model_dump(by_alias=True))),
)
def test_a_manifest_with_anything_in_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: object, key: str
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    manifest = json.loads(manifest_of().model_dump_json(by_alias=True)) | {key: data}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError):  # there are no shards, so even a sound one is unfinished
        read_pairs(folder)
