"""Photographs in one file: what is inside, and what is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from packed_photographs import main, pack_photographs
from skimage.data import astronaut

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.synth.photographs import find_photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    write_picture(folder / "one.png", astronaut()[:96, 200:300])
    write_picture(folder / "more" / "two.png", astronaut()[100:180, 200:264])
    terms = {"file": "one.png", "licence": "public domain", "credit": "NASA"}
    (folder / "manifest.json").write_text(json.dumps({"photographs": [terms]}))
    return folder


def test_an_unpacked_archive_is_a_folder_of_the_same_photographs_and_terms(folder, tmp_path):
    assert pack_photographs(folder, tmp_path / "photos.zip", quality=95) == 2
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    found = {each.name: each for each in find_photographs([tmp_path / "unpacked"])}
    assert set(found) == {"one", "two"}
    assert (found["one"].licence, found["one"].credit) == ("public domain", "NASA")
    difference = read_picture(found["one"].path).astype(float) - astronaut()[:96, 200:300]
    assert np.sqrt(np.square(difference).mean()) < 4


def test_the_same_photographs_give_the_same_bytes(folder, tmp_path):
    for name in ("a.zip", "b.zip"):
        pack_photographs(folder, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_two_photographs_of_one_name_are_refused(folder, tmp_path):
    write_picture(folder / "more" / "one.png", astronaut()[:96, :96])
    with pytest.raises(InputError, match=r"two photographs would be called one\.jpg"):
        pack_photographs(folder, tmp_path / "photos.zip")
    assert not (tmp_path / "photos.zip").exists()


def test_the_command_says_what_it_packed_or_what_is_wrong(folder, tmp_path, capsys):
    main([str(folder), str(tmp_path / "photos.zip")])
    assert "2 photographs" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="--quality must be from 1 to 100, found 101"):
        main([str(folder), str(tmp_path / "other.zip"), "--quality", "101"])
    with pytest.raises(SystemExit, match="no such file or folder"):
        main([str(tmp_path / "nowhere"), str(tmp_path / "other.zip")])
