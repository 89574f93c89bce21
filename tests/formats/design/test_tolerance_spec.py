"""tolerances.toml: what is read, and what is refused with its place."""

import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.design.tolerance_spec import (
    TYPICAL,
    TYPICAL_OF_GLASS,
    Normal,
    Uniform,
    parse_tolerance_spec,
    read_tolerance_spec,
    typical_tolerances,
)
from metalens.formats.files.errors import InputError

HEAD = 'schema = "metalens.tolerance"\nversion = 1\n'
DEFOCUS = '[errors]\ndefocus_um = { distribution = "normal", sigma = 3 }\n'


def test_a_file_is_read(tmp_path):
    path = tmp_path / "tolerances.toml"
    path.write_text(
        HEAD
        + 'description = "ours"\n[errors]\n'
        + 'width_error_nm = { distribution = "normal", sigma = 8, limit = 20 }\n'
        + 'missing_share = { distribution = "uniform", nominal = 0.01, plus_minus = 0.01 }\n'
        + "[limits]\nstrehl_ratio = 0.4\nwidth_um = 6\n"
    )
    spec = read_tolerance_spec(path)
    assert spec.errors.terms == {
        "width_error_nm": Normal(distribution="normal", sigma=8, limit=20),
        "missing_share": Uniform(distribution="uniform", nominal=0.01, plus_minus=0.01),
    }
    assert spec.limits.given == {"strehl_ratio": 0.4, "width_um": 6}


def test_errors_come_in_one_order_whatever_the_files():
    spec = parse_tolerance_spec(HEAD + DEFOCUS + 'width_error_nm = { distribution = "uniform", plus_minus = 5 }\n')
    assert list(spec.errors.terms) == ["width_error_nm", "defocus_um"]


def test_typical_errors_are_all_there():
    glass = set(TYPICAL_OF_GLASS)
    assert set(TYPICAL.errors.terms) | glass == set(type(TYPICAL.errors).model_fields)


def test_typical_errors_of_glass_are_those_of_a_lens_behind_refractive_surfaces():
    camera = read_camera("metacamera")
    assert typical_tolerances(camera.lens) is TYPICAL
    surface = {"thickness_um": 10.0, "clear_diameter_um": 200.0}
    hybrid = typical_tolerances(camera.with_(lens={"surfaces": [surface]}).lens)
    assert hybrid.errors.terms == TYPICAL.errors.terms | TYPICAL_OF_GLASS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("errors = 1", "expected the lines schema"),
        (HEAD, "missing key errors"),
        (HEAD + "[errors]\n", "errors names none"),
        (HEAD + DEFOCUS + "colour = 1\n", "unknown key errors.colour"),
        (HEAD + '[errors]\ndefocus_um = { distribution = "gamma", sigma = 3 }\n', "defocus_um"),
        (
            HEAD + '[errors]\ndefocus_um = { distribution = "normal", sigma = -3 }\n',
            r"errors.defocus_um.sigma: .*found -3",
        ),
        (HEAD + '[errors]\ndefocus_um = { distribution = "normal", sigma = nan }\n', "errors.defocus_um.sigma"),
        (
            HEAD + '[errors]\nmissing_share = { distribution = "normal", sigma = 0.1 }\n',
            "missing_share goes from -inf to inf",
        ),
        (
            HEAD + '[errors]\nmissing_share = { distribution = "fixed", nominal = 0.7 }\n',
            "missing_share goes from 0.7 to 0.7",
        ),
        (
            HEAD + '[errors]\nwidth_spread_nm = { distribution = "uniform", nominal = 2, plus_minus = 3 }\n',
            "width_spread_nm goes from -1 to 5",
        ),
        (HEAD + '[errors]\ntilt_x_deg = { distribution = "normal", sigma = 5 }\n', "tilt_x_deg goes from -40 to 40"),
        (HEAD + DEFOCUS + "[limits]\nstrehl = 0.4\n", "unknown key limits.strehl"),
        (HEAD + DEFOCUS + "[limits]\nstrehl_ratio = 0\n", "limits.strehl_ratio"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(text, message):
    with pytest.raises(InputError, match=message):
        parse_tolerance_spec(text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml: no such file; give a tolerances\.toml, or leave --spec out"):
        read_tolerance_spec(tmp_path / "none.toml")
