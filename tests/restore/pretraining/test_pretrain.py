"""Making a prior: it starts as a working linear codec, learns, resumes and loads."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import write_picture
from metalens.restore.pretraining.crops import PhotographCrops
from metalens.restore.pretraining.linear_initialisation import start_autoencoder, start_denoiser
from metalens.restore.pretraining.losses import denoiser_batch, denoiser_loss
from metalens.restore.pretraining.pretrain import pretrain
from metalens.restore.pretraining.recipe import PretrainConfig, build_autoencoder, build_denoiser, build_scheduler
from metalens.restore.prior.prior import PATHS, Prior
from metalens.restore.prior.prior_folder import load_prior
from metalens.restore.training.optimisation import Budget

TINY = PretrainConfig(
    denoiser_channels=(32, 32),
    prompt_tokens=2,
    prompt_features=32,
    crop=32,
    denoiser_crop=32,
    batch=2,
    checkpoint_every=2,
)


@pytest.fixture
def photographs(tmp_path):
    paths = []
    for number in range(3):
        low = np.random.default_rng(number).integers(0, 255, (12, 14, 3), dtype=np.uint8)
        paths.append(tmp_path / f"photo{number}.png")
        write_picture(paths[-1], np.kron(low, np.ones((5, 5, 1), dtype=np.uint8)))
    return paths


def test_the_autoencoder_starts_by_passing_two_by_two_averages():
    torch.manual_seed(0)
    autoencoder = build_autoencoder(TINY)
    start_autoencoder(autoencoder)
    pictures = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        latents = autoencoder.encode(pictures * 2 - 1).latent_dist.mode()
        decoded = (autoencoder.decode(latents).sample + 1) / 2
    averages = F.avg_pool2d(pictures, 2)
    torch.testing.assert_close((latents[:, :3] + 1) / 2, averages, atol=0.05, rtol=0)
    assert (decoded - F.interpolate(averages, scale_factor=2)).abs().mean() < 0.02


def test_the_denoiser_starts_by_giving_back_its_input_in_one_step():
    torch.manual_seed(0)
    scheduler, denoiser = build_scheduler(), build_denoiser(TINY)
    start_denoiser(denoiser, float(scheduler.alphas_cumprod[-1]))
    prompts = {path: torch.randn(2, 32) for path in PATHS}
    prior = Prior("tiny", build_autoencoder(TINY), denoiser, scheduler.alphas_cumprod, "v_prediction", prompts)
    latents = torch.randn(1, 8, 16, 16)
    with torch.no_grad():
        predicted = prior.predict_clean(latents, prior.prompt(["positive"]))
    assert (predicted - latents).abs().mean() < 0.1


def test_networks_that_have_no_linear_start_are_refused():
    with pytest.raises(ValueError, match="needs two levels"):
        start_autoencoder(build_autoencoder(PretrainConfig(autoencoder_channels=(16, 32, 64))))
    with pytest.raises(ValueError, match="more than 2 channels a latent"):
        start_denoiser(build_denoiser(PretrainConfig(latent_channels=16)), 0.005)


def test_a_prior_is_made_and_can_be_loaded(photographs, tmp_path):
    seen = []
    figures = pretrain(
        photographs,
        tmp_path / "prior",
        tmp_path / "work",
        config=TINY,
        autoencoder_budget=Budget(steps=3),
        denoiser_budget=Budget(steps=3),
        report=lambda stage, share, latest: seen.append((stage, share)),
    )
    assert figures["autoencoder_steps"] == figures["denoiser_steps"] == 3
    assert seen[0] == ("autoencoder", pytest.approx(1 / 3))
    assert seen[-1] == ("denoiser", 1.0)
    prior = load_prior(tmp_path / "prior")
    assert prior.prediction_type == "v_prediction"
    assert json.loads((tmp_path / "prior" / "training.json").read_text())["config"]["batch"] == 2
    latents = prior.encode(PhotographCrops(photographs, 32).batch(16, seed=5, step=0))
    assert float(latents.std()) == pytest.approx(1, abs=0.35)


def test_a_stopped_run_resumes_to_the_same_prior(photographs, tmp_path):
    def make(name, **options):
        return pretrain(
            photographs,
            tmp_path / name,
            tmp_path / f"{name}-work",
            config=TINY,
            autoencoder_budget=Budget(steps=4),
            denoiser_budget=Budget(steps=4),
            **options,
        )

    def stop(stage, share, figures):
        if stage == "denoiser" and share >= 0.75:
            raise KeyboardInterrupt

    make("whole")
    with pytest.raises(KeyboardInterrupt):
        make("halves", report=stop)
    assert not (tmp_path / "halves").exists()
    with pytest.raises(InputError, match="halves-work: the output folder is not empty"):
        make("halves")
    make("halves", resume=True)
    whole, halves = load_prior(tmp_path / "whole"), load_prior(tmp_path / "halves")
    for name, value in whole.unet.state_dict().items():
        torch.testing.assert_close(halves.unet.state_dict()[name], value, atol=0, rtol=0, msg=name)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("diffusion", [True, False])
def test_only_the_denoiser_and_the_prompt_of_the_path_learn(path, diffusion):
    torch.manual_seed(0)
    scheduler, autoencoder = build_scheduler(), build_autoencoder(TINY)
    autoencoder.requires_grad_(False)
    prompts = {each: torch.nn.Parameter(torch.randn(2, 32)) for each in PATHS}
    prior = Prior("tiny", autoencoder, build_denoiser(TINY), scheduler.alphas_cumprod, "v_prediction", prompts)
    generator = torch.Generator().manual_seed(0)
    share = [float(each == path) for each in PATHS]
    batch = denoiser_batch(
        prior, torch.rand(2, 3, 32, 32), generator, path_share=share, diffusion_share=float(diffusion)
    )
    assert (batch.timestep < prior.last_timestep).all() == diffusion
    found = denoiser_loss(prior, batch)
    found["loss"].backward()
    assert found["errors"].isfinite().all()
    assert {each for each in PATHS if prompts[each].grad.abs().max() > 0} == {path}
    assert prior.unet.conv_in.weight.grad.abs().max() > 0


def test_a_batch_mixes_paths_and_each_crop_has_the_source_and_target_of_its_own():
    torch.manual_seed(0)
    autoencoder, scheduler = build_autoencoder(TINY), build_scheduler()
    start_autoencoder(autoencoder)
    prior = Prior("tiny", autoencoder, build_denoiser(TINY), scheduler.alphas_cumprod, "v_prediction", {})
    clean = torch.rand(24, 3, 32, 32)
    generator = torch.Generator().manual_seed(1)
    batch = denoiser_batch(prior, clean, generator, path_share=(0.5, 0.25, 0.25), diffusion_share=0)
    latents = prior.encode(clean)
    assert set(batch.path.tolist()) == {0, 1, 2}
    for number, path in enumerate(batch.path.tolist()):
        shows_clean = {0: batch.target, 2: batch.source}.get(path)
        if shows_clean is None:
            assert not torch.allclose(batch.target[number], latents[number], atol=1e-2)
        else:
            torch.testing.assert_close(shows_clean[number], latents[number])
    assert (batch.weight == 1).all()


def test_the_same_seed_and_step_draw_the_same_crops(photographs):
    crops = PhotographCrops(photographs, 32)
    torch.testing.assert_close(crops.batch(3, seed=1, step=7), crops.batch(3, seed=1, step=7))
    assert not torch.equal(crops.batch(3, seed=1, step=7), crops.batch(3, seed=1, step=8))


def test_a_crop_at_full_scale_holds_the_photographs_own_pixels(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    write_picture(tmp_path / "photo.png", picture)
    crop = PhotographCrops([tmp_path / "photo.png"], 32).batch(1, seed=0, step=0)[0].permute(1, 2, 0).numpy()
    turned = [np.rot90(each, number) for each in (picture, picture[:, ::-1]) for number in range(4)]
    assert min(np.abs(each / 255 - crop).max() for each in turned) < 1e-6


def test_a_crop_at_half_scale_holds_means_of_two_by_two_pixels(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_picture(tmp_path / "photo.png", picture)
    crops = PhotographCrops([tmp_path / "photo.png"], 32)
    halves = crops._gather(torch.tensor([[0], [64], [0], [0], [64], [0], [0], [0]]))
    means = torch.from_numpy(picture / 255).float().permute(2, 0, 1)[None]
    torch.testing.assert_close(halves, F.avg_pool2d(means, 2))


def test_photographs_that_are_all_too_small_are_refused(photographs):
    with pytest.raises(InputError, match="none of the 3 photographs is at least 128 pixels"):
        PhotographCrops(photographs, 128)
