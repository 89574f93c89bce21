"""Flat fields: stacks and folders become levels of light, and what is ambiguous is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metalens.formats.captures.flat_fields import list_flat_fields
from metalens.formats.files.errors import InputError


def write_frame(path: Path, value: int, shape: tuple[int, int] = (18, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, dtype=np.uint16)).save(path)


def test_a_folder_of_folders_holds_a_level_in_each(tmp_path: Path) -> None:
    for level in (1000, 2000):
        for repeat, suffix in enumerate(("png", "tif")):
            write_frame(tmp_path / f"level-{level}" / f"{repeat}.{suffix}", level + repeat)
    (tmp_path / ".cache").mkdir()
    levels = list_flat_fields([tmp_path])
    assert [Path(level.name).name for level in levels] == ["level-1000", "level-2000"]
    assert levels[1].frames()[:, 0, 0].tolist() == [2000, 2001]
    assert levels[1].frames().shape == (2, 18, 20)


def test_a_folder_of_files_and_a_stack_are_a_level_each(tmp_path: Path) -> None:
    write_frame(tmp_path / "folder" / "a.png", 7)
    write_frame(tmp_path / "folder" / "b.png", 9)
    (tmp_path / "folder" / "notes.txt").write_text("evening")
    np.save(tmp_path / "stack.npy", np.zeros((3, 18, 20), dtype=np.uint16))
    levels = list_flat_fields([tmp_path / "folder", tmp_path / "stack.npy"])
    assert [level.frames().shape[0] for level in levels] == [2, 3]


def test_unequal_frames_of_a_level_are_refused(tmp_path: Path) -> None:
    write_frame(tmp_path / "a.png", 7)
    write_frame(tmp_path / "b.png", 9, (16, 20))
    with pytest.raises(InputError, match=r"b\.png: its frames are 16 × 20, those of a\.png 18 × 20"):
        list_flat_fields([tmp_path])[0].frames()


@pytest.mark.parametrize("nested", [False, True])
def test_folders_beside_frames_are_refused(tmp_path: Path, nested: bool) -> None:
    place = tmp_path / "outer" if nested else tmp_path
    write_frame(place / "a.png", 7)
    write_frame(place / "more" / "b.png", 7)
    with pytest.raises(InputError, match=r"holds both frames \(a\.png\) and folders \(more\)"):
        list_flat_fields([tmp_path])


def test_folders_within_folders_within_folders_are_refused(tmp_path: Path) -> None:
    write_frame(tmp_path / "a" / "b" / "c.png", 7)
    with pytest.raises(InputError, match="a: holds no frames"):
        list_flat_fields([tmp_path])


def test_a_missing_place_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flats: no such file or folder"):
        list_flat_fields([tmp_path / "flats"])
    with pytest.raises(InputError, match=r"holds no frames; they end in \.png"):
        list_flat_fields([tmp_path])


def test_a_file_that_is_no_frame_is_refused_on_reading(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.png: not a PNG file"):
        list_flat_fields([tmp_path])[0].frames()
