"""A camera of an older version, whose files must stay readable and whose hash must stay."""

import pytest

METACAMERA_OF_VERSION_0_1_0 = """
schema = "metalens.camera"
version = 1
name = "metacamera"
description = "A 200 um silicon-nitride metalens on a 400 x 400 sensor, module about 1 mm3."

[lens]
aperture_um = 200.0
focal_length_um = 900.0

[lens.phase]
family = "even_polynomial"
radius_um = 100.0
coefficients_rad = [
  -67.3481,
  277.8371,
  -2635.0105,
  11867.9512,
  -28361.3125,
  36514.8125,
  -23899.0312,
  6240.9048,
]

[lens.meta_atoms]
material = "Si3N4"
substrate = "SiO2"
pitch_nm = 350.0
height_nm = 705.0
diameter_nm = [100.0, 300.0]

[sensor]
pixels = [400, 400]
pixel_pitch_um = 1.75
bayer = "RGGB"
bit_depth = 10
full_well_e = 5000.0
read_noise_e = 3.0
dark_current_e = 2.0
black_level_dn = 16.0

[spectrum]
wavelengths_per_channel = 9

[[spectrum.channels]]
name = "red"
centre_nm = 620.0
fwhm_nm = 30.0

[[spectrum.channels]]
name = "green"
centre_nm = 530.0
fwhm_nm = 35.0

[[spectrum.channels]]
name = "blue"
centre_nm = 455.0
fwhm_nm = 20.0
"""


@pytest.fixture(scope="session")
def older_camera_text() -> str:
    """The preset metacamera as version 0.1.0 shipped it, with a phase that was replaced since."""
    return METACAMERA_OF_VERSION_0_1_0
