"""The camera of pictures of which only the size is known."""

from __future__ import annotations

import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, read_camera
from metalens.formats.camera.unknown import is_unknown, unknown_camera
from metalens.formats.files.errors import InputError


def test_it_has_the_pixels_and_one_hash_for_all_versions():
    camera = unknown_camera((400, 400))
    assert camera.sensor.pixels == (400, 400)
    # Pairs and adapters that are there are known by it.
    assert camera.hash == "5f717e4c95d9f45f7e728e23eabccb8ded2f02ebf45c6cd2516d7fdda54002a2"
    assert camera.hash != unknown_camera((400, 401)).hash


@pytest.mark.parametrize("pixels", [(16, 16), (3000, 16), (16384, 16384)])
def test_every_size_of_a_sensor_has_one_which_a_file_gives_back(pixels):
    camera = unknown_camera(pixels)
    assert is_unknown(camera)
    assert is_unknown(parse_camera(dump_camera(camera)))


def test_other_cameras_are_known():
    assert not is_unknown(read_camera("metacamera"))
    assert not is_unknown(read_camera("metacamera").with_(name="unknown"))


@pytest.mark.parametrize("pixels", [(15, 400), (400, 16385)])
def test_sizes_that_no_sensor_has_are_refused(pixels):
    with pytest.raises(InputError, match=r"a side of 16 to 16384 is expected; resize them"):
        unknown_camera(pixels)
