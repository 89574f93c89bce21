"""``preset`` in ``[sensor]``: a shipped sensor or a file to begin with, and a sentence for what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from metalens.formats.camera.camera import dump_camera, parse_camera, read_camera
from metalens.formats.camera.sensor_preset import dump_sensor_preset, read_sensor_preset, sensor_preset_names
from metalens.formats.files.errors import InputError

TEXT = dump_camera(read_camera("metacamera"))
HEAD, _, TAIL = TEXT.partition("[sensor]")
TAIL = TAIL[TAIL.index("[spectrum]") :]

TABLE = {"pixels": [64, 48], "pixel_pitch_um": 2.0, "bit_depth": 12, "full_well_e": 8000.0, "read_noise_e": 2.5}


def text_with(*lines: str) -> str:
    return "\n".join([HEAD, "[sensor]", *lines, "", TAIL])


def test_an_endoscope_and_a_machine_vision_sensor_are_shipped() -> None:
    assert sensor_preset_names() == ["machine-vision", "ov6946"]


@pytest.mark.parametrize("name", sensor_preset_names())
def test_a_shipped_sensor_is_complete_and_keys_beside_it_win(name: str) -> None:
    whole = parse_camera(text_with(f'preset = "{name}"', "pixels = [200, 200]"))
    assert whole.sensor.pixels == (200, 200)
    assert whole.sensor.prnu_percent == read_sensor_preset(name)["prnu_percent"]
    assert parse_camera(text_with(f'preset = "{name}"', "pixels = [200, 200]", "dsnu_e = 0.0")).sensor.dsnu_e == 0.0


def test_the_camera_holds_the_values_and_no_longer_the_name() -> None:
    camera = parse_camera(text_with('preset = "ov6946"'))
    assert "preset" not in dump_camera(camera)
    assert parse_camera(dump_camera(camera)).hash == camera.hash


def test_the_endoscope_sensor_is_the_metacameras_with_further_terms() -> None:
    plain, full = read_camera("metacamera").sensor, parse_camera(text_with('preset = "ov6946"')).sensor
    same = ("pixels", "pixel_pitch_um", "bit_depth", "full_well_e", "read_noise_e", "black_level_dn")
    assert [getattr(full, key) for key in same] == [getattr(plain, key) for key in same]


def test_the_machine_vision_sensor_has_the_dynamic_range_that_its_source_states() -> None:
    """EMVA 1288: saturation over the absolute sensitivity threshold, σ_d + ½ electrons; 71.3 dB."""
    from math import log10

    table = read_sensor_preset("machine-vision")
    assert 20 * log10(table["full_well_e"] / (table["read_noise_e"] + 0.5)) == pytest.approx(71.3, abs=0.1)


def test_a_file_beside_the_lens_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(dump_sensor_preset(TABLE, "made up"), encoding="utf-8")
    (tmp_path / "lens.toml").write_text(text_with('preset = "mine.toml"', "read_noise_e = 3.0"), encoding="utf-8")
    sensor = read_camera(tmp_path / "lens.toml").sensor
    assert sensor.pixels == (64, 48)
    assert sensor.full_well_e == 8000.0
    assert sensor.read_noise_e == 3.0


@pytest.mark.parametrize("name", ["../mine.toml", "/mine.toml", "a\\\\mine.toml"])
def test_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "lens.toml").write_text(text_with(f'preset = "{name}"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"is no file in the folder of the lens\.toml or below it"):
        read_camera(tmp_path / "lens.toml")


def test_a_file_is_refused_where_no_folder_is_known() -> None:
    with pytest.raises(InputError, match=r"'mine\.toml' is no file in the folder"):
        parse_camera(text_with('preset = "mine.toml"'))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"mine\.toml: no such file; sensor\.preset is taken relative to the lens\.toml"),
        ("[sensor]\npixels = [64, 64]", 'expected the lines schema = "metalens.sensor"'),
        (dump_sensor_preset({"preset": 1}, "loop"), "a preset has no preset and no other table"),
        (dump_sensor_preset(TABLE, "two") + "[lens]\n", "no other table"),
        ('schema = "metalens.sensor"\nversion = 1\nsensor = 3', r"has no table \[sensor\]"),
        (dump_sensor_preset(TABLE | {"prnu": 1}, "typo"), "unknown key sensor.prnu"),
        (dump_sensor_preset({"bit_depth": 12}, "partial"), "missing keys sensor.pixels, "),
    ],
)
def test_a_file_that_is_no_sensor_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "mine.toml").write_text(content, encoding="utf-8")
    (tmp_path / "lens.toml").write_text(text_with('preset = "mine.toml"'), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_camera(tmp_path / "lens.toml")


@pytest.mark.parametrize("name", ['"imx999"', "3", '["ov6946"]'])
def test_an_unknown_sensor_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"sensor\.preset: no sensor .*; expected machine-vision, ov6946, a file"):
        parse_camera(text_with(f"preset = {name}"))
