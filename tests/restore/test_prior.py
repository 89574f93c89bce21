"""The prior: read from its configs, one step in float32, refused when it does not fit."""

from __future__ import annotations

import json
import shutil

import pytest
import safetensors.torch
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

from metalens.formats.errors import InputError
from metalens.restore.prior import PATHS, clean_from_prediction, load_prior


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


def test_a_prior_of_stable_diffusions_classes_embeds_its_prompts_by_its_own_text_encoder(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path / "sd"
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 32),
        layers_per_block=1,
    )
    unet = UNet2DConditionModel(
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(32, 32),
        layers_per_block=1,
        cross_attention_dim=24,
        attention_head_dim=8,
    )
    text = CLIPTextModel(
        CLIPTextConfig(vocab_size=64, hidden_size=24, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    )
    words = ["<|startoftext|>", "<|endoftext|>", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz,")]
    words += list("abcdefghijklmnopqrstuvwxyz,")
    source = tmp_path / "words"
    source.mkdir()
    (source / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (source / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(source / "vocab.json"), str(source / "merges.txt"), model_max_length=77)
    for part, name in ((vae, "vae"), (unet, "unet"), (text, "text_encoder"), (tokenizer, "tokenizer")):
        part.save_pretrained(folder / name)
    DDPMScheduler(prediction_type="epsilon", timestep_spacing="trailing").save_pretrained(folder / "scheduler")
    prior = load_prior(folder)
    assert prior.prediction_type == "epsilon"
    assert prior.prompts["positive"].shape == (77, 24)
    assert (prior.prompts["positive"] - prior.prompts["negative"]).abs().max() > 1e-3
    with torch.no_grad():
        latents = prior.encode(torch.rand(1, 3, 32, 32))
        assert prior.predict_clean(latents, prior.prompt(["neutral"])).isfinite().all()


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
    with pytest.raises(InputError, match=r"download its\s+folders vae/, unet/, scheduler/"):
        load_prior("nobody/nothing-of-this-name")
