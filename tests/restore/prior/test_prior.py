"""The prior: read from its configs, one step in float32, refused when it does not fit."""

from __future__ import annotations

import shutil

import pytest
import safetensors.torch
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.prior.prior import PATHS, clean_from_prediction, load_prior


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_the_clean_latents_come_back_from_a_perfect_prediction(prediction_type):
    clean, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    alpha = torch.tensor([0.9, 0.0047])
    a = alpha.reshape(-1, 1, 1, 1)
    noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
    output = {
        "epsilon": noise,
        "v_prediction": a.sqrt() * noise - (1 - a).sqrt() * clean,
        "sample": clean,
    }[prediction_type]
    found = clean_from_prediction(noisy, output, alpha, prediction_type)
    torch.testing.assert_close(found, clean, atol=1e-4, rtol=1e-4)


def test_an_unknown_kind_of_prediction_is_refused():
    with pytest.raises(InputError, match="prediction_type 'flow' is unknown"):
        clean_from_prediction(torch.zeros(1), torch.zeros(1), torch.ones(1), "flow")


def test_sizes_are_read_from_the_configs(prior):
    assert prior.latent_stride == 2
    assert prior.size_multiple == 4
    assert prior.last_timestep == 999
    assert set(prior.prompts) == set(PATHS)


def test_loading_twice_gives_the_same_identity_and_other_weights_another(prior_folder, tmp_path, prior):
    assert load_prior(prior_folder).identity == prior.identity
    copy = tmp_path / "copy"
    shutil.copytree(prior_folder, copy)
    bank = safetensors.torch.load_file(copy / "prompts.safetensors")
    bank["neutral"] = bank["neutral"] + 1
    safetensors.torch.save_file(bank, copy / "prompts.safetensors")
    assert load_prior(copy).identity != prior.identity


def test_what_is_no_prior_is_refused_with_what_to_do(tmp_path, prior_folder):
    with pytest.raises(InputError, match="no such prior; give 'embedded', a folder"):
        load_prior(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="not a complete prior"):
        load_prior(tmp_path / "empty")
    damaged = tmp_path / "damaged"
    shutil.copytree(prior_folder, damaged)
    weights = damaged / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a complete prior"):
        load_prior(damaged)


def test_a_hub_id_without_a_network_says_what_to_download(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        InputError, match=r"download its folders vae/, unet/, scheduler/.* --local-dir FOLDER.* --prior FOLDER"
    ):
        load_prior("nobody/nothing-of-this-name")
