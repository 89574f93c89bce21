"""``metalens design``: from a specification to a lens.toml and its report; and what it refuses."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.commands.design import fields_left_out, loss_text
from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import design_names, parse_design, read_design
from metalens.formats.files.errors import InputError

SPEC = """
schema = "metalens.design"
version = 1
name = "small"
description = "A lens as small as a test."

[camera]
base = "hyperbolic"
lens = { aperture_um = 20.0, focal_length_um = 60.0 }
sensor = { pixels = [40, 40], pixel_pitch_um = 2.0 }
spectrum = { wavelengths_per_channel = 1 }

[variables]
family = "even_polynomial"
terms = 3

[start]
families = ["hyperbolic"]
wavelengths_nm = [511.0]
steps = 1

[sampling]
fields_deg = [0.0, 12.0]
window_pixels = 15

[[objectives]]
kind = "mtf"
reduction = "soft_worst"

[search]
steps = 4
"""


def design(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, ["design", *map(str, arguments)])


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "design.toml").write_text(SPEC, encoding="utf-8")
    return tmp_path / "design.toml"


def test_a_specification_becomes_a_lens_and_a_report(spec: Path) -> None:
    output, folder = spec.with_name("lens.toml"), spec.with_name("report")
    result = design(spec, "-o", output, "--report", folder, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    camera = read_camera(output)
    assert told["lens_hash"] == camera.hash
    assert told["finished"] is True
    assert told["steps"] == 2 + 4
    assert list(told["contrast"]) == ["red", "green", "blue"]
    assert camera.description.startswith("A lens as small as a test. Designed by metalens design from small")
    assert sorted(path.name for path in folder.iterdir()) == [
        "comparison.png",
        "history.png",
        "lens.png",
        "report.json",
        "report.md",
    ]
    found = json.loads((folder / "report.json").read_text())
    assert found["lenses"]["designed"] == told["lenses"]["designed"]
    assert found["fields_deg"] == [0.0, 6.0, 12.0]
    # It began with the hyperbolic lens for green and kept the best.
    assert found["loss"] <= found["loss_hyperbolic"] + 0.2
    text = (folder / "report.md").read_text()
    assert "| worst Strehl ratio over field and wavelength |" in text
    assert text.count("| 12° |") == 4
    # A table begins behind an empty line, or Markdown takes it for text.
    assert not re.search(r"^[^|\n].*\n\|", text, re.MULTILINE)


def test_a_sensor_that_reaches_farther_than_the_fields_is_told() -> None:
    """Half of 40 × 40 pixels of 2 µm, 56.6 µm, over a focal length of 60 µm: atan 0.943 = 43.3°."""
    spec = parse_design(SPEC)
    assert fields_left_out(spec, spec.camera) == (
        "; its figures end at 12°, the sensor's corner lies at 43.3°: extend fields_deg, or psf shows what is beyond"
    )
    wide = parse_design(SPEC.replace("12.0]", "36.0]"))
    assert fields_left_out(wide, wide.camera) == ""


def test_a_dry_run_says_what_would_be_done_and_does_nothing(spec: Path) -> None:
    output = spec.with_name("lens.toml")
    shown = design(spec, "-o", output, "--dry-run").output
    assert "would design small (20 µm at 60 µm)" in shown
    assert "3 variables from 1 starts, at most 6 steps of 6 point spread functions" in shown
    plan = json.loads(design(spec, "-o", output, "--dry-run", "--json").stdout)
    assert plan["starts"] == ["hyperbolic 511 nm"]
    assert plan["wavelengths_nm"] == pytest.approx([455, 530, 620])
    assert [path.name for path in spec.parent.iterdir()] == ["design.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report", "."], "the output folder is not empty"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(spec: Path, arguments: list[str], message: str) -> None:
    arguments = [str(spec.parent) if each == "." else each for each in arguments]
    result = design(spec, "-o", spec.with_name("lens.toml"), *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert [path.name for path in spec.parent.iterdir()] == ["design.toml"]


def test_a_specification_that_contradicts_itself_is_refused_before_work(spec: Path) -> None:
    spec.write_text(SPEC.replace("[0.0, 12.0]", "[0.0, 60.0]"), encoding="utf-8")
    result = design(spec, "-o", spec.with_name("lens.toml"))
    assert isinstance(result.exception, InputError)
    assert "lies beyond the sensor" in str(result.exception)


def test_another_seed_is_another_specification(spec: Path) -> None:
    plans = [
        json.loads(design(spec, "-o", spec.with_name("lens.toml"), "--dry-run", "--json", *seed).stdout)
        for seed in ([], ["--seed", "7"])
    ]
    assert plans[0]["spec_hash"] != plans[1]["spec_hash"]


def test_the_help_names_exactly_the_shipped_specifications() -> None:
    text = " ".join(design("--help").output.split())
    listed = text.partition("Included: ")[2].partition(".")[0].split(", ")
    assert listed == [name for name in design_names() if read_design(name).explore is None]


def test_the_loss_of_a_restored_picture_is_told_in_decibels() -> None:
    restored = read_design("metacamera")
    assert loss_text(restored, math.log(1e-3)) == "loss -6.9078 (restored, expected: 30.00 dB)"
    two = restored.with_(objectives=[{"kind": "restoration"}, {"kind": "strehl"}])
    assert loss_text(two, 1.0) == "loss 1.0000"


def test_a_problem_inside_an_array_is_told_alone(spec: Path) -> None:
    spec.write_text(spec.read_text().replace('kind = "mtf"', 'kind = "captured"\nexposure_f_number = -2'))
    result = design(str(spec), "-o", str(spec.with_name("out.toml")))
    assert "objectives.0.exposure_f_number: expected more than 0, found -2." in str(result.exception)
