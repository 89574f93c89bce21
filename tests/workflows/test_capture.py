"""One photograph through a camera: an embedded one by its name."""

import numpy as np
import pytest

import metalens
from metalens.formats.files.errors import InputError
from metalens.synth.embedded_photographs import embedded_photographs


@pytest.fixture(scope="module")
def bank():
    lens, sensor = {"aperture_um": 40, "focal_length_um": 100}, {"pixels": (16, 16), "pixel_pitch_um": 1}
    camera = metalens.read_camera("hyperbolic").with_(lens=lens, sensor=sensor)
    return metalens.simulate_bank(camera, fields=(1, 1), wavelengths_per_channel=1)


def test_an_embedded_photograph_is_captured_by_its_name_as_by_its_file(bank):
    named = metalens.simulate_capture("embedded:coffee", bank)
    for found, expected in zip(
        named, metalens.simulate_capture(embedded_photographs(name="coffee")[0].path, bank), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["embedded:train", "embedded:nobody"])
def test_what_is_not_one_photograph_is_refused(bank, name):
    with pytest.raises(InputError, match=name):
        metalens.simulate_capture(name, bank)
