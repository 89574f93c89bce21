"""``metalens pretrain``: the recipe as options, and what is refused before anything is read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from metalens.commands.pretrain import pretrain
from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture


def run(*arguments):
    return CliRunner(catch_exceptions=False).invoke(pretrain, list(map(str, arguments)))


def test_a_prior_of_the_size_that_was_asked_for(tmp_path):
    write_picture(tmp_path / "photo.png", np.random.default_rng(0).integers(0, 255, (48, 40, 3), dtype=np.uint8))
    sizes = ("--channels", "32,32", "--crop", 32, "--batch", 1, "--denoiser-crop", 32, "--denoiser-batch", 2)
    steps = ("--autoencoder-steps", 1, "--denoiser-steps", 1, "--precision", "bf16")
    folders = ("-o", tmp_path / "prior", "--work", tmp_path / "work")
    answer = json.loads(run(tmp_path / "photo.png", *folders, *sizes, *steps, "--json").stdout)
    assert answer["denoiser_steps"] == 1
    assert json.loads((tmp_path / "prior/unet/config.json").read_text())["block_out_channels"] == [32, 32]
    recipe = json.loads((tmp_path / "prior/training.json").read_text())["config"]
    assert (recipe["denoiser_batch"], recipe["precision"]) == (2, "bf16")


@pytest.mark.parametrize("channels", ["32", "32,40", "a,b", "0,32"])
def test_channels_are_multiples_of_32(tmp_path, channels):
    found = run(tmp_path, "-o", tmp_path / "p", "--work", tmp_path / "w", "--channels", channels)
    assert found.exit_code == 2
    assert "multiples of 32" in found.stderr


def test_graphs_need_a_cuda_device(tmp_path):
    budgets = ("--autoencoder-steps", 1, "--denoiser-steps", 1)
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="--cuda-graphs needs --device cuda, found --device cpu"):
        run(tmp_path / "photos", "-o", tmp_path / "p", "--work", tmp_path / "w", *budgets, "--cuda-graphs")
    assert not (tmp_path / "w").exists()
