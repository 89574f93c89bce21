"""Uploads are read by the guarded readers, limited, and never named by the browser."""

import io
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from struct import pack

import numpy as np
import pytest
from PIL import Image

from metalens.app.photographs import (
    LARGEST_UPLOAD,
    add_upload,
    cut_to_sensor,
    file_name,
    photograph,
    photographs_in,
)
from metalens.app.project import open_project
from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture

HOSTILE = '"><img src=x onerror=alert(1)>/../../../etc/passwd\n.png'


@pytest.fixture
def project(tmp_path):
    return open_project(tmp_path)


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def chunk(kind, data):
    return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))


def bomb(side):
    """A PNG of a few kilobytes that unpacks to side² pixels."""
    header = chunk(b"IHDR", pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def noise(rows, columns):
    return np.random.default_rng(0).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def test_an_upload_is_kept_under_its_hash_and_a_harmless_name(project):
    picture = noise(20, 30)
    given = add_upload(project, png(picture), HOSTILE)
    assert given.folder.parent == project.own / "photographs"
    assert given.capture.name == "img-src-x-onerror-alert-1-etc-passwd-n.png"
    np.testing.assert_array_equal(read_picture(given.capture), picture)
    assert "\n" not in given.about.title
    assert [each.key for each in photographs_in(project)] == [given.key]
    assert photograph(project, given.key) == given


def test_two_pages_may_keep_the_same_one_at_once(project, scene_png):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: add_upload(project, scene_png, "scene.png").key, range(16)))
    assert len(set(found)) == 1
    assert [each.key for each in photographs_in(project)] == found[:1]


@pytest.mark.parametrize("side", [5000, 20_000, 60_000])
def test_a_bomb_is_answered_with_a_sentence(project, side):
    with pytest.raises(InputError, match=r"bomb\.png: .* pixels"):
        add_upload(project, bomb(side), "bomb.png")
    assert photographs_in(project) == []


@pytest.mark.parametrize("data", [b"", b"<html><script>alert(1)</script>", b"%PDF-1.7", png(noise(8, 8))[:60]])
def test_what_is_no_picture_is_answered_with_a_sentence(project, data):
    with pytest.raises(InputError, match=r"x\.png: (not a picture that can be read|damaged or cut short)"):
        add_upload(project, data, "x.png")
    assert photographs_in(project) == []


def test_an_upload_is_limited_in_bytes(project):
    with pytest.raises(InputError, match="at most 64 MiB are taken"):
        add_upload(project, bytes(LARGEST_UPLOAD + 1), "x.png")


def test_photographs_are_limited_in_number(project, monkeypatch):
    monkeypatch.setattr("metalens.app.photographs.MOST_KEPT", 1)
    add_upload(project, png(noise(8, 8)), "a.png")
    with pytest.raises(InputError, match="the project has 1 photographs; delete some in metalens-app/photographs"):
        add_upload(project, png(noise(9, 8)), "b.png")


def test_two_apps_may_keep_the_same_one(project, monkeypatch):
    """Each in a process of its own: the second finds the folder when it has written all."""
    kept = []

    @contextmanager
    def late(folder):
        kept.append(folder)
        with atomic_directory(folder) as part:
            yield part
        raise InputError("the output folder is not empty")

    monkeypatch.setattr("metalens.app.photographs.atomic_directory", late)
    given = add_upload(project, png(noise(8, 8)), "a.png")
    assert kept == [given.folder]
    assert read_picture(given.capture).shape == (8, 8, 3)


@pytest.mark.parametrize("key", ["../../x", "0123456789abcdef", "", "0123456789ABCDEF"])
def test_a_photograph_is_found_by_its_key_alone(project, key):
    with pytest.raises(InputError, match="no such photograph"):
        photograph(project, key)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("clean.png", "capture"), ("...", "capture"), ("a b.PNG", "a-b"), ("ü.png", "capture"), ("x" * 99, "x" * 40)],
)
def test_file_names_are_harmless(name, expected):
    assert file_name(name) == expected


def test_a_larger_picture_is_cut_to_its_middle(project):
    picture = noise(40, 50)
    given = add_upload(project, png(picture), "x.png")
    found = cut_to_sensor(project, given, picture, (20, 60))
    assert (found.about.pixels, found.about.place, found.about.foreign) == ((20, 50), (0, 5), True)
    np.testing.assert_array_equal(read_picture(found.capture), picture[10:30])


def test_a_picture_cut_to_the_whole_sensor_is_a_whole_frame(project):
    given = add_upload(project, png(noise(40, 50)), "x.png")
    assert cut_to_sensor(project, given, noise(40, 50), (20, 30)).about.place is None
