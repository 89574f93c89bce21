import json
import pickle
import random
import shutil
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import is_pairs_folder, read_pairs

from .pairs_examples import manifest_of, sample_of, write


def test_pairs_come_back_as_they_were_written(folder: Path) -> None:
    pairs = read_pairs(folder)
    assert len(pairs) == 7
    for number, (clean, degraded) in enumerate(pairs):
        expected = sample_of(number)
        assert (clean == expected.clean).all()
        assert (degraded == expected.degraded).all()
        assert clean.dtype == degraded.dtype == np.uint8
    assert pairs.sample(4).seed == 4
    assert pairs.source_name(4) == "höhle"
    assert (pairs[-1][0] == sample_of(6).clean).all()
    assert pairs.manifest == manifest_of()
    pairs.verify()
    pairs.close()


def test_index_past_the_end_is_an_index_error(folder: Path) -> None:
    with pytest.raises(IndexError):
        read_pairs(folder)[7]
    with pytest.raises(IndexError):
        read_pairs(folder)[-8]


def test_pairs_can_be_sent_to_another_process(folder: Path) -> None:
    pairs = read_pairs(folder)
    assert (pairs[0][0] == sample_of(0).clean).all()
    copy = pickle.loads(pickle.dumps(pairs))  # noqa: S301 (our own object)
    assert (copy[0][0] == pairs[0][0]).all()


def test_after_a_fork_the_child_opens_its_own_files(folder: Path) -> None:
    pairs = read_pairs(folder)
    assert (pairs[0][0] == sample_of(0).clean).all()
    mine = pairs._shard(pairs.manifest.shards[0])
    pairs._process -= 1  # what a forked child would find
    theirs = pairs._shard(pairs.manifest.shards[0])
    assert theirs is not mine
    assert (pairs[0][0] == sample_of(0).clean).all()


def test_many_shards_do_not_stay_open(tmp_path: Path) -> None:
    write(tmp_path / "pairs", manifest_of(count=40, shard_size=1))
    pairs = read_pairs(tmp_path / "pairs")
    assert [int(pairs.sample(n).seed) for n in range(40)] == list(range(40))
    assert len(pairs._open) <= 32


def test_every_flipped_bit_reads_the_same_or_gives_an_input_error(folder: Path) -> None:
    path = folder / "shard-00000.h5"
    whole = path.read_bytes()
    with closing(read_pairs(folder)) as pairs:
        expected = pairs.sample(0)
    generator = random.Random(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with closing(read_pairs(folder)) as pairs:
            try:
                found = pairs.sample(0)
            except InputError:
                refused += 1
                continue
        for name in ("clean", "degraded", "neutral"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert found.position == expected.position
    assert 0 < refused < 150


def test_a_missing_shard_is_named_with_the_number_of_those_that_are_complete(folder: Path) -> None:
    (folder / "shard-00000.h5").unlink()
    count = len(list(folder.glob("shard-*.json")))
    with pytest.raises(InputError, match=rf"unfinished, shard-00000.h5 is missing, {count - 1} of {count} complete;"):
        read_pairs(folder)


def test_truncated_shard_is_refused_on_opening(folder: Path) -> None:
    path = folder / "shard-00002.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="its marker says"):
        read_pairs(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", "metalens.psf", "schema: .*found 'metalens.psf'"),
        ("version", 1, "version: .*found '1'.*; make the pairs again"),
        ("version", 99, "version: .*found '99'.*; a newer metalens wrote it and is needed to read it"),
        ("count", 0, "count"),
        ("pixels", [0, 4], "between 1 and 65536"),
        ("cameras", [], "cameras: expected at least 1 value, found"),
        ("lost", [{"source": 9, "reason": "gone"}], "a lost source is none of the sources"),
        ("surprise", 1, "surprise: is not known, found '1'"),
    ],
)
def test_manifest_of_another_kind_is_refused(folder: Path, key: str, value: object, message: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(InputError, match=message):
        read_pairs(folder)


def test_manifest_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe not json")
    with pytest.raises(InputError, match=r"manifest\.json: not a readable manifest of pairs"):
        read_pairs(folder)


def test_a_manifest_of_ten_to_the_nine_shards_is_refused_at_once(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"count": 10**9, "shard_size": 1}))
    with pytest.raises(InputError, match="1000000000 samples in shards of 1 are more than 100000 files"):
        read_pairs(folder)
    (folder / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="not a readable manifest of pairs"):
        read_pairs(folder)
    assert not is_pairs_folder(folder)


def test_missing_folder_and_folder_without_manifest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_pairs(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        read_pairs(tmp_path)


def test_shard_of_another_file_kind_is_refused(folder: Path) -> None:
    path = folder / "shard-00000.h5"
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = "metalens.psf"
        file.attrs["version"] = 1
    marker = json.loads((folder / "shard-00000.json").read_text())
    (folder / "shard-00000.json").write_text(json.dumps(marker | {"bytes": path.stat().st_size}))
    with pytest.raises(InputError, match=r"found schema 'metalens\.psf', expected 'metalens\.pairs'"):
        read_pairs(folder)[0]


def test_shards_swapped_between_two_sizes_are_refused(folder: Path) -> None:
    for ending in ("h5", "json"):
        shutil.copy(folder / f"shard-00000.{ending}", folder / f"shard-00002.{ending}")
    with pytest.raises(InputError, match="for 3 samples"):
        read_pairs(folder)


def test_source_of_every_sample_is_listed_without_reading_pictures(folder: Path) -> None:
    assert read_pairs(folder).source_names() == ["höhle"] * 7


def test_folder_of_pairs_is_told_from_others(folder: Path, tmp_path: Path) -> None:
    assert is_pairs_folder(folder)
    assert not is_pairs_folder(tmp_path)
    (folder / "manifest.json").write_text("[]")
    assert not is_pairs_folder(folder)
