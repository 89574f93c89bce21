"""The methods on the prior: their formulas, who learns from what, and that each one learns."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import describe_adapter, save_adapter
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods import load_method
from metalens.restore.methods.diffusion import guided, noised, prediction_target
from metalens.restore.methods.gaussian_blur import EdgeModel
from metalens.restore.methods.learning import Crops
from metalens.restore.methods.osediff import OseDiffLearner
from metalens.restore.methods.s3diff import S3DiffLearner, degradation_features, frozen, noise_deviation
from metalens.restore.methods.seesr_style import SeeSrStyleLearner
from metalens.restore.metrics.perceptual_loss import perceptual_metric
from metalens.restore.prior.prior import clean_from_prediction
from metalens.restore.training.optimisation import Budget, Optimisation

from ..conftest import step_on

CPU = torch.device("cpu")
MODEL = EdgeModel(0.3, 0.7)


@pytest.fixture
def crops(pairs):
    clean, captured = (
        torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2).float()[..., :32, :32] / 255
        for side in zip(pairs[0], pairs[1], strict=True)
    )
    return Crops(clean, captured, [Region(), Region()])


@pytest.fixture
def make(prior_folder):
    makers = {
        "osediff": lambda: OseDiffLearner(str(prior_folder), CPU, 0.0),
        "s3diff": lambda: S3DiffLearner(str(prior_folder), CPU, MODEL, 0.0, (4, 4)),
        "seesr-style": lambda: SeeSrStyleLearner(str(prior_folder), CPU, steps=2),
    }

    def made(name):
        torch.manual_seed(0)
        return makers[name]()

    return made


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_the_target_of_a_denoiser_gives_the_clean_latents_back(kind):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 4, 5, 5, generator=generator)
    alpha = torch.tensor([0.9, 0.2])
    target = prediction_target(clean, noise, alpha, kind)
    torch.testing.assert_close(clean_from_prediction(noised(clean, noise, alpha), target, alpha, kind), clean)


def test_guidance_of_one_is_the_positive_prediction():
    negative, positive = torch.rand(2, 3, 3)
    torch.testing.assert_close(guided(negative, positive, 1.0), positive)
    torch.testing.assert_close(guided(negative, positive, 2.0), 2 * positive - negative)


@pytest.mark.parametrize(
    ("name", "steps"),
    [*(pytest.param(each, 12, marks=pytest.mark.long) for each in ("osediff", "s3diff")), ("seesr-style", 20)],
)
def test_a_method_on_the_prior_learns(name, steps, make, crops):
    learner = make(name)
    trained = {key: value for key, value in learner.named_parameters() if value.requires_grad}
    optimisation = Optimisation(trained, learning_rate=2e-3, budget=Budget(steps=10 * steps), warm_up=1)

    def error():
        with torch.no_grad():
            if name == "seesr-style":
                return float(np.mean([learner.losses(crops, seeded(1000 + n))["loss"] for n in range(4)]))
            restored = learner.restored(crops.captured[:1], Region(), "")
            return float((restored - crops.clean[:1]).square().mean())

    before = error()
    for number in range(steps):
        step_on(optimisation, learner.losses(crops, seeded(number))["loss"])
    assert error() < 0.95 * before


def seeded(number):
    return torch.Generator().manual_seed(number)


def test_distillation_moves_latents_from_what_the_regulariser_expects_to_what_the_prior_wants(make):
    learner = make("osediff")
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 8, 16, 16, generator=generator, requires_grad=True)
    times, noise = torch.tensor([500]), torch.randn(1, 8, 16, 16, generator=generator)
    learner._distillation(latents, times, noise).backward()
    noisy = noised(latents.detach(), noise, learner.prior.alpha_cumprod[times])
    with torch.no_grad():
        wanted, unwanted = (learner._clean(learner.teacher, noisy, times, path) for path in ("positive", "negative"))
        real = unwanted + 7.5 * (wanted - unwanted)
        fake = learner._clean(learner.regulariser, noisy, times, "positive")
    expected = (fake - real) / (latents - real).abs().mean() / latents.numel()
    torch.testing.assert_close(latents.grad, expected, rtol=1e-4, atol=1e-7)


def test_the_regulariser_learns_from_predictions_without_changing_them(make, crops):
    learner = make("osediff")
    losses = learner.losses(crops, seeded(0))
    losses["regulariser"].backward()
    touched = {name.split(".")[0] for name, value in learner.named_parameters() if value.grad is not None}
    assert touched == {"regulariser"}


def test_the_generator_does_not_change_the_discriminator_nor_it_the_generator(make, crops):
    learner = make("s3diff")
    losses = learner.losses(crops, seeded(0))
    losses["adversarial"].backward(retain_graph=True)
    assert all(value.grad is None for value in learner.discriminator.parameters())
    assert any(value.grad is not None for value in learner.attention.parameters())
    learner.zero_grad()
    losses["critic"].backward()
    touched = {name.split(".")[0] for name, value in learner.named_parameters() if value.grad is not None}
    assert touched == {"discriminator"}


def test_a_frozen_module_passes_gradients_on():
    module, inputs = torch.nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    with frozen(module):
        out = module(inputs).sum()
    out.backward()
    assert inputs.grad is not None
    assert module.weight.grad is None
    assert module.weight.requires_grad


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_the_noise_of_a_flat_field_is_measured(sigma):
    flat = 0.5 + sigma * torch.randn(1, 96, 96, generator=seeded(0))
    assert float(noise_deviation(flat)) == pytest.approx(sigma, rel=0.05)


def test_features_of_degradation_tell_noisy_from_clean_and_sharp_from_blurred(crops):
    sharp = degradation_features(crops.clean[:1], MODEL)
    blurred = torch.nn.functional.avg_pool2d(crops.clean[:1], 7, 1, 3)
    noisy = (crops.clean[:1] + 0.05 * torch.randn(crops.clean[:1].shape, generator=seeded(0))).clamp(0, 1)
    assert sharp.shape == (1, 64, 1, 1)
    for other in (blurred, noisy):
        assert (degradation_features(other, MODEL) - sharp).abs().max() > 0.1


def test_sampling_takes_its_steps_from_the_noised_capture_and_repeats_itself(make, crops, monkeypatch):
    learner = make("seesr-style")
    learner.steps = 50
    seen, numbers = [], count()

    def fake(latents, timestep, captured):
        next(numbers)
        seen.append((timestep, latents))
        return torch.zeros_like(latents)

    monkeypatch.setattr(learner, "_guided", fake)
    learner.restored(crops.captured[:1], Region(), "")
    assert [timestep for timestep, _ in seen] == list(range(999, 0, -20))
    assert next(numbers) == 50
    schedule = learner.prior.alpha_cumprod
    capture = learner.prior.encode(crops.captured[:1])
    noise = (seen[0][1] - schedule[999].sqrt() * capture) / (1 - schedule[999]).sqrt()
    assert float(noise.std()) == pytest.approx(1, abs=0.1)
    first = seen[0][1]
    learner.restored(crops.captured[:1], Region(), "")
    torch.testing.assert_close(seen[50][1], first, rtol=0, atol=0)


def test_a_controlnet_that_is_not_trained_leaves_the_prior_as_it_is(make, crops):
    learner = make("seesr-style")
    latents, times = torch.randn(2, 8, 16, 16, generator=seeded(0)), torch.tensor([300, 700])
    with torch.no_grad():
        steered = learner._output(latents, times, crops.captured, ["positive", "negative"])
        prompts = learner.prior.prompt(["positive", "negative"])
        plain = learner.prior.unet(latents, times, encoder_hidden_states=prompts).sample
    torch.testing.assert_close(steered, plain)


@pytest.mark.long
def test_dmdiff_starts_from_an_adapter_of_its_own_form(training, make_restorer, tmp_path):
    (tmp_path / "adapter").mkdir()
    start = make_restorer(form="global", perturb=0.1)
    start.training = {"perceptual_metric": "efficientnet"}
    save_adapter(tmp_path / "adapter", start)
    given = training(initial=str(tmp_path / "adapter"))
    with pytest.raises(InputError, match="has a global Q; take --methods dmdiff-global, or another adapter"):
        load_method("dmdiff-local").fit(given)
    fitted = load_method("dmdiff-global").fit(given)
    # That of the start does not judge either.
    assert fitted.losses == ("efficientnet", perceptual_metric("auto"))
    assert describe_adapter(given.folder / "adapter")["training"]["initial"] == str(tmp_path / "adapter")
