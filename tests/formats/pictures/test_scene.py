import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from metalens.formats.files.errors import InputError
from metalens.formats.pictures import resizing
from metalens.formats.pictures.light import read_stored_light
from metalens.formats.pictures.resizing import resized, scene_from_picture, shrink
from metalens.formats.pictures.scene import Crop, centre_crop, linear_to_srgb, random_crop, srgb_to_linear, to_8_bit

SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


def test_every_8_bit_value_survives_linear_light() -> None:
    values = np.arange(256, dtype=np.uint8)
    assert (to_8_bit(linear_to_srgb(srgb_to_linear(values))) == values).all()


def test_srgb_is_that_of_the_standard() -> None:
    assert linear_to_srgb(np.array([0.0, 0.0031308, 0.18, 1.0])) == pytest.approx(
        [0.0, 0.04045, 0.46135, 1.0], abs=1e-5
    )
    assert srgb_to_linear(np.array([0.5])) == pytest.approx([0.21404], abs=1e-5)


def test_values_outside_are_clipped() -> None:
    assert linear_to_srgb(np.array([-1.0, 2.0])) == pytest.approx([0.0, 1.0], abs=1e-6)


def test_centre_crop_is_the_largest_rectangle_of_that_aspect() -> None:
    assert centre_crop((60, 90), 1.0) == Crop(0, 15, 60, 60)
    assert centre_crop((90, 60), 1.5) == Crop(25, 0, 40, 60)


@settings(max_examples=200, deadline=None)
@given(shape=SIZES, pixels=SIZES, seed=st.integers(0, 2**32))
def test_random_crop_stays_inside_keeps_the_aspect_and_enlarges_only_small_pictures(
    shape: tuple[int, int], pixels: tuple[int, int], seed: int
) -> None:
    crop = random_crop(shape, pixels, np.random.default_rng(seed))
    slack = 1e-6 * max(*shape, *pixels)
    assert crop.top >= 0
    assert crop.left >= 0
    assert crop.top + crop.height <= shape[0] + slack
    assert crop.left + crop.width <= shape[1] + slack
    assert crop.width / crop.height == pytest.approx(pixels[1] / pixels[0], rel=1e-6)
    largest = centre_crop(shape, pixels[1] / pixels[0]).height
    assert crop.height >= min(pixels[0], largest) - slack
    assert crop.height >= 0.5 * largest - slack


def test_random_crops_of_one_seed_are_equal_and_half_are_mirrored() -> None:
    draws = [random_crop((600, 900), (400, 400), np.random.default_rng([3, n])) for n in range(200)]
    assert draws == [random_crop((600, 900), (400, 400), np.random.default_rng([3, n])) for n in range(200)]
    assert 70 < sum(crop.flip for crop in draws) < 130
    assert len({crop.height for crop in draws}) > 150


def test_scene_of_a_flat_picture_is_flat_linear_light() -> None:
    picture = np.full((50, 70, 3), 188, dtype=np.uint8)
    scene = scene_from_picture(picture, (16, 20))
    assert scene.shape == (16, 20, 3)
    assert scene == pytest.approx(np.full((16, 20, 3), srgb_to_linear(np.array(188 / 255))), abs=1e-5)


def test_fine_stripes_become_their_mean_light_not_a_false_pattern() -> None:
    picture = np.zeros((96, 96, 3), dtype=np.uint8)
    picture[::2] = 255
    scene = scene_from_picture(picture, (20, 20))
    assert scene[3:-3] == pytest.approx(np.full((14, 20, 3), 0.5), abs=0.02)


def test_mirror_image_is_mirrored_left_to_right() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    plain = scene_from_picture(picture, (32, 32), Crop(0, 0, 32, 32))
    mirrored = scene_from_picture(picture, (32, 32), Crop(0, 0, 32, 32, flip=True))
    assert (mirrored == plain[:, ::-1]).all()
    assert plain == pytest.approx(srgb_to_linear(picture), abs=1e-6)


def test_shrink_averages_light_over_each_new_pixel() -> None:
    picture = np.zeros((4, 6, 3), dtype=np.uint8)
    picture[::2, ::2] = 255
    expected = round(255 * float(linear_to_srgb(np.array(0.25))))
    assert (shrink(picture, (2, 3)) == expected).all()


@pytest.mark.parametrize("crop", [Crop(0, 0, 300, 200), Crop(13.3, 7.1, 250.5, 120.25), Crop(0, 0, 300, 3)])
@pytest.mark.parametrize("pixels", [(290, 180), (37, 41), (1, 1), (600, 500)])
def test_a_photograph_in_strips_is_the_photograph_as_a_whole(monkeypatch, crop, pixels) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    whole = scene_from_picture(picture, pixels, crop)
    monkeypatch.setattr(resizing, "PART_PIXELS", 1000)
    # Pillow keeps a box in single precision: 300 rows to a hundred thousandth of one.
    np.testing.assert_allclose(scene_from_picture(picture, pixels, crop), whole, rtol=0, atol=2e-4)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_large_photograph_is_never_light_as_a_whole(tmp_path, monkeypatch, suffix) -> None:
    # 6 megapixels in strips of a quarter of the size: 24 MB as Pillow keeps them, 72 MB of light; tracemalloc sees
    # NumPy's arrays, not Pillow's.
    monkeypatch.setattr(resizing, "PART_PIXELS", 2**19)
    Image.new("RGB", (3000, 2000), (180, 90, 40)).save(tmp_path / f"large.{suffix}")
    tracemalloc.start()
    light = read_stored_light(tmp_path / f"large.{suffix}")
    scene = resized(light, (40, 60), Crop(0, 0, 2000, 3000), Image.Resampling.BICUBIC)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert scene == pytest.approx(np.broadcast_to(srgb_to_linear(np.array([180, 90, 40]) / 255), scene.shape), abs=0.01)
    assert peak < 72e6


@pytest.mark.parametrize("picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        scene_from_picture(picture, (16, 16))
