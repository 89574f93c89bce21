"""``captures.toml``: what it has to say, and what it is refused for."""

from pathlib import Path

import numpy as np
import pytest

from metalens.formats.captures.pinhole_captures import read_capture_set
from metalens.formats.files.errors import InputError

TEXT = """
schema = "metalens.captures"
version = 1
colour = "rgb"
full_scale_dn = 4095
darks = ["dark.npy"]

[[captures]]
file = "a.npy"
frame = 1
y_um = 0.0
x_um = -40.5

[[captures]]
file = "b.npy"
field_deg = 10.0
"""


def written(folder: Path, text: str) -> Path:
    (folder / "captures.toml").write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    np.save(tmp_path / "a.npy", np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3))
    np.save(tmp_path / "dark.npy", np.ones((4, 5, 3)))
    return written(tmp_path, TEXT)


@pytest.mark.parametrize("place", ["", "captures.toml"])
def test_a_folder_or_its_index_says_what_was_captured_where(folder, place):
    captures = read_capture_set(folder / place)
    first, second = captures.captures
    assert (first.y_um, first.x_um, second.field_deg) == (0.0, -40.5, 10.0)
    assert captures.frames(first).shape == (1, 3, 4, 5)
    np.testing.assert_array_equal(captures.frames(first)[0, 0], 60 + 3 * np.arange(20).reshape(4, 5))
    np.testing.assert_array_equal(captures.dark(), np.ones((3, 4, 5)))


def test_a_capture_without_a_frame_is_all_frames_of_its_file(folder):
    captures = read_capture_set(written(folder, TEXT.replace("frame = 1\n", "")))
    assert captures.frames(captures.captures[0]).shape == (2, 3, 4, 5)


def test_no_darks_are_none(folder):
    assert read_capture_set(written(folder, TEXT.replace('darks = ["dark.npy"]', ""))).dark() is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 2", 'expected the lines schema = "metalens.captures"'),
        ("full_scale_dn = 4095", "", "full_scale_dn is missing, which only raw files of cameras tell; a.npy is none"),
        ("full_scale_dn", "full_scale", "unknown key full_scale"),
        ('"rgb"', '"bayer"', "colour"),
        ("x_um = -40.5", "", "a.npy needs either y_um and x_um, or field_deg"),
        ("x_um = -40.5", "x_um = 1.0\nfield_deg = 1.0", "a.npy needs either"),
        ("x_um = -40.5", "x_um = nan", "x_um"),
        ("x_um = -40.5", "x_um = 0.0\nazimuth_deg = 0.0", "azimuth_deg without field_deg"),
        ('"a.npy"', '"../a.npy"', "no name of a file below the folder"),
        ('"dark.npy"', '"/dark.npy"', "no name of a file below the folder"),
        ("frame = 1", 'frame = 1\nchannel = "red"', "has a channel, all three are in the file"),
        ('"rgb"', '"grey"', "needs a channel"),
        ("full_scale_dn = 4095", "full_scale_dn = 4095\nblack_level_dn = 5000", "must lie below full_scale_dn"),
    ],
)
def test_an_index_that_cannot_be_used_is_refused_with_the_place(folder, old, new, said):
    with pytest.raises(InputError, match=r"captures.toml") as error:
        read_capture_set(written(folder, TEXT.replace(old, new, 1)))
    assert said in str(error.value)


def test_a_folder_without_an_index_is_told_what_is_missing(tmp_path):
    with pytest.raises(InputError, match=r"captures.toml: no such file; a folder of captures has"):
        read_capture_set(tmp_path)


def test_a_frame_that_the_file_does_not_have_is_refused(folder):
    captures = read_capture_set(written(folder, TEXT.replace("frame = 1", "frame = 2")))
    with pytest.raises(InputError, match=r"a.npy: has 2 frames, frame 2 was asked for"):
        captures.frames(captures.captures[0])


def test_darks_of_unequal_sizes_are_refused(folder):
    np.save(folder / "other.npy", np.ones((4, 6, 3)))
    captures = read_capture_set(written(folder, TEXT.replace('"dark.npy"', '"dark.npy", "other.npy"')))
    with pytest.raises(InputError, match=r"other.npy: its frames are 4 × 6, those of dark.npy 4 × 5"):
        captures.dark()
