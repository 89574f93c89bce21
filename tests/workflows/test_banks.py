"""A camera in the place of its psf.h5: simulated once, kept by its hash, told in a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import metalens
from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError, Notice
from metalens.formats.psf.bank_file import as_bank, read_psf_bank
from metalens.psf.bank_plan import plan_bank
from metalens.psf.bank_request import BankRequest
from metalens.workflows.banks import bank_file, bank_of, is_camera, kept_bank, planned_bank
from metalens.workflows.estimate import Estimate
from metalens.workflows.simulation_estimates import with_simulations

from ..conftest import SMALL_CAMERA


@pytest.fixture
def lens(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("METALENS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "lens.toml").write_text(SMALL_CAMERA.replace("[32, 32]", "[16, 16]"))
    return tmp_path / "lens.toml"


@pytest.fixture
def quick(monkeypatch) -> None:
    """Functions of one field and a few wavelengths in the place of the defaults."""
    simulate = metalens.simulate_bank
    small = {"fields": (1, 1), "wavelengths_per_channel": 1, "window": (25, 25)}
    monkeypatch.setattr("metalens.psf.bank.simulate_bank", lambda camera, **more: simulate(camera, **(small | more)))


def test_a_preset_and_a_lens_file_are_cameras_and_a_file_of_their_name_is_not(tmp_path: Path, monkeypatch) -> None:
    assert is_camera("metacamera")
    assert is_camera(Path("somewhere/lens.toml"))
    assert not is_camera("psf.h5")
    assert not is_camera("hf:ann/pairs")
    monkeypatch.chdir(tmp_path)
    Path("metacamera").write_text("")
    assert not is_camera("metacamera")


@pytest.mark.usefixtures("quick")
def test_the_functions_of_a_camera_are_simulated_once_and_kept_by_its_hash(lens: Path) -> None:
    with pytest.warns(Notice) as told:
        path = bank_file(lens)
    assert [str(each.message).partition(":")[0] for each in told] == ["small", "small"]
    assert str(path) in str(told[0].message)
    assert path == kept_bank(read_camera(lens))
    assert read_psf_bank(path).camera == read_camera(lens)
    written = path.stat().st_mtime_ns
    assert bank_file(lens) == path
    assert bank_of(str(lens)) == path
    assert path.stat().st_mtime_ns == written
    changed = read_camera(lens).with_(lens={"defocus_um": 1.0})
    assert kept_bank(changed) != path


@pytest.mark.usefixtures("quick")
def test_a_camera_in_memory_serves_wherever_its_functions_do(lens: Path, tmp_path: Path) -> None:
    camera = read_camera(lens)
    with pytest.warns(Notice):
        path = bank_of(camera)
    assert path == bank_of(lens) == kept_bank(camera)
    clean, captured = metalens.simulate_capture(np.full((40, 60, 3), 90, np.uint8), camera)
    assert clean.shape == captured.shape == (*camera.sensor.pixels, 3)
    report = metalens.generate_pairs("embedded:train", [camera, lens], tmp_path / "pairs", count=2)
    assert report.count == 2
    assert metalens.simulate_bank(lens, fields=(1, 1)).camera == camera


@pytest.mark.parametrize("source", [3, None, [3]])
def test_what_is_neither_a_bank_nor_a_camera_is_told(source: object) -> None:
    with pytest.raises(InputError, match=r"psf: (int|NoneType); a bank, the path of a psf.h5, or a camera"):
        metalens.generate_pairs("embedded:train", source, "nowhere")  # type: ignore[arg-type]


def test_a_plan_has_a_stand_in_for_functions_that_are_not_kept(lens: Path, tmp_path: Path) -> None:
    with pytest.warns(Notice, match=r"would be simulated first and kept as"):
        stand_in = as_bank(planned_bank(lens))
    plan = plan_bank(read_camera(lens), BankRequest())
    assert stand_in.camera == read_camera(lens)
    assert stand_in.intensity.shape == (len(plan.position), 3, plan.side, plan.side)
    assert not (tmp_path / "cache").exists()
    assert planned_bank(tmp_path / "psf.h5") == tmp_path / "psf.h5"


def test_the_cost_of_a_run_holds_that_of_the_simulation_it_begins_with(lens: Path, quick: None) -> None:
    alone = Estimate(1e3, 1.0, 1e3, "one unit took 1 s", measuring=0.0)
    with pytest.warns(Notice):
        stand_in = planned_bank(lens)
    found = with_simulations(alone, [stand_in])
    assert found.disk_bytes > alone.disk_bytes
    assert found.seconds > alone.seconds
    assert found.measuring > 0
    assert with_simulations(alone, [lens.with_suffix(".h5")]) == alone


def test_a_camera_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.toml: neither a file nor a preset"):
        bank_file(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match=r"nowhere.toml: neither a file nor a preset"):
        planned_bank(tmp_path / "nowhere.toml")


@pytest.mark.usefixtures("quick")
def test_synth_takes_a_lens_in_the_place_of_its_functions(lens: Path, tmp_path: Path, run) -> None:
    given = ("synth", "embedded:train", "-o", tmp_path / "pairs", "--psf", lens, "--count", "2", "--json")
    status, out, err = run(*given, "--dry-run")
    assert status == 0, err
    plan = json.loads(out)
    assert plan["camera"] == "small"
    assert "would be simulated first" in err
    assert "; simulating the PSFs of small first takes " in plan["estimate"]["basis"]
    status, out, err = run(*given)
    assert status == 0, err
    assert "small: its point spread functions are simulated now and kept as" in err
    assert metalens.read_pairs(tmp_path / "pairs").manifest.lens_hashes == [read_camera(lens).hash]
    # The functions are kept by now.
    report = metalens.generate_pairs("embedded:train", lens, tmp_path / "more", count=1, pixels=(8, 8))
    assert report.made == 1
