"""Priors of exactly SD-Turbo's classes: small random checkpoints, saved to a folder and loaded as a user's would be."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch
from diffusers import AutoencoderTiny

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.inference.restoration import restore
from metalens.restore.prior.prior import PATHS
from metalens.restore.prior.prior_folder import load_prior

from .turbo_checkpoint import write_turbo


@pytest.fixture(scope="module")
def turbo(tmp_path_factory):
    """SD-Turbo's classes and settings with two levels in the place of four."""
    return write_turbo(tmp_path_factory.mktemp("sd") / "turbo", levels=2)


@pytest.fixture
def copy(turbo, tmp_path):
    return shutil.copytree(turbo, tmp_path / "copy")


def test_everything_is_read_from_the_configs(turbo):
    prior = load_prior(turbo)
    assert (prior.prediction_type, prior.last_timestep) == ("epsilon", 999)
    assert (prior.latent_stride, prior.size_multiple) == (2, 4)
    # SD-Turbo's own schedule: ᾱ₉₉₉ = 0.00466, so that ε is multiplied by 14.6 in x̂₀.
    assert float(((1 - prior.alpha_cumprod[-1]) / prior.alpha_cumprod[-1]).sqrt()) == pytest.approx(14.61, abs=0.01)
    assert prior.timesteps(1) == [999]
    assert prior.timesteps(4) == [999, 749, 499, 249]
    assert prior.prompts["positive"].shape == (77, 24)
    assert (prior.prompts["positive"] - prior.prompts["negative"]).abs().max() > 1e-3


def test_an_adapter_restores_and_needs_the_text_encoder_no_more(turbo, copy, camera, tmp_path):
    restorer = Restorer(
        load_prior(turbo), AdapterConfig(unet_rank=4, encoder_rank=4), camera, np.zeros((3, 7, 7), np.float32), "piqe"
    )
    capture = np.random.default_rng(0).integers(0, 255, (*camera.sensor.pixels, 3), dtype=np.uint8)
    expected = restore(restorer, capture, [0, 1])
    assert expected[0].shape == capture.shape
    (tmp_path / "adapter").mkdir()
    save_adapter(tmp_path / "adapter", restorer)
    for part in ("text_encoder", "tokenizer"):
        shutil.rmtree(copy / part)
    again = load_restorer(tmp_path / "adapter", prior=copy)
    # The file holds half precision.
    np.testing.assert_allclose(restore(again, capture, [1])[1].astype(int), expected[1], atol=2)
    with pytest.raises(InputError, match="not a complete prior"):
        load_prior(copy)


def test_one_more_step_stays_between_capture_and_prediction(turbo):
    from metalens.restore.prior.prior import ddim_step

    prior = load_prior(turbo)
    noise, clean = torch.randn(2, 1, 4, 8, 8)
    first, second = (prior.alpha_cumprod[timestep] for timestep in prior.timesteps(2))
    noisy = first.sqrt() * clean + (1 - first).sqrt() * noise
    expected = second.sqrt() * clean + (1 - second).sqrt() * noise
    torch.testing.assert_close(ddim_step(noisy, clean, first, second), expected, atol=1e-5, rtol=1e-5)


def test_a_folder_of_half_precision_weights_alone_is_read(turbo, copy):
    for part, stem in (
        ("vae", "diffusion_pytorch_model"),
        ("unet", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        (copy / part / f"{stem}.safetensors").rename(copy / part / f"{stem}.fp16.safetensors")
    assert load_prior(copy).identity == load_prior(turbo).identity


def test_latents_are_shifted_and_scaled_as_the_config_says(turbo):
    prior = load_prior(turbo)
    latents = torch.randn(1, 4, 8, 8)
    plain = prior.decode(latents)
    prior.vae.register_to_config(shift_factor=0.25)
    torch.testing.assert_close(prior.decode(latents - 0.25 * 0.18215), plain, atol=1e-5, rtol=0)
    mean, deviation = [0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]
    prior.vae.register_to_config(latents_mean=mean, latents_std=deviation)
    m, d = (torch.tensor(each).reshape(1, 4, 1, 1) for each in (mean, deviation))
    torch.testing.assert_close(prior.decode((latents / 0.18215 - m) * 0.18215 / d), plain, atol=1e-5, rtol=0)
    picture = torch.rand(1, 3, 16, 16)
    found = prior.encode(picture)
    prior.vae.register_to_config(latents_mean=None, latents_std=None, shift_factor=None)
    torch.testing.assert_close(found, (prior.encode(picture) / 0.18215 - m) * 0.18215 / d)


def change_config(folder, part, **changes):
    path = folder / part
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_priors_of_another_kind_are_refused(copy):
    change_config(copy, "scheduler/scheduler_config.json", rescale_betas_zero_snr=True)
    with pytest.raises(InputError, match="predicts epsilon, and its schedule ends in pure noise"):
        load_prior(copy)
    change_config(copy, "scheduler/scheduler_config.json", prediction_type="flow")
    with pytest.raises(InputError, match="prediction_type 'flow' is unknown"):
        load_prior(copy)
    change_config(copy, "text_encoder/config.json", architectures=["T5EncoderModel"])
    with pytest.raises(InputError, match="text encoder T5EncoderModel, expected CLIPTextModel; put a prompts"):
        load_prior(copy)
    shutil.rmtree(copy / "vae")
    AutoencoderTiny().save_pretrained(copy / "vae")
    with pytest.raises(InputError, match="vae: holds a AutoencoderTiny, expected AutoencoderKL"):
        load_prior(copy)


def test_weights_that_are_missing_or_not_finite_are_refused(copy):
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = {name: value.clone() for name, value in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(tensors | {"conv_in.bias": torch.full((32,), float("nan"))}, path)
    with pytest.raises(InputError, match=r"unet: conv_in\.bias holds NaN or infinity"):
        load_prior(copy)
    del tensors["conv_in.bias"]
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(InputError, match=r"unet: its weights lack conv_in\.bias"):
        load_prior(copy)


def test_a_bank_of_prompts_is_checked(copy):
    bank = {path: torch.zeros(3, 24) for path in PATHS}
    safetensors.torch.save_file(bank, copy / "prompts.safetensors")
    assert load_prior(copy).own_prompts
    for changed, message in (
        ({path: bank[path] for path in PATHS[:2]}, "expected"),
        (bank | {"neutral": torch.zeros(2, 24)}, "expected \\[token, feature\\], alike"),
        (bank | {"neutral": torch.full((3, 24), float("inf"))}, "holds NaN or infinity"),
        ({path: torch.zeros(3, 8) for path in PATHS}, "prompts have 8 features"),
    ):
        safetensors.torch.save_file(changed, copy / "prompts.safetensors")
        with pytest.raises(InputError, match=message):
            load_prior(copy)
