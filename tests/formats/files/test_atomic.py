"""Outputs appear whole or not at all."""

import errno
import os
import resource
import stat

import pytest

from metalens.formats.files.atomic import (
    append_text,
    atomic_directory,
    atomic_file,
    remove_unfinished,
    require_apart,
    require_new_directory,
    require_new_file,
    write_text,
)
from metalens.formats.files.errors import InputError


def write_half_a_file(path, interruption):
    with atomic_file(path) as part:
        part.write_bytes(b"half")
        raise interruption


def write_half_a_folder(path, interruption):
    with atomic_directory(path) as part:
        (part / "a.txt").write_text("a")
        raise interruption


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "out.bin"
    with atomic_file(path) as part:
        part.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_have_the_permissions_of_any_new_file_whatever_their_writer_gives(tmp_path, umask, expected):
    before = os.umask(umask)
    try:
        with atomic_file(tmp_path / "out.bin") as part:
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
        with atomic_directory(tmp_path / "out") as folder:
            (folder / "deep").mkdir()
            for name in ("a.bin", "deep/b.bin"):
                os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    written = [tmp_path / name for name in ("out.bin", "out/a.bin", "out/deep/b.bin")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in written] == [expected] * 3


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_file_leaves_what_was_there(tmp_path, interruption):
    path = tmp_path / "out.bin"
    path.write_bytes(b"before")
    with pytest.raises(interruption):
        write_half_a_file(path, interruption())
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "out.bin"
    with pytest.raises(InputError, match=r"could not be written .* nothing half-written was left"):
        write_half_a_file(path, OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_needs_its_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist; make it first"), atomic_file(tmp_path / "no" / "out.bin"):
        pass
    with pytest.raises(InputError, match="is a folder, a file was expected"), atomic_file(tmp_path):
        pass


def test_a_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "out"
    with atomic_directory(path) as part:
        (part / "inner").mkdir()
        (part / "inner" / "a.txt").write_text("a")
        assert not path.exists()
    assert (path / "inner" / "a.txt").read_text() == "a"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_folder_may_be_filled(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    with atomic_directory(path) as part:
        (part / "a.txt").write_text("a")
    assert (path / "a.txt").exists()


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_folder_leaves_nothing(tmp_path, interruption):
    path = tmp_path / "out"
    with pytest.raises(interruption):
        write_half_a_folder(path, interruption())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="could not be written"):
        write_half_a_folder(tmp_path / "out", OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    with pytest.raises(InputError, match=r"not empty \(it holds 'a.txt' and 1 more\)"):
        require_new_directory(tmp_path)
    with pytest.raises(InputError, match="is a file, a new or empty folder was expected"):
        require_new_directory(tmp_path / "a.txt")
    with pytest.raises(InputError, match="not empty"), atomic_directory(tmp_path):
        pass
    assert (tmp_path / "a.txt").read_text() == "a"


class Rusty(Exception):
    """What safetensors raises on a full disk, by its text."""


@pytest.mark.parametrize(
    "text",
    [
        "Error while serializing: I/O error: No space left on device (os error 28)",
        "Unable to synchronously write data (file write failed: errno = 28, error message = 'No space left on device')",
    ],
)
def test_a_full_disk_is_told_whoever_wraps_it(tmp_path, text):
    for write in (write_half_a_file, write_half_a_folder):
        with pytest.raises(
            InputError, match=r"out: could not be written \(No space left on device\); nothing half-written was left"
        ):
            write(tmp_path / "out", Rusty(text))
    assert list(tmp_path.iterdir()) == []


def test_another_error_with_a_number_stays_what_it_is(tmp_path):
    with pytest.raises(Rusty):
        write_half_a_file(tmp_path / "out", Rusty("no such key (os error 2)"))


def test_text_is_written_as_it_is_and_whole(tmp_path):
    write_text(tmp_path / "a.txt", "µ\n")
    assert (tmp_path / "a.txt").read_bytes() == "µ\n".encode()


def test_what_is_unfinished_can_be_removed_at_once(tmp_path):
    with atomic_file(tmp_path / "a") as part:
        part.write_bytes(b"half")
        remove_unfinished()
        assert list(tmp_path.iterdir()) == []
        part.write_bytes(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_what_a_full_disk_cuts_short_is_not_appended(tmp_path):
    path = tmp_path / "lines"
    append_text(path, "one\n")
    append_text(path, "two\n")
    assert path.read_text() == "one\ntwo\n"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses to let a file grow past this, in the middle of a write, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(InputError, match=r"lines: could not be written \(File too large\)"):
            append_text(path, "three\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "one\ntwo\n"


def test_a_folder_that_another_run_has_filled_meanwhile_is_left_as_it_is(tmp_path):
    def write():
        with atomic_directory(tmp_path / "out") as part:
            (part / "mine").touch()
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "theirs").touch()

    with pytest.raises(InputError, match="the output folder is not empty"):
        write()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_outputs_lie_apart(tmp_path):
    require_apart(tmp_path / "a", None, tmp_path / "b")
    for other in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / "c" / ".." / "a"):
        with pytest.raises(InputError, match="lies in another output"):
            require_apart(tmp_path / "a", other)


@pytest.mark.parametrize("check", [require_new_file, require_new_directory])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, check):
    (tmp_path / "link").symlink_to("nowhere")
    for name, message in {
        "no/out": "its folder .*no does not exist",
        "no/../out": "does not exist",
        "x" * 250: "its name has more than",
        "link": "exists already|is a file",
    }.items():
        with pytest.raises(InputError, match=message):
            check(tmp_path / name)
    check(tmp_path / "out")
