"""Captures as their camera encodes them: no bit of a file is lost on the way to the networks."""

import numpy as np
import pytest

from metalens.formats.camera.sensor import Development, Sensor
from metalens.formats.captures.capture_picture import CAPTURE_SUFFIXES, read_capture
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.encoding import encode_light
from metalens.formats.pictures.picture_output import PictureForm, to_16_bit, write_values
from metalens.formats.pictures.pictures import list_pictures, write_picture
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear

from .dng import BLACK, WHITE, grey_mosaic, write_dng

SENSOR = Sensor(pixels=(32, 48), pixel_pitch_um=1.0, bit_depth=10, full_well_e=4000, read_noise_e=3)
VALUES = np.random.default_rng(0).random((32, 48, 3), dtype=np.float32)


def test_eight_bits_stay_eight_bits_and_sixteen_become_floats_to_the_last_one(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    write_picture(tmp_path / "8.png", small)
    np.testing.assert_array_equal(read_capture(tmp_path / "8.png", SENSOR), small)
    for container in ("png", "tiff"):
        form = PictureForm(container, 16)
        write_values(tmp_path / f"16{form.suffix}", VALUES, form)
        read = read_capture(tmp_path / f"16{form.suffix}", SENSOR)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(to_16_bit(read), to_16_bit(VALUES))


def test_openexr_holds_light_that_the_sensors_curve_encodes(tmp_path):
    write_values(tmp_path / "a.exr", VALUES, PictureForm("exr", 16))
    np.testing.assert_allclose(read_capture(tmp_path / "a.exr", SENSOR), VALUES, atol=1e-6)
    with_gamma = SENSOR.model_copy(update={"development": Development(gamma=2.0)})
    expected = np.sqrt(srgb_to_linear(VALUES))
    np.testing.assert_allclose(read_capture(tmp_path / "a.exr", with_gamma), expected, atol=1e-6)


def test_a_raw_file_is_developed_by_its_own_numbers_and_the_sensors_matrix_and_curve(tmp_path):
    path = write_dng(tmp_path / "a.dng", grey_mosaic(np.full((32, 48), 0.3)))
    # Grey stays grey by any matrix whose rows sum to 1.
    matrix = ((1.5, -0.3, -0.2), (-0.2, 1.4, -0.2), (0.0, -0.5, 1.5))
    step = 2 / (WHITE - BLACK)
    for development in (None, Development(colour_matrix=matrix), Development(gamma=2.2)):
        sensor = SENSOR.model_copy(update={"development": development})
        expected = encode_light(sensor, np.full((32, 48, 3), 0.3))
        np.testing.assert_allclose(read_capture(path, sensor), expected, atol=step)
    assert np.ptp(read_capture(path, SENSOR)) < step
    np.testing.assert_allclose(read_capture(path, SENSOR), linear_to_srgb(np.float32(0.3)), atol=step)


def test_raw_files_and_openexr_are_found_in_a_folder(tmp_path):
    for name in ("a.DNG", "b.exr", "c.nef", "d.png", "e.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_pictures([tmp_path], CAPTURE_SUFFIXES)] == ["a.DNG", "b.exr", "c.nef", "d.png"]
    with pytest.raises(InputError, match=r"d\.png"):
        read_capture(tmp_path / "d.png", SENSOR)
