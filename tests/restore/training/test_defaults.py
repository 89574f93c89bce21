"""What a recipe leaves open follows from the prior and the perceptual metric; what it gives stays."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from metalens.restore.prior.networks import AutoencoderKL, UNet2DConditionModel
from metalens.restore.prior.prior import Prior
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training import defaults
from metalens.restore.training.config import TrainConfig, read_train_config
from metalens.restore.training.defaults import default_config


@pytest.fixture(scope="module")
def sd_turbo() -> Prior:
    """Shapes of SD-Turbo without numbers."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280, 1280), attention_head_dim=(5, 10, 20, 20), cross_attention_dim=1024
        )
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
        )
    return Prior("sd-turbo", vae, unet, torch.ones(1000), "epsilon", {})


def test_the_embedded_prior_has_the_defaults_of_the_record():
    assert default_config(load_prior("embedded"), "st-lpips") == TrainConfig(perceptual="st-lpips")


def test_sd_turbo_has_crops_that_it_can_halve_and_the_published_rate(sd_turbo):
    config = default_config(sd_turbo, "st-lpips")
    assert config.crop % sd_turbo.size_multiple == 0
    assert (config.crop, config.learning_rate) == (256, 2e-5)
    assert (config.l2_weight, config.perceptual_weight) == (40, 1)


def test_lpips_has_the_published_weights_wherever_it_is_found(sd_turbo, monkeypatch):
    config = default_config(sd_turbo, "lpips")
    assert (config.l2_weight, config.perceptual_weight) == (2, 5)
    monkeypatch.setattr(defaults, "perceptual_metric", lambda wanted: "lpips" if wanted == "auto" else wanted)
    assert default_config(sd_turbo).l2_weight == 2
    assert default_config(sd_turbo, "st-lpips").l2_weight == 40


def test_what_a_recipe_or_an_option_gives_stays(sd_turbo, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('[training]\ncrop = 128\nl2_weight = 3\nperceptual = "lpips"\n')
    options = {"training.learning_rate": 1e-3}
    config = read_train_config(path, options, defaults=partial(default_config, sd_turbo))
    assert (config.crop, config.learning_rate, config.l2_weight, config.perceptual_weight) == (128, 1e-3, 3, 5)
