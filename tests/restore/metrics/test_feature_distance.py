"""What every perceptual distance that serves as a loss holds."""

from __future__ import annotations

import pytest
import torch

from metalens.restore.metrics.perceptual_loss import PERCEPTUAL


@pytest.mark.parametrize("name", ["st-lpips", "efficientnet"])
def test_gradients_reach_the_pictures_but_no_weight_and_stay_finite_where_all_is_flat(name):
    distance = PERCEPTUAL[name]()
    picture = torch.zeros(2, 3, 40, 44)
    picture[1, :, 10:30] = 0.7
    picture.requires_grad_()
    distance(picture, torch.full((2, 3, 40, 44), 0.5)).sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()
    assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())
