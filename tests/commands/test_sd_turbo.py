"""The documented command with ``--prior stabilityai/sd-turbo``, on a narrow checkpoint of the same four levels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.cli import metalens
from metalens.formats.camera.camera import read_camera
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import read_pairs
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.adapter.adapter_file import describe_adapter

from ..restore.conftest import textured, write_pairs
from ..restore.prior.turbo_checkpoint import write_turbo


@pytest.fixture(scope="module")
def turbo(tmp_path_factory):
    """The folder of the prior."""
    return write_turbo(tmp_path_factory.mktemp("prior") / "sd-turbo", levels=4)


@pytest.fixture
def given(tmp_path):
    """Makes a folder with ``psf.h5``, ``pairs/`` and ``photos/`` of a size."""

    def make(side):
        folder = tmp_path / "given"
        (folder / "photos").mkdir(parents=True)
        preset = read_camera("metacamera")
        camera = preset.model_copy(update={"sensor": preset.sensor.model_copy(update={"pixels": (side, side)})})
        intensity = np.zeros((2, 2, 3, 5, 5), dtype=np.float32)
        intensity[..., 1:4, 1:4] = 1 / 9
        write_psf_bank(folder / "psf.h5", grid_bank_of_functions(camera, intensity, {"engine": "made up"}))
        pictures = textured(3, pixels=(side, side))
        write_pairs(folder / "pairs", camera, pictures[:2], sources=2)
        write_picture(folder / "photos" / "a.png", pictures[2])
        (folder / "few.toml").write_text(
            '[training]\nbatch = 1\nvalidation_batches = 1\nvalidation_pictures = 1\njudge = "alex"\n'
        )
        return folder

    return make


def run(*words):
    result = CliRunner().invoke(metalens, [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("side", "options"),
    [
        (64, ("--crop", 64)),
        # Long: a step at the default crop has 16 times the pixels.
        pytest.param(256, (), marks=pytest.mark.long),
    ],
)
def test_it_trains_makes_pseudo_pairs_and_restores(turbo, given, tmp_path, side, options):
    inputs = given(side)
    adapter, pseudo, restored = (tmp_path / name for name in ("adapter", "pseudo", "restored"))
    summary = run(
        *("train", inputs / "pairs", "-o", adapter, "--psf", inputs / "psf.h5", "--steps", 1),
        *("--prior", turbo, "--unet-rank", 32, "--encoder-rank", 16, "--precision", "bf16", *options),
        *("--config", inputs / "few.toml", "--quality", "piqe"),
    )
    assert (summary["config"]["crop"], summary["steps"], summary["skipped_steps"]) == (side, 1, 0)
    assert describe_adapter(adapter)["prior"]["name"] == str(turbo)
    run("pseudo", inputs / "photos", "-o", pseudo, "--adapter", adapter, "--count", 1)
    clean, degraded = read_pairs(pseudo)[0]
    assert clean.shape == degraded.shape == (side, side, 3)
    rows = run("restore", pseudo, "-o", restored, "--adapter", adapter, "--alpha", "0.75")["restored"]
    assert read_picture(rows[0]["restored"]).shape == (side, side, 3)


def test_pairs_smaller_than_the_default_crop_are_told_with_both_sizes(turbo, given, tmp_path):
    inputs = given(64)
    words = [
        "train",
        inputs / "pairs",
        "-o",
        tmp_path / "a",
        "--psf",
        inputs / "psf.h5",
        "--steps",
        1,
        "--prior",
        turbo,
    ]
    with pytest.raises(InputError, match=r"frames of 64 pixels are smaller than the crop of 256; lower --crop"):
        CliRunner().invoke(metalens, list(map(str, words)), catch_exceptions=False)
    assert not (tmp_path / "a").exists()
