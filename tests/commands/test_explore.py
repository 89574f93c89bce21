"""``metalens explore``: from an envelope to the best lens and its report; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from metalens.cli import metalens
from metalens.formats.camera.camera import read_camera
from metalens.formats.design.spec import design_names, parse_design, read_design
from metalens.formats.files.errors import InputError

from .test_design import SPEC

EXPLORE = """
[explore]
candidates = 2
refine = 0.0
seed = 2

[explore.range]
pupil_um = [16, 20]

# The opening's inner diameter is larger than most of these pupils: such a candidate fails.
[[explore.choices]]
name = "annulus"
camera = { lens = { aperture = { shape = "annulus", inner_diameter_um = 19.9 } } }

[[explore.choices]]
name = "disc"
"""


HELD = "26d21757b95351c03dc762cd704a20cf608e3a651a389fad848e269ee12109ff"
"""Hash of the specification `held` before there was a table [explore]."""


def explore(*arguments: object) -> Result:
    return CliRunner().invoke(metalens, ["explore", *map(str, arguments)])


def written(folder: Path, text: str) -> Path:
    (folder / "design.toml").write_text(text, encoding="utf-8")
    return folder / "design.toml"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return written(tmp_path, SPEC.replace("steps = 4", "steps = 1") + EXPLORE)


def test_an_envelope_becomes_a_lens_and_a_report(spec: Path) -> None:
    """The search and the measurement of one small lens are compiled here: some seconds."""
    folder = spec.with_name("found")
    result = explore(spec, "-o", folder)
    assert result.exit_code == 0, result.output
    told = json.loads((folder / "report.json").read_text())
    failed, able = told["candidates"]
    assert failed["architecture"]["choice"] == "annulus"
    assert "inner_diameter_um 19.9 must be less than" in failed["failed"]
    assert able["figures"]["lens_hash"] == read_camera(folder / "best.toml").hash
    assert able["figures"]["restored_db"] > able["figures"]["captured_db"]
    assert able["figures"]["light"] == pytest.approx(able["figures"]["f_number"] ** -2)
    text = (folder / "report.md").read_text()
    assert "inner_diameter_um 19.9 must be less than" in text
    assert "the networks do not know.\n\n" in text
    assert (folder / "pareto.png").stat().st_size > 1000
    last = result.output.strip().splitlines()[-1]
    # The progress bar stands in the same line, as both streams are one here.
    assert "best is candidate 1: " in last
    assert last.endswith(f"in {folder / 'best.toml'}")
    assert "\\n" not in result.output


@pytest.mark.long
def test_cameras_with_refractive_surfaces_are_explored(tmp_path: Path) -> None:
    glass = "{ thickness_um = 20.0, clear_diameter_um = 40.0, radius_of_curvature_um = 60.0, index = 1.5 }"
    text = SPEC.replace("focal_length_um = 60.0", f"focal_length_um = 60.0, surfaces = [{glass}]")
    text = text.replace("steps = 4", "steps = 1").replace('families = ["hyperbolic"]', 'families = ["camera"]')
    folder = tmp_path / "found"
    result = explore(written(tmp_path, text + EXPLORE.partition("# The")[0]), "-o", folder, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads((folder / "report.json").read_text())
    for each in told["candidates"]:
        assert each["figures"]["track_length_um"] == 80.0
        assert each["figures"]["restored_db"] > each["figures"]["captured_db"]
    assert len(read_camera(folder / "best.toml").lens.surfaces) == 1


@pytest.mark.long  # two processes are started and compile the same simulation again
def test_two_workers_find_what_one_does(tmp_path: Path) -> None:
    text = SPEC.replace("steps = 4", "steps = 1") + EXPLORE.partition("# The")[0]
    text = text.replace("candidates = 2", "candidates = 3").replace("refine = 0.0", "refine = 0.4")
    spec = written(tmp_path, text)
    found = []
    for workers in (1, 2):
        folder = tmp_path / f"{workers}"
        assert explore(spec, "-o", folder, "--workers", workers).exit_code == 0
        candidates = json.loads((folder / "report.json").read_text())["candidates"]
        found.append([{key: value for key, value in each.items() if key != "seconds"} for each in candidates])
        lenses = {path.name: path.read_bytes() for path in (folder / "candidates").iterdir()}
        found.append(lenses)
    assert found[:2] == found[2:]
    assert len(found[1]) == 3


@pytest.mark.long
def test_a_dry_run_says_what_would_be_tried_and_does_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "found"
    shown = explore("explore-1mm3", "-o", folder, "--dry-run", "--candidates", 8).output
    assert "8 candidates, the first 4 over the whole envelope, the others near the Pareto front" in shown
    plan = json.loads(explore("explore-1mm3", "-o", folder, "--dry-run", "--json").stdout)
    assert plan["choices"] == ["no stop", "stop in air", "stop on glass", "multi-order"]
    assert len(plan["architectures"]) == 16
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPEC, "has no table [explore]"),
        (SPEC + EXPLORE.replace("[16, 20]", "[20, 16]"), "range.pupil_um begins at 20 and ends at 16"),
        (SPEC + "[explore.envelope]\ntrack_length_um = 10\n", "envelope.track_length_um by 0.00%"),
        (SPEC + "[explore]\ncolour = 1\n", "unknown key explore.colour"),
        (SPEC.replace("mtf", "uniformity").replace("0.0, 12.0", "0.0") + EXPLORE, "objectives[0] compares fields"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path, text: str, message: str) -> None:
    result = explore(written(tmp_path, text), "-o", tmp_path / "found")
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["design.toml"]


def test_design_points_to_explore(spec: Path) -> None:
    result = CliRunner().invoke(metalens, ["design", str(spec), "-o", str(spec.with_name("lens.toml"))])
    assert isinstance(result.exception, InputError)
    assert "has a table [explore], so its architecture is free; use metalens explore" in str(result.exception)


def test_a_specification_without_the_table_keeps_its_hash() -> None:
    assert read_design("held").hash == HELD
    assert parse_design(SPEC + EXPLORE).hash != parse_design(SPEC).hash


def test_the_help_names_exactly_the_shipped_explorations() -> None:
    text = " ".join(explore("--help").output.split())
    listed = text.partition("Included: ")[2].partition(".")[0].split(", ")
    assert listed == [name for name in design_names() if read_design(name).explore is not None]
