"""Priors as files: what is loaded is what is there, and what is no prior is refused."""

from __future__ import annotations

import json
import shutil

import pytest
import safetensors.torch
from huggingface_hub import HfApi, constants

from metalens.formats.files.errors import InputError
from metalens.restore.prior.prior_folder import HUB_SECONDS, load_prior


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


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("vae/config.json", {"block_out_channels": [10**6, 10**6]}, "block_out_channels"),
        ("vae/config.json", {"latent_channels": 10**9}, "latent_channels"),
        ("vae/config.json", {"scaling_factor": 0}, "scaling_factor"),
        ("unet/config.json", {"layers_per_block": 10**9}, "layers_per_block"),
        ("unet/config.json", {"cross_attention_dim": "wide"}, "cross_attention_dim"),
        ("unet/config.json", {"transformer_layers_per_block": 10**9}, "transformer_layers_per_block"),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**12}, "num_train_timesteps"),
        ("scheduler/scheduler_config.json", {"beta_end": "much"}, "beta_end"),
        ("scheduler/scheduler_config.json", {"prediction_type": 3}, "prediction_type"),
        ("unet/config.json", None, "not a complete prior"),
        ("scheduler/scheduler_config.json", None, "not a complete prior"),
    ],
)
def test_configurations_beyond_bounds_are_refused_before_a_network_is_made(
    tmp_path, prior_folder, name, change, message
):
    copy = tmp_path / "copy"
    shutil.copytree(prior_folder, copy)
    content = json.loads((copy / name).read_text())
    (copy / name).write_text("[" * 100_000 if change is None else json.dumps(content | change))
    with pytest.raises(InputError, match=message):
        load_prior(copy)


def test_a_hub_id_without_a_network_says_what_to_download(monkeypatch):
    # The variable of the environment is read when the package is imported.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: pytest.fail("asked, although told to stay offline"))
    with pytest.raises(
        InputError, match=r"download its folders vae/, unet/, scheduler/.* --local-dir FOLDER.* --prior FOLDER"
    ):
        load_prior("nobody/nothing-of-this-name")


def test_the_hub_is_asked_once_and_shortly(monkeypatch):
    asked = []

    def model_info(_, name, timeout):
        asked.append((name, timeout))
        raise TimeoutError("no answer")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", model_info)
    with pytest.raises(InputError, match=r"nosuch/repo: could not be fetched from the model hub \(no answer\)"):
        load_prior("nosuch/repo")
    assert asked == [("nosuch/repo", HUB_SECONDS)]
    assert HUB_SECONDS <= 5
