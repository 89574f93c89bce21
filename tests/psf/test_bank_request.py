"""The request of a bank: what is refused before the first PSF, field points, and the choice of wavelengths."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank_file import LARGEST_WINDOW
from metalens.psf import simulate_bank
from metalens.psf.bank_request import BankRequest


@pytest.fixture(scope="module")
def camera() -> Camera:
    return read_camera("hyperbolic").with_(
        lens={"aperture_um": 40, "focal_length_um": 100}, sensor={"pixels": (32, 24), "pixel_pitch_um": 1}
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"window": (32, 32)}, "odd side"),
        ({"window": (31, 33)}, "square"),
        ({"window": (LARGEST_WINDOW + 1, LARGEST_WINDOW + 1)}, "4096"),
        ({"fields": (0, 3)}, "between 1 and 129"),
        ({"radii": 0}, "radii 0 must lie between 1 and 1000"),
        ({"wavelengths_per_channel": 0}, "between 1 and 99"),
        ({"spectral_tolerance": 2.0}, "spectral tolerance 2 must lie between"),
        ({"wavelengths": [530e-9], "spectral_tolerance": 0.02}, "one of them was expected"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_before_the_simulation(camera, asked, message):
    with pytest.raises(InputError, match=message):
        BankRequest(**asked).check(camera)
    with pytest.raises(InputError, match=message):
        simulate_bank(camera, **asked)


def test_a_radius_of_fields_needs_a_symmetric_camera(camera):
    tilted = camera.with_(sensor={"tilt_deg": (2.0, 0.0)})
    BankRequest(radii=3).check(camera)
    with pytest.raises(InputError, match="is not rotationally symmetric"):
        BankRequest(radii=3).check(tilted)


def test_radii_go_from_the_axis_to_the_distance_of_a_corner(camera):
    layout, position = BankRequest(radii=4).nodes(camera)
    corner = 0.5 * camera.sensor.pixel_pitch_m * np.hypot(*camera.sensor.pixels)
    assert layout == "radial"
    np.testing.assert_allclose(position, [[0, share * corner] for share in (0, 1 / 3, 2 / 3, 1)])


def test_the_camera_s_own_tolerance_holds_unless_the_wavelengths_are_given(camera):
    own = camera.with_(spectrum={"spectral_tolerance": 0.03})
    assert BankRequest().tolerance(camera) is None
    assert BankRequest().tolerance(own) == 0.03
    assert BankRequest(spectral_tolerance=0.1).tolerance(own) == 0.1
    assert BankRequest(wavelengths_per_channel=2).tolerance(own) is None
    assert BankRequest(wavelengths=[530e-9]).tolerance(own) is None
