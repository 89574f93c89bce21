"""What a real run refuses before it computes, a dry run refuses too, by the same sentence; neither leaves anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ..restore.conftest import bank, camera, prior_folder
from .refusing import begun, refused
from .test_align import rig
from .test_attacks import lens_with
from .test_full_disk import captured, given, write_captures

__all__ = ["bank", "begun", "camera", "captured", "given", "prior_folder", "refused", "rig", "write_captures"]

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
        "psf a.toml -o OUT.h5 --engine angular_spectrum --window 9",
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
    "a training of other settings": (noted("run/settings.json", {"prior": "another"}), TRAIN, "cannot be resumed"),
    "a training whose settings are none": (noted("run/settings.json", []), TRAIN, "not a readable note of a run"),
}


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["real", "dry"])
@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_refuses_what_the_real_one_does(refused, captured: dict[str, str], name: str, dry: list[str]) -> None:
    prepare, line, word = CASES[name]
    prepare(captured)
    refused(" ".join([line, *dry]), word)
