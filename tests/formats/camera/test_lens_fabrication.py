"""The errors that a lens was made with, and its decentre, in lens.toml."""

import numpy as np
import pytest

from metalens.formats.camera.camera import Camera, dump_camera, parse_camera, read_camera
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.captured.fit import LensFit, fitted_camera

RESPONSE = '\n[lens.response]\nkind = "nano_optics_proxy"\nwavelength_nm = 511.0\nduty_error = 0.01\n'


def camera(table: str, response: str = RESPONSE) -> Camera:
    return parse_camera(dump_camera(read_camera("nano-optics")) + response + "\n[lens.fabrication]\n" + table)


def test_errors_become_those_of_the_response():
    made = metalens_of(camera("width_error_nm = 7.0\nwidth_spread_nm = 3.5\nmissing_share = 0.02\n"))
    # Of a pitch of 350 nm; the duty cycle's own error is 0.01.
    assert made.response.width_error == pytest.approx(0.03)
    assert made.response.width_spread == pytest.approx(0.01)
    assert made.response.missing_share == 0.02
    assert made.response.height_error is None


def test_a_pitch_error_needs_no_meta_atoms():
    made = metalens_of(camera("pitch_error_percent = 1.0\n", response=""))
    assert made.aperture_diameter == pytest.approx(505e-6)


def test_an_empty_table_is_the_lens_as_drawn():
    made, drawn = (metalens_of(camera(table)) for table in ("", "pitch_error_percent = 0.0\n"))
    assert made.aperture_diameter == drawn.aperture_diameter
    assert made.response.width_spread is None


def test_the_file_comes_back():
    made = camera("width_error_nm = 7.0\nindex_error = 0.01\nheight_error_nm = -3\n")
    assert parse_camera(dump_camera(made)) == made
    assert made.hash != camera("width_error_nm = 7.0\n").hash


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("width_spread_nm = -1.0\n", "lens.fabrication.width_spread_nm"),
        ("missing_share = 1.0\n", "lens.fabrication.missing_share"),
        ("pitch_error_percent = 20.0\n", "lens.fabrication.pitch_error_percent"),
        ("index_error = nan\n", "lens.fabrication.index_error"),
        ("width_nm = 1.0\n", "unknown key lens.fabrication.width_nm"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(table, message):
    with pytest.raises(InputError, match=message):
        camera(table)


def test_a_width_in_nm_of_a_duty_cycle_needs_the_pitch():
    made = camera("width_error_nm = 7.0\n")
    bare = made.model_copy(update={"lens": made.lens.model_copy(update={"meta_atoms": None})})
    with pytest.raises(InputError, match=r"needs the pitch of the meta-atoms; give \[lens\.meta_atoms\]"):
        metalens_of(bare)


def test_a_lens_without_meta_atoms_has_no_errors_of_theirs():
    with pytest.raises(InputError, match="width_error needs a lens of meta-atoms"):
        metalens_of(camera("width_error_nm = 7.0\n", response=""))


def fit_of(**numbers: float) -> LensFit:
    count = len(numbers)
    value = np.array(list(numbers.values()))
    return LensFit(tuple(numbers), value, np.zeros(count), np.eye(count), 0.0, 0.0, None, 1)


def test_a_fitted_decentre_is_written():
    fitted = fitted_camera(read_camera("nano-optics"), fit_of(decentre_y=2e-6, decentre_x=-1.5e-6))
    assert fitted.lens.decentre_um == (2.0, -1.5)
    assert fitted.lens.decentre_m == pytest.approx((2e-6, -1.5e-6))


def test_a_fitted_width_takes_the_place_of_both_errors_that_there_were():
    fitted = fitted_camera(camera("width_error_nm = 7.0\nmissing_share = 0.02\n"), fit_of(width_error=0.025))
    assert fitted.lens.response.duty_error == 0.025
    assert fitted.lens.fabrication.model_dump(exclude_none=True) == {"missing_share": 0.02}
    assert metalens_of(fitted).response.width_error == pytest.approx(0.025)
