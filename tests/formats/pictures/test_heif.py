"""Pictures in AVIF and HEIC: read as others are, and as guarded."""

import base64
import sys

import numpy as np
import pytest
from PIL import Image

from metalens.formats.files.errors import InputError
from metalens.formats.pictures import pictures
from metalens.formats.pictures.light import read_light
from metalens.formats.pictures.pictures import list_pictures, read_picture
from metalens.formats.pictures.scene import srgb_to_linear

ROW, COLUMN = np.mgrid[:32, :48]
PICTURE = np.stack([5 * COLUMN, 7 * ROW, np.full_like(ROW, 128)], axis=-1).astype(np.uint8)

# PICTURE as pillow-heif 1.8.1 (x265) writes it at quality 90.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAQMAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5j"
    "bHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBp"
    "eGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAQttZGF0AAAA/ygBrwY45cWD7qYjewdBzADqwE2onT8hClxTbnCk"
    "a75ZKvpB1Wu0j6DhkBqKzymAWpM32/gn2/2wma14KG65Bl75ZQP/AIPPQExRThMuOsiJhqlx++7NXGaWcsAcQPAIr7UPUY+8I/+R"
    "triPyk+C38jdVcroUbmGFYwgN95kKXLlU5gNGzSlMW4tX1a6k+vKv3CNHQlzA2oXgsK1dk7iKk3b7bEebRVQlfddaWPtziNpalMP"
    "XpjxM/TdWE6liw6jdbB7anYJ56EWZ8OC2Bm1sxSxwsjeVK4dM3aqtCDm85Jt476W1iCGQa9wo47ODvElD7PCn2G20oPYePMGHc5x"
    "gA=="
)


@pytest.fixture(params=["avif", "heic"])
def path(request, tmp_path):
    place = tmp_path / f"a.{request.param}"
    if request.param == "heic":
        place.write_bytes(HEIC)
    else:
        Image.fromarray(PICTURE).save(place, quality=90)
    return place


def test_it_is_read_to_what_the_coder_loses(path):
    picture = read_picture(path)
    assert picture.shape == PICTURE.shape
    assert np.abs(picture.astype(int) - PICTURE).mean() < 3
    np.testing.assert_allclose(read_light(path), srgb_to_linear(picture), atol=1e-6)
    assert list_pictures([path.parent]) == [path]


def test_its_size_is_checked_before_it_is_decoded(path, monkeypatch):
    monkeypatch.setattr(pictures, "MAXIMUM_PIXELS", 1000)
    with pytest.raises(InputError, match="48 × 32 pixels, at most 1000 are read"):
        read_picture(path)


def test_a_damaged_file_is_one_sentence(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"damaged or cut short|not a picture that can be read"):
        read_picture(path)


def test_without_the_extra_heic_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(HEIC)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(InputError, match=r"is a HEIC picture: the package pi-heif is not installed; run .*\[heif\]"):
        read_picture(tmp_path / "a.heic")
