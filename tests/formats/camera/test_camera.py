"""``lens.toml``: presets, round trip, and a sentence for every kind of mistake."""

import re

import numpy as np
import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, preset_names, read_camera
from metalens.formats.camera.design_wavelength import design_wavelength
from metalens.formats.camera.phase import HyperbolicPhase
from metalens.formats.design.spec import read_design
from metalens.formats.files.errors import InputError

TEXT = dump_camera(read_camera("hyperbolic"))


def test_the_presets_are_listed():
    assert {"hyperbolic", "metacamera", "nano-optics"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_a_round_trip(name: str):
    camera = read_camera(name)
    # The former metacamera keeps its name, which its hash covers.
    assert camera.name == {"metacamera-200um": "metacamera"}.get(name, name)
    again = parse_camera(dump_camera(camera))
    assert again == camera
    assert again.hash == camera.hash


@pytest.mark.parametrize("name", ["metacamera", "multi-order", "wide-field-multi-order"])
def test_a_designed_preset_is_the_camera_of_its_specification(name: str):
    """Apart from the phase, which the design gives."""
    preset, asked = read_camera(name), read_design(name).camera
    assert preset.lens.model_copy(update={"phase": None}) == asked.lens.model_copy(update={"phase": None})
    assert (preset.sensor, preset.spectrum) == (asked.sensor, asked.spectrum)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_fits_a_module_of_a_cubic_millimetre(name: str):
    assert read_camera(name).lens.focal_length_um <= 1000


def test_the_hash_follows_the_content_and_not_its_layout():
    camera = parse_camera(TEXT)
    assert parse_camera("# a remark\n" + TEXT.replace("500.0", "5e2")).hash == camera.hash
    assert parse_camera(TEXT.replace("The textbook metalens", "A lens")).hash == camera.hash
    assert parse_camera(TEXT.replace("aperture_um = 500.0", "aperture_um = 501.0")).hash != camera.hash


def test_a_name_and_a_file_give_the_same_camera(tmp_path):
    path = tmp_path / "lens.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert read_camera(path) == read_camera("hyperbolic")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "aperture_um = 500.0",
            "aperture_mm = 0.5",
            "unit (keys end in _um): the nearest key is aperture_um",
        ),
        ("aperture_um = 500.0", "", "missing key lens.aperture_um"),
        ("aperture_um = 500.0", "aperture_um = -500.0", "lens.aperture_um: expected more than 0, found -500"),
        ("aperture_um = 500.0", "aperture_um = nan", "lens.aperture_um: expected a finite number"),
        ("aperture_um = 500.0", "aperture_um = inf", "lens.aperture_um: expected a finite number"),
        ("aperture_um = 500.0", 'aperture_um = "wide"', "lens.aperture_um: expected a number"),
        ("focal_length_um = 1000.0", "focal_length_um = 50.0", "off axis, more than the 75°"),
        ('family = "hyperbolic"', 'family = "cubic"', "lens.phase"),
        ("wavelength_nm = 532.0", "wavelength_nm = 0.532", "lens.phase.wavelength_nm: expected"),
        ("diameter_nm = [100.0, 300.0]", "diameter_nm = [300.0, 100.0]", "must grow and stay under pitch_nm"),
        ("diameter_nm = [100.0, 300.0]", "diameter_nm = [100.0, 400.0]", "must grow and stay under pitch_nm"),
        ("pixels = [400, 400]", "pixels = [400]", "sensor.pixels"),
        ("pixels = [400, 400]", "pixels = [4, 4]", "must lie between 16 and 16384"),
        ("bit_depth = 10", "bit_depth = 3", "sensor.bit_depth: expected 4 or more"),
        ("black_level_dn = 16.0", "black_level_dn = 600.0", "leaves less than half of the 10-bit range"),
        ("full_well_e = 5000.0", "full_well_e = 0.001", "a pixel saturates at 0.001 electrons, one or more"),
        (
            "read_noise_e = 3.0",
            "read_noise_e = 1e9",
            "temporal dark noise, 1e+09 electrons, leaves no room",
        ),
        (
            "dark_current_e = 2.0",
            "dark_current_e = 6000.0",
            "the dark signal of an exposure, 6000 electrons, leaves no room for light below saturation at 5000",
        ),
        (
            "read_noise_e = 3.0",
            "read_noise_e = 3.0\nsystem_gain_dn_per_e = 1e-9",
            "a white scene gives 4.25e-06 DN",
        ),
        (
            "read_noise_e = 3.0",
            "read_noise_e = 3.0\nsystem_gain_dn_per_e = 1e9",
            "a pixel saturates at 1.007e-06 electrons",
        ),
        ('bayer = "RGGB"', 'bayer = "XTRANS"', "sensor.bayer"),
        ('name = "red"', 'name = "green"', "channels must be red, green, blue in this order"),
        ("fwhm_nm = 30.0", "fwhm_nm = 400.0", "more than half of centre_nm"),
        ("wavelengths_per_channel = 9", "wavelengths_per_channel = 0", "spectrum.wavelengths_per_channel"),
        ('name = "hyperbolic"', 'name = "../../etc"', "name: String should match pattern"),
        ("version = 1", "version = 2", 'expected the lines schema = "metalens.camera" and version = 1'),
        ('schema = "metalens.camera"', 'schema = "metalens.psf"', 'expected the lines schema = "metalens.camera"'),
    ],
)
def test_a_mistake_is_told_in_one_sentence(old: str, new: str, message: str):
    assert old in TEXT
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        parse_camera(TEXT.replace(old, new, 1), origin="my.toml")
    assert str(caught.value).startswith("my.toml: ")
    assert "\n" not in str(caught.value)


def test_several_mistakes_are_told_at_once():
    text = TEXT.replace("aperture_um = 500.0", "aperture_um = -1.0").replace("bit_depth = 10", "bit_depth = 99")
    with pytest.raises(InputError, match=r"aperture_um: .* found -1\.0; .*bit_depth: .* found 99\."):
        parse_camera(text)


def test_neither_file_nor_preset(tmp_path):
    with pytest.raises(InputError, match=r"neither a file nor a preset; give a lens\.toml or one of"):
        read_camera(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"is a folder, a lens\.toml is a file; give the file's own path"):
        read_camera(tmp_path)


def test_a_description_with_quotes_and_lines_survives():
    camera = read_camera("hyperbolic").model_copy(update={"description": 'a "b"\\c\nd\té'})
    assert parse_camera(dump_camera(camera)).description == camera.description


def test_a_changed_camera_is_the_one_whose_lens_toml_says_so():
    camera = read_camera("metacamera")
    changed = camera.with_(name="small", lens={"aperture_um": 150, "defocus_um": -3}, sensor={"pixels": [96, 64]})
    text = dump_camera(camera).replace('name = "metacamera"', 'name = "small"', 1)
    text = text.replace("aperture_um = 110.0", "aperture_um = 150.0\ndefocus_um = -3.0")
    assert changed == parse_camera(text.replace("pixels = [400, 400]", "pixels = [96, 64]"))
    assert changed.with_(lens={"defocus_um": None}).lens.defocus_um is None
    assert camera == read_camera("metacamera")


def test_a_changed_table_of_another_family_replaces_the_old_one():
    changed = read_camera("metacamera").with_(lens={"phase": {"family": "hyperbolic", "wavelength_nm": 530}})
    assert changed.lens.phase == HyperbolicPhase(family="hyperbolic", wavelength_nm=530)
    assert changed.lens.aperture_um == 110
    record = changed.with_(lens={"phase": read_camera("metacamera").lens.phase})
    assert record == read_camera("metacamera")


def test_a_changed_sensor_with_a_preset_is_that_sensor():
    changed = read_camera("metacamera").with_(sensor={"preset": "machine-vision", "pixels": (64, 64)})
    assert (changed.sensor.pixels, changed.sensor.pixel_pitch_um) == ((64, 64), 3.45)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lens": {"apperture_um": 150}}, "unknown key lens.apperture_um"),
        ({"lense": {}}, "unknown key lense"),
        ({"lens": {"aperture_um": -1}}, r"lens\.aperture_um: .*found -1"),
        ({"sensor": None}, "sensor"),
        ({"lens": 3}, "lens: .*found 3"),
        ({"lens": {"phase": {"family": "freeform", "file": "none.npy", "pitch_um": 1.0}}}, "none.npy: no such"),
    ],
)
def test_a_change_that_makes_no_camera_is_refused_by_its_key(changes, said):
    with pytest.raises(InputError, match=said):
        read_camera("metacamera").with_(**changes)


HYPERBOLIC = {"family": "hyperbolic", "wavelength_nm": 530.0}
CUBIC = {"family": "cubic", "strength_rad": 10.0, "radius_um": 100.0}
TABLES = {"channels": (), "source": "D65", "sensor": "generic_rgb"}


@pytest.mark.parametrize(
    ("lens", "spectrum", "nanometres"),
    [
        ({"phase": HYPERBOLIC, "response": {"kind": "geometric", "wavelength_nm": 610.0, "light": "left"}}, {}, 610),
        ({"phase": HYPERBOLIC}, {}, 530),
        ({"phase": CUBIC}, {}, read_camera("hyperbolic").spectrum.channels[1].centre_nm),
        ({"phase": CUBIC}, TABLES, None),
    ],
)
def test_the_design_wavelength_is_that_of_the_response_else_of_the_phase_else_of_green(lens, spectrum, nanometres):
    camera = read_camera("hyperbolic").with_(lens=lens, spectrum=spectrum)
    if nanometres is None:
        with pytest.raises(InputError, match="has no design wavelength"):
            design_wavelength(camera)
    else:
        assert design_wavelength(camera) == pytest.approx(1e-9 * nanometres)


def test_a_changed_camera_finds_the_files_of_the_old_one(tmp_path):
    for name, height in (("map.npy", 0.0), ("other.npy", 1.0)):
        np.save(tmp_path / name, np.full((220, 220), height))
    phase = {"family": "freeform", "file": "map.npy", "pitch_um": 1.0}
    text = dump_camera(read_camera("metacamera").with_(lens={"phase": {"family": "quadratic", "wavelength_nm": 530}}))
    (tmp_path / "lens.toml").write_text(
        text.replace('family = "quadratic"', 'family = "freeform"\nfile = "map.npy"\npitch_um = 1.0').replace(
            "wavelength_nm = 530.0\n", ""
        )
    )
    camera = read_camera(tmp_path / "lens.toml")
    assert camera.with_(name="again").lens.phase.samples().max() == 0
    other = camera.with_(lens={"phase": phase | {"file": "other.npy"}})
    assert other.lens.phase.samples().min() == 1
    assert other.hash != camera.hash
