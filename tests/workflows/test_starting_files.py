"""Files to begin with: the reader of each kind accepts them, and so does the command that they name."""

from __future__ import annotations

import json
import shlex
import tomllib

import pytest

from metalens.formats.camera.camera import read_camera
from metalens.formats.camera.sensor_preset import read_sensor_preset
from metalens.formats.captures.pinhole_captures import read_capture_set
from metalens.formats.design.spec import read_design
from metalens.formats.design.tolerance_spec import TYPICAL, read_tolerance_spec
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.spec import read_library_spec
from metalens.restore.training.config import TrainConfig, read_train_config
from metalens.workflows.estimate import Estimate
from metalens.workflows.starting_files import KINDS, starting_text, write_starting_file

from ..commands.conftest import given
from ..restore.conftest import bank, camera, prior_folder

__all__ = ["bank", "camera", "given", "prior_folder"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a file of a kind into an empty folder, which is then the current one."""
    monkeypatch.chdir(tmp_path)
    return lambda kind: write_starting_file(kind, tmp_path / f"my-{kind}")


def test_a_lens_is_a_camera_of_that_name(written):
    camera = read_camera(written("lens"))
    assert camera.name == "my-lens"
    assert camera == read_camera("hyperbolic").with_(name="my-lens", description="")


def test_a_design_is_the_shipped_one_under_that_name(written):
    design = read_design(written("design"))
    assert design.name == design.camera.name == "my-design"
    assert design.objectives == read_design("held").objectives


def test_tolerances_are_the_typical_ones_of_every_lens_with_a_limit(written):
    found = read_tolerance_spec(written("tolerances"))
    assert "defocus_um" in found.errors.terms
    assert found.errors.terms.items() <= TYPICAL.errors.terms.items()
    assert found.limits.given == {"strehl_ratio": 0.01}


def test_a_library_is_described(written):
    assert read_library_spec(written("library"))[0].name == "my-library"


def test_a_lens_can_begin_with_the_sensor(written, tmp_path):
    written("sensor")
    lens = written("lens")
    text = lens.read_text().replace("[sensor]\n", '[sensor]\npreset = "my-sensor.toml"\n')
    lens.write_text(text)
    assert read_sensor_preset("my-sensor.toml", tmp_path) == read_sensor_preset("ov6946")
    assert read_camera(lens).sensor.prnu_percent == read_sensor_preset("ov6946")["prnu_percent"]


def test_captures_are_listed(written):
    assert [each.file for each in read_capture_set(written("captures")).captures] == [
        "pinhole_centre.npy",
        "pinhole_10deg.npy",
    ]


def test_a_recipe_leaves_the_defaults_as_they_are(written):
    assert read_train_config(written("train"), {}) == TrainConfig()


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_explained(kind):
    lines = starting_text(kind, "a").splitlines()
    values = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    bare = [lines[number] for number in values if not lines[number - 1].startswith("#")]
    # The schema, the name of a base, and the entries of lists after the first, which is explained.
    allowed = ("schema", "version", "preset", "name", "centre_nm", "fwhm_nm", "file", "field_deg", "azimuth_deg")
    assert [line for line in bare if line.split(" = ")[0] not in allowed] == []


DRY_RUNS = {
    "lens": "psf my-lens.toml -o my-lens.h5 --fields 3x3 --wavelengths 1",
    "design": "design my-design.toml -o my-design-lens.toml",
    "tolerances": "tolerance {lens} --spec my-tolerances.toml -o my-tolerances",
    "library": "library build my-library.toml -o my-library.h5",
    "train": "train {pairs} -o out --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe "
    "--config my-train.toml",
}


SLOW = ("library", "lens")
"""Whose dry runs compute meta-atoms or functions for seconds."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long) if kind in SLOW else kind for kind in DRY_RUNS]
)
def test_the_command_that_reads_it_would_run(run, written, given, kind, monkeypatch):
    cost = Estimate(1e6, 2.0, 1e9, "not measured here: a lens of this size takes seconds")
    monkeypatch.setattr("metalens.workflows.simulation_estimates.bank_estimate", lambda *_: cost)
    path = written(kind)
    assert DRY_RUNS[kind].split()[0] == KINDS[kind].read_by.split()[1]
    status, out, err = run(*shlex.split(DRY_RUNS[kind].format(**given)), "--dry-run", "--json")
    assert status == 0, err
    json.loads(out)
    assert list(path.parent.iterdir()) == [path]


def test_the_command_writes_the_file_and_names_the_next_one(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = run("init", "lens", "thin", "--json")
    assert status == 0
    told = json.loads(out)
    assert told == {"output": "thin.toml", "kind": "lens", "read_by": "metalens psf thin.toml -o thin.h5 --dry-run"}
    assert tomllib.loads((tmp_path / "thin.toml").read_text())["name"] == "thin"
    status, out, _ = run("init", "captures", tmp_path / "captures.toml")
    assert status == 0
    assert (tmp_path / "captures.toml").is_file()
    assert "metalens psf measured" in out


def test_what_is_there_stays_and_nothing_is_left_half_written(tmp_path):
    (tmp_path / "a.toml").write_text("mine")
    with pytest.raises(InputError, match=r"a\.toml"):
        write_starting_file("lens", tmp_path / "a")
    assert (tmp_path / "a.toml").read_text() == "mine"
    for kind, name, word in (("lens", "no/a", "folder"), ("lens", "ä b", "no name"), ("glass", "b", "'glass'")):
        with pytest.raises(InputError, match=word):
            write_starting_file(kind, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
