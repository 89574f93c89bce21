"""Verifying, merging and exporting folders of pairs, and what else is stored of a sample."""

import io
import json
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.export import export_pairs
from metalens.formats.pairs.manifest import LostSource
from metalens.formats.pairs.merge import merge_pairs
from metalens.formats.pairs.neutral_target import EPSILON, RADIUS, neutral_target
from metalens.formats.pairs.reader import (
    Pairs,
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    SkippedSource,
    open_pairs_writer,
    read_pairs,
)
from metalens.formats.pairs.verify import verify_pairs

PIXELS = (6, 8)


def source_of(number: int, split: str = "train") -> PairsSource:
    return PairsSource(name=f"p{number}", licence="CC0", credit="x", sha256=f"{number:064x}", split=split)  # type: ignore[arg-type]


def sample_of(number: int, sources: int, cameras: int = 1) -> PairSample:
    clean, degraded = np.random.default_rng(number).integers(0, 256, (2, *PIXELS, 3), dtype=np.uint8)
    return PairSample(
        clean,
        degraded,
        source=number % sources,
        seed=number,
        camera=number % cameras,
        position=(2, 4),
        crop=(1.5, 2.5, 12.0, 16.0),
        turns=3,
        mirrored=True,
        exposure=0.5,
        blur_error=1e-3,
    )


def write(folder: Path, count: int = 5, first: int = 0, **changes: object) -> Pairs:
    settings: dict = {
        "kind": "simulated",
        "count": count,
        "shard_size": 2,
        "pixels": PIXELS,
        "seed": first,
        "cameras": (PairsCamera(name="one", lens_hash="0" * 64, sensor=(10, 12)),),
        "sources": (source_of(0), source_of(1, "validation")),
        "config": {"cropping": "random"},
        "versions": {"numpy": "2"},
    }
    manifest = PairsManifest(**(settings | changes))
    with open_pairs_writer(folder, manifest) as writer:
        for shard in writer.missing:
            numbers = range(shard.first, shard.first + shard.count)
            samples = [sample_of(first + n, len(manifest.sources), len(manifest.cameras)) for n in numbers]
            writer.write(shard, samples)
    return read_pairs(folder)


def test_all_that_is_known_of_a_sample_comes_back(tmp_path: Path) -> None:
    found, expected = write(tmp_path / "pairs").sample(3), sample_of(3, 2)
    assert found._replace(clean=0, degraded=0, neutral=0) == expected._replace(clean=0, degraded=0, neutral=0)  # type: ignore[arg-type]
    assert (found.neutral == neutral_target(expected.clean)).all()


def test_any_hdf5_library_reads_a_shard(tmp_path: Path) -> None:
    write(tmp_path / "pairs").close()
    with h5py.File(tmp_path / "pairs/shard-00001.h5") as file:
        assert (file["clean"][1] == sample_of(3, 2).clean).all()
        assert file["position"][:].tolist() == [[2, 4], [2, 4]]


def test_the_split_is_that_of_the_photographs(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs")
    assert pairs.of_split("train").tolist() == [0, 2, 4]
    assert pairs.of_split("validation").tolist() == [1, 3]


def test_the_neutral_target_is_the_guided_filter_pixel_by_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 23, 3), dtype=np.uint8)
    values = picture / 255
    slope, offset, expected = (np.zeros(values.shape) for _ in range(3))
    windows = [
        (y, x, (slice(max(y - RADIUS, 0), y + RADIUS + 1), slice(max(x - RADIUS, 0), x + RADIUS + 1)))
        for y in range(20)
        for x in range(23)
    ]
    for y, x, window in windows:
        mean, variance = values[window].mean(axis=(0, 1)), values[window].var(axis=(0, 1))
        slope[y, x] = variance / (variance + EPSILON)
        offset[y, x] = mean * (1 - slope[y, x])
    for y, x, window in windows:
        expected[y, x] = slope[window].mean(axis=(0, 1)) * values[y, x] + offset[window].mean(axis=(0, 1))
    # Half a step of rounding, and single precision.
    assert np.abs(neutral_target(picture) / 255 - expected).max() < 0.502 / 255


def test_verify_finds_what_is_missing_changed_or_strange(tmp_path: Path) -> None:
    folder = tmp_path / "pairs"
    write(folder).close()
    whole = verify_pairs(folder, thorough=True)
    assert (whole.shards, whole.samples, whole.damaged, whole.strangers) == (3, 5, (), ())
    damaged = bytearray((folder / "shard-00000.h5").read_bytes())
    damaged[-1] ^= 1
    (folder / "shard-00000.h5").write_bytes(damaged)
    (folder / "shard-00001.h5").unlink()
    (folder / "shard-00002.json").unlink()
    (folder / "notes.txt").write_text("mine")
    found = verify_pairs(folder)
    assert [each.name for each in found.damaged] == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]
    assert "checksum" in found.damaged[0].reason
    assert "gone" in found.damaged[1].reason
    assert "not finished" in found.damaged[2].reason
    assert found.strangers == ("notes.txt",)


def test_merged_folders_hold_the_samples_of_all(tmp_path: Path) -> None:
    other = PairsCamera(name="two", lens_hash="1" * 64, sensor=(10, 12))
    one = write(tmp_path / "one", skipped=(SkippedSource(name="broken", reason="cut short"),))
    two = write(
        tmp_path / "two",
        count=4,
        first=5,
        kind="captured",
        cameras=(one.manifest.cameras[0], other),
        sources=(source_of(2), source_of(0, "validation")),
        lost=(LostSource(source=0, reason="gone"),),
    )
    manifest = merge_pairs([one.folder, two.folder], tmp_path / "both", shard_size=4)
    both = read_pairs(tmp_path / "both")
    both.verify()
    assert (manifest.kind, manifest.count, len(both)) == ("mixed", 9, 9)
    assert [camera.name for camera in manifest.cameras] == ["one", "two"]
    for number in range(9):
        origin = one.sample(number) if number < 5 else two.sample(number - 5)
        found = both.sample(number)
        assert (found.clean == origin.clean).all()
        assert (found.degraded == origin.degraded).all()
        assert (found.neutral == origin.neutral).all()
        assert found.position == origin.position
        names = (one if number < 5 else two).manifest.sources
        assert manifest.sources[found.source].name == names[origin.source].name
        assert found.camera == origin.camera
    assert {source.name: source.split for source in manifest.sources} == {
        "p0": "validation",
        "p1": "validation",
        "p2": "train",
    }
    assert [entry.name for entry in manifest.skipped] == ["broken", "p2"]
    assert [(part.name, part.kind, part.count) for part in manifest.parts] == [
        ("one", "simulated", 5),
        ("two", "captured", 4),
    ]


def test_folders_that_cannot_be_joined_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one").folder
    with pytest.raises(InputError, match="two or more different"):
        merge_pairs([one, one], tmp_path / "both")
    small = tmp_path / "small"
    cameras = (PairsCamera(name="one", lens_hash="0" * 64, sensor=(10, 12)),)
    manifest = PairsManifest(
        kind="simulated", count=1, shard_size=1, pixels=(4, 4), seed=0, cameras=cameras, sources=(source_of(0),)
    )
    picture = np.zeros((4, 4, 3), np.uint8)
    with open_pairs_writer(small, manifest) as writer:
        writer.write(writer.missing[0], [PairSample(picture, picture, 0, 0)])
    with pytest.raises(InputError, match=r"6 × 8 .* and 4 × 4 .* pixels; only sets of one size"):
        merge_pairs([one, small], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def decoded(png: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(png)))


def test_a_webdataset_holds_pictures_and_json_only(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs")
    assert export_pairs(pairs, tmp_path / "tars", "webdataset", tar_samples=2) == {"train": 3, "validation": 2}
    names = sorted(path.name for path in (tmp_path / "tars").iterdir())
    assert names == ["pairs.json", "train-000000.tar", "train-000001.tar", "validation-000000.tar"]
    with tarfile.open(tmp_path / "tars/train-000001.tar") as tar:
        content = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    endings = ("clean.png", "degraded.png", "neutral.png", "json")
    assert list(content) == [f"00000004.{ending}" for ending in endings]
    assert (decoded(content["00000004.degraded.png"]) == pairs.sample(4).degraded).all()
    described = json.loads(content["00000004.json"])
    assert (described["position"], described["licence"], described["photograph"]) == ([2, 4], "CC0", "p0")
    export_pairs(pairs, tmp_path / "again", "webdataset", tar_samples=2)
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tars" / name).read_bytes()


def test_plain_folders_hold_a_picture_a_file(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs")
    export_pairs(pairs, tmp_path / "png", "png")
    lines = (tmp_path / "png/validation/samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [1, 3]
    picture = np.array(Image.open(tmp_path / "png/validation" / json.loads(lines[1])["neutral_file_name"]))
    assert (picture == pairs.sample(3).neutral).all()
    assert json.loads((tmp_path / "png/pairs.json").read_text())["count"] == 5


def test_hugging_faces_datasets_reads_the_imagefolder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    pairs = write(tmp_path / "pairs")
    export_pairs(pairs, tmp_path / "hf", "hf")
    from datasets import load_dataset

    read = load_dataset("imagefolder", data_dir=str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in read.items()} == {"train": 3, "validation": 2}
    row = read["validation"][1]
    assert (np.array(row["degraded"]) == pairs.sample(3).degraded).all()
    assert (row["seed"], row["position"], row["mirrored"]) == (3, [2, 4], True)


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs")
    path = tmp_path / "pairs/shard-00001.h5"
    damaged = bytearray(path.read_bytes())
    damaged[:] = damaged[:600] + bytes(len(damaged) - 600)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"shard-00001\.h5"):
        export_pairs(read_pairs(tmp_path / "pairs"), tmp_path / "png", "png")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["pairs"]
    with pytest.raises(InputError, match="expected png, hf, webdataset"):
        export_pairs(pairs, tmp_path / "png", "parquet")  # type: ignore[arg-type]
