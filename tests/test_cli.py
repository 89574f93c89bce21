"""The command line: one sentence and an exit status for whatever is wrong, JSON on stdout and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import dump_camera, read_camera
from metalens.formats.pictures.pictures import write_picture
from metalens.workflows.estimate import Estimate


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A folder with a small camera, quick to simulate, and its bank."""
    folder = tmp_path_factory.mktemp("simulated")
    text = dump_camera(read_camera("metacamera"))
    text = text.replace("pixels = [400, 400]", "pixels = [64, 64]")
    text = text.replace("wavelengths_per_channel = 9", "wavelengths_per_channel = 1")
    (folder / "lens.toml").write_text(text)
    words = ["psf", str(folder / "lens.toml"), "-o", str(folder / "psf.h5"), "--fields", "3x3", "--json"]
    result = CliRunner().invoke(metalens, words, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["camera"] == "metacamera"
    assert 0.9 < told["captured_share_lowest"] <= told["captured_share_mean"] <= 1
    assert told["wavelengths"] == 3
    assert len(told["channel_energy"]) == 3
    return folder


@pytest.fixture
def lens(simulated, tmp_path) -> Path:
    return shutil.copy(simulated / "lens.toml", tmp_path / "lens.toml")


@pytest.fixture
def psf(simulated, tmp_path) -> Path:
    return shutil.copy(simulated / "psf.h5", tmp_path / "psf.h5")


@pytest.fixture
def photograph(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(40, 200, (80, 90, 3), dtype=np.uint8)
    for name in ("a", "b"):
        write_picture(folder / f"{name}.png", picture)
    return folder


def refused(result: tuple[int, str, str], *parts: str, status: int = 1) -> None:
    """The command failed with one sentence that holds these parts, and printed nothing on stdout."""
    found, out, err = result
    assert found == status
    assert out == ""
    message = err.strip().splitlines()[-1]
    assert "Traceback" not in err
    for part in parts:
        assert part in message


def test_a_lens_that_is_neither_file_nor_preset(run, tmp_path):
    refused(
        run("psf", "metacamra", "-o", tmp_path / "psf.h5"), "metacamra", "neither a file nor a preset", "nano-optics"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("aperture_um", "aperture_mm", ["aperture_mm", "unit"]),
        ("aperture_um = 110.0", "aperture_um = -110.0", ["lens.aperture_um", "more than 0", "-110"]),
        ("aperture_um = 110.0", "aperture_um = nan", ["lens.aperture_um", "finite"]),
        ('family = "even_polynomial"', 'family = "spherical"', ["lens.phase", "spherical"]),
        ("[lens]", "[lens", ["not valid TOML"]),
        ("version = 1", "version = 2", ['schema = "metalens.camera" and version = 1']),
    ],
)
def test_a_lens_file_with_a_mistake(run, lens, tmp_path, old, new, parts):
    lens.write_text(lens.read_text().replace(old, new, 1))
    refused(run("psf", lens, "-o", tmp_path / "psf.h5"), "lens.toml", *parts)
    assert not (tmp_path / "psf.h5").exists()


def test_an_output_whose_folder_does_not_exist(run, lens, tmp_path):
    refused(run("psf", lens, "-o", tmp_path / "no" / "psf.h5"), "does not exist; make it first")


def test_wrong_use_ends_with_status_2(run, tmp_path):
    assert run("psf", "metacamera")[0] == 2
    assert run("psf", "metacamera", "-o", tmp_path / "p.h5", "--fields", "seven")[0] == 2
    assert run("restore", "x.png", "-o", tmp_path / "r", "--alpha", "much")[0] == 2
    assert run("unheard-of")[0] == 2
    assert run("pseudo", "photos", "-o", tmp_path / "pseudo")[0] == 2, "pseudo pairs need an adapter that is named"


def test_a_window_that_cuts_off_light_says_how_much(run, lens, tmp_path):
    refused(run("psf", lens, "-o", tmp_path / "psf.h5", "--window", "5"), "window", "%")


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ("1x1", "1×1 fields (the same everywhere)"),
        ("3x3", "3×3 fields (too few to tell the error between them: give more nodes, or leave out --fields"),
        ("7x7", "7×7 fields (about "),
    ],
)
def test_the_error_between_nodes_that_were_asked_for_is_told(run, lens, tmp_path, nodes, told):
    status, out, _ = run("psf", lens, "-o", tmp_path / "psf.h5", "--fields", nodes, "--wavelengths", "1")
    assert status == 0
    assert told in out


def test_a_small_window_is_a_warning_on_stderr_alone(run, lens, tmp_path):
    options = ("--fields", "1x1", "--window", "17", "--json")
    status, out, err = run("psf", lens, "-o", tmp_path / "psf.h5", *options)
    assert status == 0
    (line,) = (each for each in err.splitlines() if "warning" in each)
    assert line.split("\r")[-1].startswith("metalens: warning: psf: a window of 17 × 17 samples")
    assert json.loads(out)["window"] == [17, 17]


def test_psf_simulates_a_lens_that_is_a_file_or_a_preset_with_or_without_the_word(run, lens, tmp_path, monkeypatch):
    cost = Estimate(1e6, 2.0, 1e9, "not measured here")
    monkeypatch.setattr("metalens.workflows.simulation_estimates.bank_estimate", lambda *_: cost)
    options = ("-o", tmp_path / "psf.h5", "--fields", "3x5", "--dry-run", "--json")
    for place in (lens, "metacamera"):
        plans = [
            run("psf", place, *options),
            run("psf", *options, place),
            run("psf", "simulate", place, *options),
        ]
        assert {status for status, _, _ in plans} == {0}
        assert [json.loads(out)["fields"] for _, out, _ in plans] == [[3, 5]] * 3
        assert len({out for _, out, _ in plans}) == 1


def test_a_lens_file_that_has_the_name_of_a_command_of_psf_is_given_with_its_folder(run, lens, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lens.rename("simulate")
    status, out, err = run("psf", "./simulate", "-o", "psf.h5", "--dry-run", "--json")
    assert status == 0, err
    assert json.loads(out)["camera"] == "metacamera"
    refused(run("psf", "simulate", "-o", "psf.h5", "--dry-run"), "Missing argument 'LENS'", status=2)


@pytest.mark.parametrize("words", [["psf"], ["psf", "simulate"]], ids=" ".join)
def test_a_mistake_in_an_option_of_psf_names_the_help_of_the_form_that_was_used(run, words):
    said = run(*words, "metacamera", "-o", "psf.h5", "--jsn")
    told = f"metalens: No such option '--jsn'; did you mean '--json'; see metalens {' '.join(words)} --help.\n"
    assert said == (2, "", told)


def test_a_dry_run_of_psf_tells_the_fields_that_it_may_need(run, lens, tmp_path):
    status, out, err = run("psf", lens, "-o", tmp_path / "psf.h5", "--dry-run")
    assert status == 0, err
    assert "on 7×7 fields, at most 25×25 fields if interpolation" in out
    status, out, err = run("psf", lens, "-o", tmp_path / "psf.h5", "--dry-run", "--json")
    told = json.loads(out)
    assert (told["fields"], told["finer_fields"]) == ([7, 7], [[13, 13], [25, 25]])


def test_a_platform_on_which_jax_cannot_compute_is_one_sentence(tmp_path):
    command = [sys.executable, "-m", "metalens.cli", "psf", "metacamera", "-o", "psf.h5", "--dry-run"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"JAX_PLATFORMS": "nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("metalens: JAX_PLATFORMS=nothing: JAX cannot compute on it here")
    assert len(run.stderr.splitlines()) == 1


def test_waiting_threads_sleep_unless_the_user_says_otherwise(run, monkeypatch):
    """PyTorch reads it when it is imported, which commands do later."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "active"


# tests/commands/test_dry_runs.py has it of every command.
@pytest.mark.long
def test_dry_runs_write_nothing(run, lens, psf, photograph, tmp_path):
    before = sorted(tmp_path.iterdir())
    for arguments in (
        ("psf", lens, "-o", tmp_path / "other.h5", "--dry-run", "--json"),
        ("synth", photograph, "-o", tmp_path / "pairs", "--psf", psf, "--dry-run", "--json"),
    ):
        status, out, err = run(*arguments)
        assert status == 0, err
        json.loads(out)
    assert sorted(tmp_path.iterdir()) == before


def test_pairs_are_made_resumed_and_guarded(run, psf, photograph, tmp_path):
    arguments = ("synth", photograph, "-o", tmp_path / "pairs", "--psf", psf, "--count", "3", "--json")
    status, out, err = run(*arguments)
    assert status == 0, err
    assert json.loads(out)["made"] == 3
    refused(run(*arguments), "pairs", "not empty", "--resume")
    assert json.loads(run(*arguments, "--resume")[1])["made"] == 0
    refused(run("synth", photograph, "-o", tmp_path / "p", "--psf", photograph / "a.png"), "a.png", "HDF5")
    refused(run("synth", tmp_path / "none", "-o", tmp_path / "p", "--psf", psf), "none")
    (photograph / "c.png").write_text("no picture")
    refused(run("synth", photograph, "-o", tmp_path / "p", "--psf", psf, "--strict"), "c.png")
    status, out, err = run("synth", photograph, "-o", tmp_path / "q", "--psf", psf, "--json")
    assert [each["name"] for each in json.loads(out)["skipped"]] == ["c"]


# tests/restore/training/test_training_refusals.py has it of the training itself.
@pytest.mark.long
def test_pairs_of_another_lens_are_refused_before_training(run, psf, lens, photograph, tmp_path):
    assert run("synth", photograph, "-o", tmp_path / "pairs", "--psf", psf)[0] == 0
    lens.write_text(lens.read_text().replace("aperture_um = 110.0", "aperture_um = 100.0"))
    assert run("psf", lens, "-o", tmp_path / "other.h5", "--fields", "3x3")[0] == 0
    result = run("train", tmp_path / "pairs", "-o", tmp_path / "adapter", "--psf", tmp_path / "other.h5", "--steps", 1)
    refused(result, "made for camera", "give the bank that the pairs were made with")
    assert not (tmp_path / "adapter").exists()


def test_training_needs_a_budget(run, psf, photograph, tmp_path):
    assert run("synth", photograph, "-o", tmp_path / "pairs", "--psf", psf)[0] == 0
    result = run("train", tmp_path / "pairs", "-o", tmp_path / "adapter", "--psf", psf)
    refused(result, "training: needs --steps or --minutes")
    assert not (tmp_path / "adapter").exists()


def test_captures_and_adapters_that_cannot_be_used(run, photograph, tmp_path):
    refused(run("restore", tmp_path / "none.png", "-o", tmp_path / "r"), "none.png", "no such file")
    refused(run("restore", photograph, "-o", tmp_path / "r", "--adapter", "nowhere"), "nowhere", "is not an adapter")
    refused(run("restore", photograph, "-o", tmp_path / "r", "--alpha", "nan"), "--alpha", "'nan'", status=2)
    refused(
        run("restore", photograph, "-o", tmp_path / "r", "--adapter", "metacamera-200um", "--consistent"),
        "--consistent needs",
    )
    (photograph / "c.png").write_text("no picture")
    refused(run("restore", photograph / "c.png", "-o", tmp_path / "r"), "c.png")
    assert not (tmp_path / "r").exists()


def test_an_interrupt_is_one_sentence(run, lens, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("metalens.psf.bank.simulate_bank", interrupt)
    refused(run("psf", lens, "-o", tmp_path / "psf.h5"), "interrupted", status=130)
    assert not (tmp_path / "psf.h5").exists()


def test_a_full_disk_is_one_sentence(run, lens, tmp_path, monkeypatch):
    import errno

    import h5py

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(h5py, "File", full)
    refused(run("psf", lens, "-o", tmp_path / "psf.h5", "--fields", "1x1"), "No space left on device")
    assert [entry.name for entry in tmp_path.iterdir()] == ["lens.toml"]


def test_an_error_that_nothing_foresaw_is_one_sentence_and_a_file(run, monkeypatch, tmp_path):
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("a\x1b[2J\nb")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("metalens.cli.metalens.main", fail)
    status, out, err = run("psf", "metacamera", "-o", tmp_path / "psf.h5")
    assert (status, out) == (1, "")
    (kept,) = tmp_path.glob("metalens-error-*.txt")
    assert err == (
        "metalens: this is a bug in metalens (RuntimeError: a\\x1b[2J\\nb); report it with the command that you "
        f"gave and the file {kept}, which holds the details.\n"
    )
    assert "Traceback" in kept.read_text()


def test_names_are_printed_on_one_line_without_control(run, tmp_path):
    status, _, err = run("psf", "x\nmetalens: done\x1b[31m.toml", "-o", tmp_path / "psf.h5")
    assert status == 1
    assert err.startswith("metalens: x\\nmetalens: done\\x1b[31m.toml: ")
    assert err.count("\n") == 1


LOST_IN_A_LIBRARY = """
import signal
from metalens import cli
from metalens.formats.files.errors import InputError

def read(**words):
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        raise InputError("weights: cannot be read.")

cli.metalens.main = read
cli.main()
"""


def test_an_interrupt_that_a_library_takes_for_a_damaged_file_is_an_interrupt():
    ended = subprocess.run([sys.executable, "-c", LOST_IN_A_LIBRARY], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr.startswith("metalens: interrupted")
    assert "weights" not in ended.stderr
