"""The discriminator of the adversarial term: who learns from which loss, and what it tells apart."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from metalens.formats.files.errors import InputError
from metalens.restore.training.adapter_training import AdapterTraining
from metalens.restore.training.config import TrainConfig
from metalens.restore.training.discriminator import FeatureDiscriminator


@pytest.fixture(scope="module")
def textures():
    return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return FeatureDiscriminator()


def test_each_loss_has_gradients_in_its_own_parameters_alone(discriminator, textures):
    predicted = textures.clone().requires_grad_()
    adversarial, critic = discriminator.losses(predicted, textures.flip(0))
    heads = list(discriminator.trained_parameters().values())
    adversarial.backward()
    assert predicted.grad.abs().max() > 0
    assert all(each.grad is None for each in heads)
    before = predicted.grad.clone()
    critic.backward()
    assert torch.equal(predicted.grad, before)
    assert all(each.grad is not None for each in heads)
    assert all(not each.requires_grad for each in discriminator.backbone.parameters())


def test_without_knowledge_the_hinge_loss_is_two(discriminator, textures):
    for each in discriminator.trained_parameters().values():
        torch.nn.init.zeros_(each)
    adversarial, critic = discriminator.losses(textures, textures.flip(0))
    assert adversarial.item() == 0
    assert critic.item() == 2


def test_it_learns_to_tell_blurred_textures_and_the_adversarial_gradient_sharpens_them(discriminator, textures):
    blurred = F.avg_pool2d(F.pad(textures, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    optimiser = torch.optim.AdamW(discriminator.trained_parameters().values(), lr=5e-3)
    for _ in range(12):
        optimiser.zero_grad()
        discriminator.losses(blurred, textures)[1].backward()
        optimiser.step()
    assert discriminator.losses(blurred, textures)[1].item() < 1
    sharpness = torch.tensor(0.0, requires_grad=True)
    discriminator.losses(blurred + sharpness * (textures - blurred), textures)[0].backward()
    assert sharpness.grad < 0


def test_several_processes_are_refused(make_restorer):
    class Several:
        processes = 2
        device = torch.device("cpu")

        def prepare(self, module):
            return module

    with pytest.raises(InputError, match="--adversarial-weight trains in one process"):
        AdapterTraining(
            make_restorer(),
            None,
            None,
            None,
            config=TrainConfig(adversarial_weight=0.1),
            workplace=Several(),
            output=None,
        )
