"""``metalens sensor calibrate``: from files of flat fields to a sensor.toml that a lens.toml can name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.camera.sensor import Sensor
from metalens.formats.files.errors import InputError
from metalens.synth.sensor import expose, exposure_for

SENSOR = Sensor(
    pixels=(64, 64),
    pixel_pitch_um=2.0,
    bit_depth=12,
    full_well_e=4000.0,
    read_noise_e=6.0,
    black_level_dn=100.0,
    white_level=1.0,
)


def calibrate(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, ["sensor", "calibrate", *map(str, arguments)])


def write_flat_fields(folder: Path) -> None:
    """Pairs of 16-bit PNGs in ``flats/LEVEL/``, dark frames in ``dark/``."""
    generator = np.random.default_rng(0)
    for level in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5):
        place = folder / "flats" / f"{level}" if level else folder / "dark"
        place.mkdir(parents=True)
        for repeat in range(2):
            light = np.full((*SENSOR.pixels, 3), level, dtype=np.float32)
            frame = expose(SENSOR, light, exposure_for(SENSOR), generator)
            Image.fromarray(frame).save(place / f"{repeat}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_flat_fields(tmp_path)
    return tmp_path


def test_flats_become_a_sensor_that_a_lens_begins_with(folder: Path) -> None:
    result = calibrate(folder / "flats", "--dark", folder / "dark", "-o", folder / "sensor.toml")
    assert result.exit_code == 0, result.output
    assert "sensor.toml: K " in result.output
    assert "from 9 levels" in result.output
    head, _, tail = dump_camera(read_camera("metacamera")).partition("[sensor]")
    tail = tail[tail.index("[spectrum]") :]
    sensor = '[sensor]\npreset = "sensor.toml"\npixel_pitch_um = 2.0\n\n'
    (folder / "lens.toml").write_text(head + sensor + tail, encoding="utf-8")
    found = read_camera(folder / "lens.toml").sensor
    assert found.pixels == (64, 64)
    # 4096 pixels know a variance to 2 %.
    assert found.system_gain == pytest.approx(SENSOR.system_gain, rel=0.03)
    assert found.read_noise_e == pytest.approx(6.0, rel=0.05)
    assert found.full_well_e == pytest.approx(4000.0, rel=0.03)


def test_without_a_place_the_table_is_shown_and_json_is_one_object(folder: Path) -> None:
    shown = calibrate(folder / "flats", "--dark", folder / "dark").output
    assert "[sensor]\npixels = [64, 64]\nbit_depth = 12\n" in shown
    figures = json.loads(calibrate(folder / "flats", "--dark", folder / "dark", "--json").output)
    assert figures["output"] is None
    assert figures["levels"] == 9
    assert figures["full_well_e"] == pytest.approx(4000, rel=0.03)


def test_nothing_is_overwritten(folder: Path) -> None:
    (folder / "sensor.toml").write_text("mine")
    result = calibrate(folder / "flats", "--dark", folder / "dark", "-o", folder / "sensor.toml")
    assert isinstance(result.exception, InputError)
    assert "exists already" in str(result.exception)
    assert (folder / "sensor.toml").read_text() == "mine"


def test_several_levels_of_dark_frames_and_flats_that_do_not_do_leave_nothing_behind(folder: Path) -> None:
    result = calibrate(folder / "flats", "--dark", folder / "flats")
    assert "holds 9 levels; the dark frames are one" in str(result.exception)
    result = calibrate(folder / "flats" / "0.1", "--dark", folder / "dark", "-o", folder / "sensor.toml")
    assert "1 level of light is too few" in str(result.exception)
    assert not (folder / "sensor.toml").exists()
    assert calibrate("--dark", folder / "dark").exit_code == 2
