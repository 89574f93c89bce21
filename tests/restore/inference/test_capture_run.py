"""A run over captures: what fails is told, what is missing is done, and nothing is done twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.inference import restored_files
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.capture_run import NOTE
from metalens.restore.inference.filtered_files import FilterOptions, filter_files
from metalens.restore.inference.restored_files import RestoreOptions, restore_files

PIXELS = (64, 80)


def capture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*PIXELS, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Three captures, of which the second is damaged."""
    place = tmp_path / "captures"
    place.mkdir()
    for number, name in enumerate("abc"):
        write_picture(place / f"{name}.png", capture(number))
    (place / "b.png").write_bytes((place / "a.png").read_bytes()[:500])
    return place


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_damaged_capture_stops_no_other_and_is_done_when_it_is_whole(make_restorer, folder, tmp_path):
    restorer, options = make_restorer(), RestoreOptions([0, 1])
    out, kept = tmp_path / "out", tmp_path / "kept"
    done = restore_files(restorer, captures_of([folder]), out, options, latents=kept)
    assert [row["capture"] for row in done.rows] == ["a", "a", "c", "c"]
    (failed,) = done.failed
    assert failed["capture"] == "b"
    assert "b.png: damaged or cut short" in failed["reason"]
    write_picture(folder / "b.png", capture(1))
    again = restore_files(restorer, captures_of([folder]), out, options, latents=kept, resume=True)
    assert (again.already, again.failed) == (["a", "c"], [])
    assert [row["capture"] for row in again.rows] == ["b", "b"]
    restore_files(restorer, captures_of([folder]), tmp_path / "at-once", options)
    assert contents(out) == contents(tmp_path / "at-once")


def test_an_interrupted_run_goes_on_with_what_is_missing(make_restorer, folder, tmp_path, monkeypatch):
    (folder / "b.png").unlink()
    restorer, options, out = make_restorer(), RestoreOptions([1]), tmp_path / "out"
    true = restored_files.latents_of
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return true(*arguments)

    monkeypatch.setattr(restored_files, "latents_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore_files(restorer, captures_of([folder]), out, options)
    assert sorted(contents(out)) == ["a-alpha1.png", NOTE]
    done = restore_files(restorer, captures_of([folder]), out, options, resume=True)
    assert (done.already, [row["capture"] for row in done.rows], len(calls)) == (["a"], ["c"], 3)


def test_what_was_begun_otherwise_is_not_resumed(make_restorer, folder, tmp_path):
    restorer, out = make_restorer(), tmp_path / "out"
    restore_files(restorer, captures_of([folder]), out, RestoreOptions([1]))
    with pytest.raises(InputError, match=r"cannot be resumed, alpha"):
        restore_files(restorer, captures_of([folder]), out, RestoreOptions([0]), resume=True)
    with pytest.raises(InputError, match="not empty"):
        restore_files(restorer, captures_of([folder]), out, RestoreOptions([1]))


def test_a_run_without_any_usable_capture_leaves_nothing(make_restorer, folder, tmp_path):
    for name in "ac":
        (folder / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png: .* None of the 3 captures can be restored"):
        restore_files(make_restorer(), captures_of([folder]), tmp_path / "out", RestoreOptions([1]))
    assert not (tmp_path / "out").exists()


def test_the_filter_runs_in_the_same_way(bank, folder, tmp_path):
    out, options = tmp_path / "out", FilterOptions(10.0)
    no_utf_8 = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    write_picture(no_utf_8, capture(0))
    done = filter_files(bank, captures_of([folder]), out, options)
    assert [row["capture"] for row in done.rows] == ["a", "c"]
    assert [each["capture"] for each in done.failed] == ["b", "caf\\xe9"]
    assert done.failed[1]["reason"] == f"{folder}/caf\\xe9.png: its name is no UTF-8; rename it."
    no_utf_8.unlink()
    write_picture(folder / "b.png", capture(1))
    again = filter_files(bank, captures_of([folder]), out, options, resume=True)
    assert (again.already, [row["capture"] for row in again.rows]) == (["a", "c"], ["b"])
    assert json.loads((out / NOTE).read_text())["method"] == "wiener-joint"
