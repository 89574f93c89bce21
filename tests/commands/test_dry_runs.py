"""What a real run refuses before it computes, a dry run refuses too, by the same sentence; neither leaves anything."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .bad_invocations import BASES
from .test_unusable_files import lens_with

PRIOR = "pretrain {photographs} -o OUT --work run --resume --autoencoder-steps 1 --denoiser-steps 1 --denoiser-crop 64"
TRAIN = "train {pairs} -o run --resume --psf {psf} --prior {prior} --crop 32 --steps 1 --quality piqe"
ZERNIKE = '{ family = "zernike", indices = [5], coefficients_rad = [3.0], radius_um = 20 }'


def as_given(_: dict[str, str]) -> None:
    """Nothing beside the inputs."""


def noted(path: str, content: object) -> Callable[[dict[str, str]], None]:
    """What a run that was interrupted has left."""

    def write(_: dict[str, str]) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content))

    return write


def phase(new: str) -> Callable[[dict[str, str]], None]:
    return lens_with('{ family = "hyperbolic", wavelength_nm = 530.0 }', new)


CASES: dict[str, tuple[Callable[[dict[str, str]], None], str, str]] = {
    "an engine that has no stop": (as_given, "psf wide-field -o OUT.h5 --engine fresnel", "Fresnel approximation"),
    "an engine without stops": (as_given, "psf wide-field -o OUT.h5 --engine direction_cosine", "a stop in front"),
    "an engine in one medium": (
        lens_with("lens = {", "lens = { cover_glass = { thickness_um = 20, index = 1.5 },"),
        "psf a.toml -o OUT.h5 --engine rayleigh_sommerfeld",
        "not behind a cover glass",
    ),
    "a grid that no memory holds": (
        lens_with("aperture_um = 40.0, focal_length_um = 100.0", "aperture_um = 60000.0, focal_length_um = 30000.0"),
        "psf a.toml -o OUT.h5 --engine angular_spectrum --window 301",
        "need a grid of",
    ),
    "functions that no memory holds": (
        as_given,
        "psf {lens} -o OUT.h5 --fields 129x129 --window 4095",
        "more than this machine's",
    ),
    "drawn functions that no memory holds": (
        as_given,
        "tolerance {lens} -o OUT --fields 25x25 --window 1001",
        "more than this machine's",
    ),
    "a ray tracer's table of a phase that is not round": (
        phase(ZERNIKE),
        "export a.toml --zemax OUT.zmx",
        "rotationally symmetric",
    ),
    "draws by another seed": (
        noted("run/run.json", {"schema": "metalens.tolerance_run", "version": 1}),
        "tolerance {lens} -o run --resume",
        "cannot be resumed",
    ),
    "meta-atoms of another library": (
        noted("OUT.h5.parts/asked.json", {"spec": "another"}),
        "library build {library} -o OUT.h5 --resume",
        "cannot be resumed",
    ),
    "candidates of another exploration": (
        noted("run/run.json", {"schema": "metalens.exploration", "version": 1}),
        "explore explore-1mm3 -o run --resume",
        "cannot be resumed",
    ),
    "a search whose checkpoint is none": (
        noted("OUT.checkpoint.npz", {}),
        "design {design} -o OUT.toml --resume",
        "no checkpoint of a search",
    ),
    "pairs of other photographs": (
        lambda given: shutil.copytree(given["pairs"], "run"),
        "synth {photographs} -o run --psf {psf} --resume",
        "none of the photographs that it was begun with",
    ),
    "a prior of other settings": (noted("run/config.json", {"batch": "another"}), PRIOR, "cannot be resumed"),
    "a training of other settings": (noted("run/settings.json", {"prior": "another"}), TRAIN, "cannot be resumed"),
    "a training whose settings are none": (noted("run/settings.json", []), TRAIN, "not a readable note of a run"),
}


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["real", "dry"])
@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_refuses_what_the_real_one_does(refused, captured: dict[str, str], name: str, dry: list[str]) -> None:
    prepare, line, word = CASES[name]
    prepare(captured)
    refused(" ".join([line, *dry]), word)


PLANS = {
    "psf": "psf {lens} -o OUT.h5 --fields 3x3 --wavelengths 1 --window 9",
    "synth": "synth {photographs} -o OUT --psf {psf} --crop 32",
    "tolerance": "tolerance {lens} -o OUT --draws 3 --fields 1x1 --window 9",
    "train": "train {pairs} -o OUT --psf {psf} --prior {prior} --crop 32 --batch 1 --steps 5 --quality piqe",
    "pretrain": "pretrain {photographs} -o OUT --work OUT.w --autoencoder-steps 9 --denoiser-steps 9 --crop 16 "
    "--denoiser-crop 16 --batch 1 --denoiser-batch 1 --channels 32,32",
    "pseudo": "pseudo {photographs} -o OUT --adapter metacamera --psf {psf} --count 3",
    "demo": "demo -o OUT --quick",
    "restore": "restore {photographs} -o OUT --psf {psf} --any-lens",
    "filter": "restore {photographs} -o OUT --psf {psf} --method wiener-joint",
    "report": "report -o OUT --psf {psf} --pairs {pairs} --restored {restored} --adapter metacamera --tune {others}",
    "bench": "bench -o OUT --psf {psf} --pairs {pairs} --test {others} --minutes-per-method 2 --methods osediff "
    "--crop 32",
    "library": "library build {library} -o OUT.h5",
    "verify": "verify {atoms} -o OUT",
    "design": "design {design} -o OUT.toml",
    "explore": "explore {explore} -o OUT",
    "align": "align {rig} -o OUT",
    "export": "export {lens} --csv OUT.csv --library si3n4-on-sio2",
    "import": "import {sites} -o OUT --like {lens} --library si3n4-on-sio2",
    "compare": "compare {lens} -o OUT --photos {photographs} --minutes 2 --crop 32",
}
"""Runs of which nothing is wrong."""


SLOW = ("verify", "library", "tolerance")
"""Whose dry runs compute supercells, meta-atoms or drawn lenses for seconds."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in SLOW else name for name in PLANS]
)
def test_a_dry_run_tells_size_time_and_memory_and_leaves_nothing(
    name: str, captured: dict[str, str], run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = [*shlex.split(PLANS[name].format(**captured)), "--dry-run"]
    status, out, err = run(*line, "--json")
    assert status == 0, err
    estimate = json.loads(out)["estimate"]
    assert min(estimate["disk_bytes"], estimate["seconds"], estimate["memory_bytes"]) > 0
    assert estimate["basis"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_dry_run_says_its_cost_in_a_line(captured: dict[str, str], run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(*shlex.split("verify {atoms} -o OUT --dry-run".format(**captured)))
    assert status == 0
    assert re.search(r"^  about [\d.]+ [kMG]?B on disk, [\d.]+ (s|min|h) and [\d.]+ [MG]B of memory \(.+\)$", out, re.M)


def test_a_dry_run_of_synth_tells_a_broken_photograph(captured: dict[str, str], run, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    shutil.copytree(captured["photographs"], folder)
    (folder / "broken.png").write_bytes(b"no picture")
    line = ["synth", folder, "-o", tmp_path / "OUT", "--psf", captured["psf"], "--crop", "32", "--dry-run", "--json"]
    status, out, err = run(*line)
    assert status == 0
    assert "skipped broken" in err
    assert [each["name"] for each in json.loads(out)["skipped"]] == ["broken"]
    status, _, err = run(*line, "--strict")
    assert status == 1
    assert "broken.png" in err


@pytest.fixture
def read_only(tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """A folder into which nobody can write. Permissions do not hold root, but a file system that is read-only does."""
    folder = tmp_path_factory.mktemp("read-only")
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not mounted:
        folder.chmod(0o555)
    if os.geteuid() == 0 and not mounted:
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != folder)
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)
    else:
        folder.chmod(0o755)


# Of verify the lens needs meta-atoms; of compare no network shall be read.
WITH_A_PLAN = {name: line for name, line in BASES.items() if line.endswith("--dry-run")} | {
    "verify dry": "verify {atoms} -o OUT --dry-run",
    "compare dry": "compare {lens} -o OUT --photos {photographs} --minutes 0 --dry-run",
    "align dry": "align {rig} -o OUT --dry-run",
    "import dry": "import {sites} -o OUT --like {lens} --library si3n4-on-sio2 --dry-run",
}


@pytest.mark.parametrize("name", WITH_A_PLAN)
def test_a_plan_is_not_told_where_nothing_can_be_written(refused, read_only: Path, name: str) -> None:
    refused(WITH_A_PLAN[name].replace("OUT", f"{read_only}/out"), f"nothing can be written into {read_only}")


def test_a_run_that_cannot_write_is_not_resumed(refused, captured: dict[str, str], read_only: Path) -> None:
    refused(f"tolerance {{lens}} -o {read_only} --dry-run", f"nothing can be written into {read_only}")
