"""The list of captures of a screen: what is taken, and what is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metalens.formats.captures.screen_captures import AlignmentSet, read_alignment_set
from metalens.formats.files.errors import InputError

HEAD = """schema = "metalens.alignment"
version = 1
lens = "metacamera"
colour = "bayer"
darks = ["dark.npy"]
dots = "dots.npy"
white = "white.npy"
"""
TARGET = "[target]\npixels = [480, 640]\nspacing_px = 40\nradius_px = 8\n"
LEVELS = "".join(f'[[levels]]\nvalue = {value}\nfile = "grey.npy"\n' for value in (0, 64, 128, 192))
CAPTURES = '[[captures]]\nfile = "one.npy"\npicture = "one.png"\n'
FILES = ("dark.npy", "dots.npy", "white.npy", "grey.npy", "one.npy", "one.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def read(folder: Path, text: str) -> AlignmentSet:
    (folder / "captures.toml").write_text(text, encoding="utf-8")
    return read_alignment_set(folder / "captures.toml")


def test_a_list_is_read_with_its_defaults(folder: Path) -> None:
    found = read(folder, HEAD + TARGET + LEVELS + CAPTURES)
    assert (found.vignetting, found.moved_px, found.least_sharpness, found.region) == ("clean", 0.5, 0.7, None)
    assert found.primaries is None
    assert found.camera().name == "metacamera"
    assert found.path("one.npy") == folder / "one.npy"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"metalens.alignment"', '"metalens.captures"', 'expected the lines schema = "metalens.alignment"'),
        ("version = 1", "version = 2", "and version = 1 at the top"),
        ('colour = "bayer"', 'color = "bayer"', "unknown key color; .* missing: colour"),
        ('dots = "dots.npy"', 'dots = "../dots.npy"', r"'\.\./dots.npy' is no name of a file below"),
        ('dots = "dots.npy"', 'dots = "/dots.npy"', "'/dots.npy' is no name of a file below"),
        ('dots = "dots.npy"', 'dots = "a\\\\b.npy"', "is no name of a file below"),
        ('dots = "dots.npy"', 'dots = "gone.npy"', "names gone.npy, which is no file in its folder"),
        ('lens = "metacamera"', 'lens = "gone.toml"', "names gone.toml, which is no file in its folder"),
        ("value = 64", "value = 0", "levels name a grey twice"),
        (CAPTURES, 2 * CAPTURES, "captures name one.npy twice"),
        ("value = 0", "value = 32", "levels lack the black screen"),
        ("value = 64", "value = 255", "levels need black and 3 greys between black and white"),
        ("value = 64", "value = 300", "levels.1.value: .* 255 or less, found 300"),
        ('white = "white.npy"', 'white = "white.npy"\nred = "white.npy"', "all three or none, found red alone"),
        ('colour = "bayer"', 'colour = "bayer"\nmoved_px = nan', "moved_px"),
        ('colour = "bayer"', 'colour = "bayer"\nregion = [0, 0, 8, 100]', "region.2: .* 16 or more"),
        ('darks = ["dark.npy"]', "darks = []", "darks: expected at least 1 value"),
        ("spacing_px = 40", "spacing_px = inf", "target.spacing_px"),
    ],
)
def test_a_wrong_list_is_refused(folder: Path, before: str, after: str, message: str) -> None:
    text = HEAD + TARGET + LEVELS + CAPTURES
    assert before in text
    with pytest.raises(InputError, match=message) as caught:
        read(folder, text.replace(before, after, 1))
    assert "captures.toml: " in str(caught.value)


def test_no_list_and_a_huge_one_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no such file; give the TOML file that lists"):
        read_alignment_set(folder / "captures.toml")
    with pytest.raises(InputError, match="is a folder, a list of captures is a file; give the file's own path"):
        read_alignment_set(folder)
    with (folder / "captures.toml").open("wb") as file:
        file.truncate(2**25 + 1)
    with pytest.raises(InputError, match="is no list of captures"):
        read_alignment_set(folder / "captures.toml")


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "dots.npy"
    elsewhere.write_bytes(b"")
    (folder / "dots.npy").unlink()
    (folder / "dots.npy").symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"dots.npy: leads out of the folder of captures.toml"):
        read(folder, HEAD + TARGET + LEVELS + CAPTURES)


def test_frames_of_another_size_or_no_frames_are_refused(folder: Path) -> None:
    found = read(folder, HEAD + TARGET + LEVELS + CAPTURES)
    np.save(folder / "dots.npy", np.zeros((2, 40, 50), dtype=np.uint16))
    assert found.frames("dots.npy", (40, 50)).shape == (2, 1, 40, 50)
    with pytest.raises(InputError, match="its frames are 40 × 50, the sensor of metacamera has 400 × 400"):
        found.frames("dots.npy", found.camera().sensor.pixels)
    with pytest.raises(InputError, match=r"white.npy: not an array in NPY format"):
        found.frames("white.npy", (40, 50))
