"""The prior: read from its configs, one step in float32, refused when it does not fit."""

from __future__ import annotations

import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.prior.prior import PATHS, clean_from_prediction


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
