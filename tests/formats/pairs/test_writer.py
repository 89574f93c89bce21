import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import PairSample, open_pairs_writer, read_pairs

from .pairs_examples import COLUMNS, ROWS, camera_of, contents, manifest_of, sample_of, write


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


@pytest.mark.parametrize("name", ["shard-00001.h5", "shard-00001.json", "shard-00002.h5"])
def test_resume_remakes_what_is_missing_to_the_same_bytes(folder: Path, name: str) -> None:
    before = contents(folder)
    (folder / name).unlink()
    with pytest.raises(InputError, match=rf"unfinished, {name} is missing, 2 of 3 complete;"):
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


def test_full_disk_is_one_sentence_and_leaves_nothing_but_whole_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if not re.search(r"shard-\d+\.h5", path.name) or full_from not in path.name:
            return written(path, content)
        written(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    full_from = "shard"
    with pytest.raises(InputError, match=r"No space left on device\); nothing half-written was left"):
        write(tmp_path / "pairs", manifest_of())
    assert not (tmp_path / "pairs").exists()
    full_from = "shard-00001"
    with pytest.raises(InputError, match=r"what was finished stays in .* continue with --resume"):
        write(tmp_path / "pairs", manifest_of())
    assert set(contents(tmp_path / "pairs")) == {"manifest.json", "shard-00000.h5", "shard-00000.json"}


# Imports once; a line begins a writer, whose number is told, and the next line, after it was killed, waits for its end.
KILLED_WRITERS = """
import os
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from pairs_examples import manifest_of, write
while sys.stdin.readline():
    writer = os.fork()
    if not writer:
        write(Path(sys.argv[1]), manifest_of(count=60, shard_size=3), resume=True, pause=0.01)
        os._exit(0)
    print(writer, flush=True)
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]), flush=True)
"""


def test_run_killed_at_random_moments_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "whole", manifest_of(count=60, shard_size=3))
    target = tmp_path / "killed"
    generator = random.Random(1)
    kills = 0
    command = [sys.executable, "-c", KILLED_WRITERS, str(target), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(6):
            process.stdin.write("begin\n")
            writer = int(process.stdout.readline())
            time.sleep(generator.uniform(0.0, 0.15))
            os.kill(writer, signal.SIGKILL)
            process.stdin.write("ended\n")
            kills += int(process.stdout.readline()) == -signal.SIGKILL
            for marker in target.glob("shard-*.json"):
                described = json.loads(marker.read_text())
                assert (target / f"{marker.stem}.h5").stat().st_size == described["bytes"]
    assert kills > 0
    write(target, manifest_of(count=60, shard_size=3), resume=True)
    assert contents(target) == contents(tmp_path / "whole")


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
