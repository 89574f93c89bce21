"""A crop of a photograph, turned, mirrored, shrunk and compressed, is found in its thumbnail; others are not."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metalens.formats.pairs.thumbnail import (
    ALIKE,
    SIDE,
    SMALLEST,
    TURNS,
    UNDOES,
    Thumbnails,
    picture_of,
    thumbnail_of,
)
from metalens.formats.pictures.pictures import read_picture

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def scene(number: int, pixels: tuple[int, int] = (240, 320)) -> np.ndarray:
    """Discs and stripes at random, of many sizes."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[: pixels[0], : pixels[1]] / max(pixels)
    picture = np.zeros((*pixels, 3))
    for _ in range(60):
        centre, radius = random.uniform(0, 1, 2), random.uniform(0.02, 0.2)
        picture[np.hypot(y - centre[0], x - centre[1]) < radius] = random.uniform(0, 255, 3)
    return (picture + 20 * np.sin(40 * x + random.uniform(0, 6))[..., None]).clip(0, 255).astype(np.uint8)


def changed(picture: np.ndarray, share: float, turn: str, random: np.random.Generator) -> np.ndarray:
    """A crop of this share of each side, turned, shrunk to 70 % and saved as JPEG of quality 70."""
    rows, columns = (round(share * side) for side in picture.shape[:2])
    top, left = (random.integers(whole - part + 1) for whole, part in zip(picture.shape, (rows, columns), strict=False))
    crop = Image.fromarray(np.ascontiguousarray(TURNS[turn](picture[top : top + rows, left : left + columns])))
    smaller = crop.resize((round(0.7 * crop.width), round(0.7 * crop.height)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smaller.save(file, "JPEG", quality=70)
    return np.asarray(Image.open(file).convert("RGB"))


def small(picture: np.ndarray) -> np.ndarray:
    found = picture_of(thumbnail_of(picture))
    assert found is not None
    return found


@cache
def scenes() -> list[np.ndarray]:
    return [scene(number) for number in range(12)]


FEW = ("", "turned by 90°", "mirrored and turned by 270°")
"""One of each kind; a search for each of the others takes a second."""


@pytest.mark.parametrize("turn", [pytest.param(each, marks=[] if each in FEW else pytest.mark.long) for each in TURNS])
def test_a_crop_is_found_however_it_is_turned(turn: str) -> None:
    others = Thumbnails([small(each) for each in scenes()])
    random = np.random.default_rng(0)
    for share in (1.0, 0.8, 0.6):
        found = others.search(small(changed(scenes()[5], share, turn, random)))
        assert found.correlation[5] > ALIKE
        assert found.correlation.argmax() == 5
        assert list(TURNS)[found.turn[5]] == UNDOES.get(turn, turn)
        assert found.size[5] == pytest.approx(share, abs=0.06)


def test_other_scenes_are_not_found() -> None:
    pictures = [small(each) for each in scenes()[:7]]
    others = Thumbnails(pictures)
    for number, picture in enumerate(pictures):
        found = others.search(picture).correlation
        assert found[number] == pytest.approx(1, abs=1e-3)
        assert np.delete(found, number).max() < ALIKE


def test_a_whole_picture_is_found_faster() -> None:
    others = Thumbnails([small(each) for each in scenes()])
    found = others.search(small(np.rot90(scenes()[3])), whole=True)
    assert found.correlation.argmax() == 3
    assert found.correlation[3] > ALIKE
    assert others.search(small(scenes()[3][:160, :200]), whole=True).correlation[3] < ALIKE


def test_a_thumbnail_is_a_thousand_letters_and_comes_back() -> None:
    text = thumbnail_of(scenes()[0])
    assert 700 < len(text) < 1600
    picture = small(scenes()[0])
    assert picture.shape == (36, SIDE)
    assert (picture.min(), picture.max()) == (0, 15)
    assert picture_of("") is None
    assert picture_of("no thumbnail!") is None
    assert picture_of(thumbnail_of(np.zeros((4, 400, 3), np.uint8))) is None


def test_a_flat_picture_is_like_no_other() -> None:
    flat = small(np.full((100, 100, 3), 77, np.uint8))
    assert Thumbnails([small(scenes()[0]), flat]).search(flat).correlation.max() < ALIKE
    assert SMALLEST < 0.5


@pytest.mark.long  # half a minute: 38 photographs with each other
def test_photographs_of_two_known_sets_are_told_apart() -> None:
    paths = sorted((DATA / "kodak24").rglob("*.png")) + sorted((DATA / "set14").rglob("*.png"))
    pictures = [each for each in map(read_picture, paths) if min(each.shape[:2]) >= 200] or scenes()
    thumbnails = [small(each) for each in pictures]
    others, random = Thumbnails(thumbnails), np.random.default_rng(0)
    for number, thumbnail in enumerate(thumbnails):
        assert np.delete(others.search(thumbnail).correlation, number).max() < 0.8
        for share in (0.9, 0.75):
            crop = changed(pictures[number], share, list(TURNS)[number % len(TURNS)], random)
            assert others.search(small(crop)).correlation[number] > ALIKE
