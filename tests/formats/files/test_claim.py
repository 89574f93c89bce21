"""One run at a time in a place, and only the one that it was begun with."""

import errno
import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from metalens.formats.files.claim import LOCK, claimed_folder, difference, held, require_same
from metalens.formats.files.errors import DiskError, InputError

ASKED = {"seed": 1, "pixels": (4, 5), "camera": {"name": "a"}}

DISK_FULL = DiskError("shard.h5", "No space left on device", True)

HOLDER = """
import sys
from pathlib import Path
from metalens.formats.files.claim import held
with held(Path(sys.argv[1]), Path(sys.argv[1]).parent):
    print("held", flush=True)
    sys.stdin.read()
"""


def claim(folder, asked=ASKED, **options):
    with claimed_folder(folder, "note.json", asked, **{"resume": False, **options}) as found:
        return found


def test_a_new_folder_gets_the_note_and_keeps_no_lock(tmp_path):
    assert claim(tmp_path / "run") is None
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.json"]
    assert json.loads((tmp_path / "run" / "note.json").read_text()) == ASKED | {"pixels": [4, 5]}


def test_an_equal_run_goes_on_and_is_told_what_was_asked(tmp_path):
    claim(tmp_path / "run")
    (tmp_path / "run" / ".shard.h5.123.part").write_text("half")
    assert claim(tmp_path / "run", resume=True)["seed"] == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.json"]


def test_a_run_that_was_killed_while_it_wrote_its_note_begins_again(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".note.json.123.part").write_text("{")
    with pytest.raises(InputError, match="not empty"):
        claim(tmp_path / "run")
    assert claim(tmp_path / "run", resume=True) is None
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.json"]


def test_what_workers_have_left_half_written_is_removed_when_a_run_is_stopped(tmp_path):
    def stopped():
        with claimed_folder(tmp_path / "run", "note.json", ASKED, resume=False):
            (tmp_path / "run" / ".shard.h5.123.part").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["note.json"]


def fails(folder, error, *files, **options):
    def work():
        with claimed_folder(folder, "note.json", ASKED, resume=False, **options):
            for name in files:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text("done")
            (folder / ".shard.h5.123.part").write_text("half")
            (folder / "empty").mkdir()
            raise error

    with pytest.raises(Exception) as told:
        work()
    return str(told.value)


@pytest.mark.parametrize("error", [DISK_FULL, OSError(errno.ENOSPC, "No space left on device"), InputError("wrong.")])
def test_a_run_that_fails_with_nothing_to_go_on_from_leaves_nothing(tmp_path, error):
    assert "--resume" not in fails(tmp_path / "run", error, "log/a.txt", worthless=["log"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [DISK_FULL, OSError(errno.ENOSPC, "No space left on device")])
def test_what_a_run_had_finished_when_the_disk_was_full_stays_and_is_gone_on_from(tmp_path, error):
    (tmp_path / "run" / "inputs").mkdir(parents=True)
    said = fails(tmp_path / "run", error, "log/a.txt", "inputs/0.h5", worthless=["log"], beside=["inputs"])
    assert "could not be written (No space left on device); what was finished stays in " in said
    assert said.endswith("run; free some disk space and continue with --resume.")
    assert (tmp_path / "run" / "inputs" / "0.h5").is_file()
    assert claim(tmp_path / "run", resume=True, beside=["inputs"]) is not None


def test_without_resume_what_is_there_is_left_alone(tmp_path):
    claim(tmp_path / "run")
    with pytest.raises(InputError, match="not empty"):
        claim(tmp_path / "run")
    with pytest.raises(InputError, match="is a file"):
        claim(tmp_path / "run" / "note.json", resume=True)
    with pytest.raises(InputError, match="does not exist; make it first"):
        claim(tmp_path / "no" / "run")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 2}, "seed was 1 and is now 2"),
        ({"camera": {"name": "b"}}, "camera.name was 'a' and is now 'b'"),
        ({"pixels": (4, 5, 6)}, "pixels held 2 entries and now holds 3"),
        ({"pixels": (4, 6)}, r"pixels\[1\] was 5 and is now 6"),
        ({"more": 1}, "more was None and is now 1"),
    ],
)
def test_another_run_is_refused_with_what_changed(tmp_path, changed, told):
    claim(tmp_path / "run")
    with pytest.raises(InputError, match=f"run: cannot be resumed, {told}; repeat the settings"):
        claim(tmp_path / "run", ASKED | changed, resume=True)
    assert claim(tmp_path / "run", ASKED | {"seed": 2}, resume=True, may_differ=["seed"])["seed"] == 1


def test_a_setting_that_is_gone_is_a_change(tmp_path):
    with pytest.raises(InputError, match="old was 1 and is now None"):
        require_same({"old": 1}, {}, tmp_path)


def test_a_run_of_a_newer_version_is_told_as_such(tmp_path):
    for found, told in ((3, "a newer metalens wrote it"), (1, "repeat the settings")):
        with pytest.raises(InputError, match=f"version was {found} and is now 2; {told}"):
            require_same({"version": found}, {"version": 2}, tmp_path)


def test_long_values_are_not_quoted():
    assert difference("text", "a" * 100, "b" * 100) == "text is another one than it was"


def test_what_is_no_run_is_not_resumed(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"has no note\.json but holds 'thesis\.txt'"):
        claim(tmp_path, resume=True)
    assert claim(tmp_path, resume=True, beside=["thesis.txt"]) is None


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, "\xff"])
def test_a_damaged_note_is_one_sentence(tmp_path, text):
    (tmp_path / "note.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"note\.json: not a readable note of a run"):
        claim(tmp_path, resume=True)


def test_a_second_run_is_refused_in_this_process_and_in_another_until_the_first_is_gone(tmp_path):
    with ExitStack() as stack:
        stack.enter_context(claimed_folder(tmp_path / "run", "note.json", ASKED, resume=False))
        with pytest.raises(InputError, match="another run is writing here; wait for it"):
            claim(tmp_path / "run", resume=True)
    place = tmp_path / "run" / LOCK
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(place)], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run is writing here; wait for it"):
            claim(tmp_path / "run", resume=True)
        process.kill()
        process.wait()
    assert place.exists()
    assert claim(tmp_path / "run", resume=True) is not None
    assert not place.exists()


def test_a_lock_that_cannot_be_made_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="could not be written"), held(tmp_path, tmp_path):
        pass
