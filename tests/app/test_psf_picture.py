"""Maps over the sensor and pictures of point spread functions."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from metalens.app.embedded import embedded_bank
from metalens.app.psf_picture import QUANTITIES, map_over_sensor, map_picture, nearest_node, psf_picture
from metalens.formats.psf.bank_file import read_psf_bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    from metalens.app.project import open_project

    return read_psf_bank(embedded_bank(open_project(tmp_path_factory.mktemp("project"))))


def picture_of(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_the_node_nearest_to_each_node_is_itself(bank):
    assert [nearest_node(bank, tuple(place)) for place in bank.position] == list(range(len(bank.position)))


def test_a_place_just_off_a_node_is_still_that_node_s(bank):
    step = 0.4 * (bank.field_x[1] - bank.field_x[0])
    assert nearest_node(bank, tuple(bank.position[10] + np.array([step, -step]))) == 10


def test_a_map_has_the_nodes_values_at_the_nodes(bank):
    values = np.arange(float(len(bank.position)))
    found = map_over_sensor(bank, values)
    assert found[0, 0] == values[0]
    assert found[-1, -1] == values[-1]
    assert found[found.shape[0] // 2, found.shape[1] // 2] == pytest.approx(values.mean(), abs=0.2)


def test_a_map_of_one_value_is_flat(bank):
    picture = picture_of(map_picture(map_over_sensor(bank, np.full(len(bank.position), 3.0))))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_has_a_value_for_each_node_and_channel(bank, name):
    values = QUANTITIES[name](bank)
    assert values.shape == (len(bank.position), 3)
    # The embedded bank keeps no figures by wavelength.
    assert np.isnan(values).all() if name.startswith("Strehl") else (values > 0).all()


def test_the_brightest_pixel_is_white_and_four_decades_below_is_black():
    intensity = np.array([[1.0, 1e-4], [1e-2, 0.0]])
    picture = picture_of(psf_picture(np.stack([intensity] * 3), "log"))
    half = picture.shape[0] // 2
    assert [int(picture[0, 0, 0]), int(picture[0, -1, 0]), int(picture[-1, 0, 0])] == [255, 0, 128]
    assert picture.shape[0] >= 360
    # Whole pixels, not interpolated.
    assert len(np.unique(picture[:half, :half])) == 1
