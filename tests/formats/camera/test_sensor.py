"""``[sensor]``: terms that are off leave the camera's hash, and what does not fit is refused in a sentence."""

from __future__ import annotations

import pytest

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera, read_camera
from metalens.formats.files.errors import InputError

TEXT = dump_camera(read_camera("metacamera"))

EVERYTHING = """
quantum_efficiency = [0.5, 0.6, 0.4]
white_photons = 5000.0
crosstalk = 0.03
shot_noise = false
dark_current_e_per_s = 5.0
exposure_time_s = 0.033
temperature_c = 45.0
reference_temperature_c = 20.0
doubling_c = 7.0
dsnu_e = 1.0
prnu_percent = 1.0
row_pattern_e = 0.5
column_pattern_e = 0.5
row_noise_e = 0.2
column_noise_e = 0.2
hot_pixel_share = 1e-4
hot_pixel_e = 500.0
dead_pixel_share = 1e-5
system_gain_dn_per_e = 0.2
rolling_gain_percent = 0.5
camera_seed = 7
"""
DEVELOPMENT = """
[sensor.development]
white_balance = [1.5, 1.0, 1.8]
colour_matrix = [[1.5, -0.4, -0.1], [-0.2, 1.4, -0.2], [0.0, -0.5, 1.5]]
gamma = 2.2
"""


def with_lines(lines: str) -> Camera:
    return parse_camera(TEXT.replace("white_level = 0.85", f"white_level = 0.85\n{lines}"))


def test_terms_that_are_off_leave_the_hash_as_it_was_in_version_0_1_0(older_camera_text: str) -> None:
    assert parse_camera(older_camera_text).hash == "7ee553ad027036f35e4380904a30fdc90eee98388c902d924734e73d40a8298f"


def test_every_term_survives_a_round_trip_and_is_part_of_the_hash() -> None:
    camera = parse_camera(TEXT.replace("white_level = 0.85", f"white_level = 0.85\n{EVERYTHING}{DEVELOPMENT}"))
    assert parse_camera(dump_camera(camera)) == camera
    assert camera.sensor.development is not None
    assert camera.hash != read_camera("metacamera").hash
    assert with_lines("dsnu_e = 1.0").hash != with_lines("dsnu_e = 1.1").hash


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("dsnu_e = -1.0", "sensor.dsnu_e: expected 0 or more, found -1.0"),
        ("prnu_percent = nan", "sensor.prnu_percent: expected"),
        ("prnu = 0.01", "unknown key sensor.prnu; check its spelling"),
        ("quantum_efficiency = [0.5, 1.2, 0.4]", "sensor.quantum_efficiency.1: expected"),
        ("white_photons = 100.0", "white_photons needs quantum_efficiency as well"),
        ("dark_current_e_per_s = 3.0", "dark_current_e_per_s needs exposure_time_s as well"),
        ("temperature_c = 30.0", "temperature_c needs reference_temperature_c and doubling_c as well"),
        ("hot_pixel_share = 0.1", "hot_pixel_share needs hot_pixel_e as well"),
        ("crosstalk = 0.7", "sensor.crosstalk: expected 0.5 or less"),
        ("camera_seed = -1", "sensor.camera_seed: expected 0 or more"),
        ("system_gain_dn_per_e = 0.0", "sensor.system_gain_dn_per_e: expected more than 0"),
        ("[sensor.development]\ngamma = 0.0", "sensor.development.gamma: expected"),
        (
            "[sensor.development]\ncolour_matrix = [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]",
            "the row .1.0, 1.0, 0.0. sums to 2; 1 keeps white white",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(lines: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_lines(lines)
