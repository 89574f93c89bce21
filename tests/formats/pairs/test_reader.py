import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import (
    PairSample,
    PairsCamera,
    PairsManifest,
    PairsSource,
    SkippedSource,
    is_pairs_folder,
    open_pairs_writer,
    read_pairs,
)

ROWS, COLUMNS = 6, 8


def camera_of(**changes: object) -> PairsCamera:
    return PairsCamera(**({"name": "test camera", "lens_hash": "0" * 64, "sensor": (ROWS, COLUMNS)} | changes))


def manifest_of(count: int = 7, shard_size: int = 3, **changes: object) -> PairsManifest:
    settings: dict = {
        "kind": "simulated",
        "count": count,
        "shard_size": shard_size,
        "pixels": (ROWS, COLUMNS),
        "seed": 5,
        "cameras": (camera_of(),),
        "config": {"cropping": "random", "scale": [1, 2]},
        "sources": (PairsSource(name="höhle", licence="CC0", credit="nobody", sha256="a" * 64),),
        "skipped": (SkippedSource(name="broken", reason="cut short"),),
        "versions": {"numpy": "2"},
    }
    return PairsManifest(**(settings | changes))


def sample_of(number: int) -> PairSample:
    clean, degraded = np.random.default_rng(number).integers(0, 256, (2, ROWS, COLUMNS, 3), dtype=np.uint8)
    return PairSample(clean, degraded, 0, number)


def write(folder: Path, manifest: PairsManifest, *, resume: bool = False, pause: float = 0.0) -> None:
    with open_pairs_writer(folder, manifest, resume=resume) as writer:
        for shard in writer.missing:
            time.sleep(pause)
            writer.write(shard, [sample_of(n) for n in range(shard.first, shard.first + shard.count)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "pairs", manifest_of())
    return tmp_path / "pairs"


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


def test_every_sample_is_one_chunk_so_that_random_reading_reads_no_other(folder: Path) -> None:
    with h5py.File(folder / "shard-00000.h5") as file:
        assert file["clean"].chunks == (1, ROWS, COLUMNS, 3)
        assert file["clean"].compression == "gzip"


def test_folder_holds_manifest_shards_and_markers_and_nothing_else(folder: Path) -> None:
    numbers = ("00000", "00001", "00002")
    shards = {f"shard-{number}.{ending}" for number in numbers for ending in ("h5", "json")}
    assert set(contents(folder)) == {"manifest.json"} | shards


def test_two_runs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    time.sleep(1.1)  # a time stamp in whole seconds would show
    write(tmp_path / "again", manifest_of())
    assert contents(folder) == contents(tmp_path / "again")


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


@pytest.mark.parametrize("name", ["shard-00001.h5", "shard-00001.json", "shard-00002.h5"])
def test_resume_remakes_what_is_missing_to_the_same_bytes(folder: Path, name: str) -> None:
    before = contents(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=r"unfinished, \d of 3 shards"):
        read_pairs(folder)
    write(folder, manifest_of(), resume=True)
    assert contents(folder) == before


def test_resume_keeps_finished_shards_untouched(folder: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000[02]*")}
    (folder / "shard-00001.json").unlink()
    write(folder, manifest_of(), resume=True)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_flipped_bit_is_found_by_verify_and_mended_by_resume(folder: Path) -> None:
    before = contents(folder)
    path = folder / "shard-00001.h5"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"shard-00001\.h5: its checksum is not that of its marker"):
        read_pairs(folder).verify()
    write(folder, manifest_of(), resume=True)
    assert contents(folder) == before


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


def test_truncated_shard_is_refused_on_opening(folder: Path) -> None:
    path = folder / "shard-00002.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="its marker says"):
        read_pairs(folder)


def test_folder_that_holds_anything_is_refused_without_resume(folder: Path) -> None:
    with pytest.raises(InputError, match="not empty"):
        write(folder, manifest_of())


def test_resume_into_a_strangers_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(InputError, match=r"no manifest\.json but holds 'thesis\.txt'"):
        write(tmp_path, manifest_of(), resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt"]


def test_resume_of_nothing_begins(tmp_path: Path, folder: Path) -> None:
    write(tmp_path / "new", manifest_of(), resume=True)
    assert contents(tmp_path / "new") == contents(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 6}, "seed was 5 and is now 6"),
        ({"cameras": (camera_of(lens_hash="1" * 64),)}, "cameras[0].lens_hash was"),
        ({"count": 8}, "count was 7 and is now 8"),
        ({"config": {"cropping": "centre", "scale": [1, 2]}}, "config.cropping was 'random' and is now 'centre'"),
        ({"config": {"cropping": "random", "scale": [1]}}, "config.scale held 2 entries and now holds 1"),
        ({"skipped": ()}, "skipped held 1 entries and now holds 0"),
        ({"versions": {"numpy": "3"}}, "versions.numpy was '2' and is now '3'"),
    ],
)
def test_resume_with_other_settings_says_which(folder: Path, changes: dict, message: str) -> None:
    before = contents(folder)
    with pytest.raises(InputError, match=re.escape(message)):
        write(folder, manifest_of(**changes), resume=True)
    assert contents(folder) == before


def test_second_run_into_the_same_folder_is_refused_while_the_first_writes(tmp_path: Path) -> None:
    with open_pairs_writer(tmp_path / "pairs", manifest_of()):
        for resume in (True, False):
            with (
                pytest.raises(InputError, match=r"another run is writing here|not empty"),
                open_pairs_writer(tmp_path / "pairs", manifest_of(), resume=resume),
            ):
                pass
    write(tmp_path / "pairs", manifest_of(), resume=True)
    read_pairs(tmp_path / "pairs").verify()


def test_interrupt_inside_a_shard_leaves_the_finished_ones(tmp_path: Path, folder: Path) -> None:
    def samples() -> Iterator[PairSample]:
        yield sample_of(3)
        raise KeyboardInterrupt

    target = tmp_path / "stopped"
    with open_pairs_writer(target, manifest_of()) as writer:
        writer.write(writer.missing[0], [sample_of(n) for n in range(3)])
        with pytest.raises(KeyboardInterrupt):
            writer.write(writer.missing[1], samples())
    assert set(contents(target)) == {"manifest.json", "shard-00000.h5", "shard-00000.json"}
    write(target, manifest_of(), resume=True)
    assert contents(target) == contents(folder)


def test_full_disk_is_one_sentence_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "shard" not in path.name:
            return written(path, content)
        written(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        write(tmp_path / "pairs", manifest_of())
    assert set(contents(tmp_path / "pairs")) == {"manifest.json"}


KILLED_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_reader import manifest_of, write
print("ready", flush=True)
write(Path(sys.argv[1]), manifest_of(count=60, shard_size=3), resume=True, pause=0.01)
"""


def test_run_killed_at_random_moments_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "whole", manifest_of(count=60, shard_size=3))
    target = tmp_path / "killed"
    generator = random.Random(1)
    kills = 0
    for _ in range(6):
        command = [sys.executable, "-c", KILLED_WRITER, str(target), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(generator.uniform(0.0, 0.15))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        kills += process.returncode == -signal.SIGKILL
        for marker in target.glob("shard-*.json"):
            described = json.loads(marker.read_text())
            assert (target / f"{marker.stem}.h5").stat().st_size == described["bytes"]
    assert kills > 0
    write(target, manifest_of(count=60, shard_size=3), resume=True)
    assert contents(target) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", "metalens.psf", "schema: .*found 'metalens.psf'"),
        ("version", 1, "version: .*found '1'"),
        ("count", 0, "count"),
        ("pixels", [0, 4], "between 1 and 65536"),
        ("cameras", [], "cameras"),
        ("lost", [{"source": 9, "reason": "gone"}], "a lost source is none of the sources"),
        ("surprise", 1, "surprise"),
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


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (sample_of(0)._replace(clean=np.zeros((4, 4, 3), np.uint8)), "clean picture of shape"),
        (sample_of(0)._replace(degraded=np.zeros((ROWS, COLUMNS, 3))), "type float64"),
        (sample_of(0)._replace(neutral=np.zeros((4, 4, 3), np.uint8)), "neutral picture of shape"),
        (sample_of(0)._replace(source=1), "source is 1, it must lie in 0..0"),
        (sample_of(0)._replace(seed=-1), "seed is -1"),
        (sample_of(0)._replace(camera=1), "camera is 1"),
        (sample_of(0)._replace(position=(0, 1)), "off the sensor"),
    ],
)
def test_sample_that_does_not_fit_is_refused(tmp_path: Path, sample: PairSample, message: str) -> None:
    with (
        pytest.raises(InputError, match=message),
        open_pairs_writer(tmp_path / "pairs", manifest_of(1, 1)) as writer,
    ):
        writer.write(writer.missing[0], [sample])
    with (
        pytest.raises(InputError, match="got 0 samples, expected 1"),
        open_pairs_writer(tmp_path / "pairs", manifest_of(1, 1), resume=True) as writer,
    ):
        writer.write(writer.missing[0], [])


def test_source_of_every_sample_is_listed_without_reading_pictures(folder: Path) -> None:
    assert read_pairs(folder).source_names() == ["höhle"] * 7


def test_folder_of_pairs_is_told_from_others(folder: Path, tmp_path: Path) -> None:
    assert is_pairs_folder(folder)
    assert not is_pairs_folder(tmp_path)
    (folder / "manifest.json").write_text("[]")
    assert not is_pairs_folder(folder)
