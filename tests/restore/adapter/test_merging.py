"""A fixed Q in the weights does what the hooks do."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.merging import merged_prior
from metalens.restore.prior.prior_folder import load_prior, save_prior


def picture():
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def restored(prior, paths=("positive",)):
    with torch.no_grad():
        return prior.decode(prior.predict_clean(prior.encode(picture()), prior.prompt(list(paths))))


@pytest.mark.parametrize("form", ["local", "global"])
def test_merged_equals_unmerged(make_restorer, form):
    restorer = make_restorer(form=form, perturb=0.03)
    maps = torch.rand(1, 4, 7, 7)
    if form == "local":
        maps = maps.mean(dim=(-2, -1), keepdim=True).expand_as(maps)
    with torch.no_grad():
        expected = restorer.forward(picture(), maps, ["positive"])
    merged = merged_prior(restorer, maps)
    assert not any("lora" in name for name, _ in merged.unet.named_parameters())
    torch.testing.assert_close(restored(merged), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(restorer.forward(picture(), maps, ["positive"]), expected)


def test_merging_the_identity_is_plain_lora(make_restorer):
    restorer = make_restorer(perturb=0.03)
    with torch.no_grad(), restorer.layers.conditioned(None, 1.0):
        plain = restored(restorer.prior)
    torch.testing.assert_close(restored(merged_prior(restorer, None)), plain, atol=1e-5, rtol=1e-5)


def test_a_merged_prior_is_saved_as_a_diffusers_folder(make_restorer, prior_folder, tmp_path):
    merged = merged_prior(make_restorer(form="global", perturb=0.03), torch.rand(1, 4, 7, 7))
    expected = restored(merged)
    save_prior(merged, tmp_path, DDPMScheduler.from_pretrained(prior_folder, subfolder="scheduler"))
    torch.testing.assert_close(restored(load_prior(tmp_path)), expected, atol=5e-3, rtol=0)


def test_a_q_that_varies_over_the_picture_is_not_merged(make_restorer):
    with pytest.raises(InputError, match="Q varies over the picture and cannot be merged"):
        merged_prior(make_restorer(perturb=0.1), torch.rand(1, 4, 7, 7))
    with pytest.raises(InputError, match="one degradation map can be merged into the weights, found 2"):
        merged_prior(make_restorer(), torch.rand(2, 4, 7, 7))
    with pytest.raises(InputError, match="an adapter with skips cannot be merged"):
        merged_prior(make_restorer(skips=True), None)
