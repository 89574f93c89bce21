"""SVDA: W* = W + A·Q·B, with Q from a degradation map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metalens.restore.adapter.svda import DegradationAttention, Mixing, rows_of_tokens
from metalens.restore.conditioning.degradation_map import Region, fwhm_map, patch_centres, position_weights, resample
from metalens.restore.prior.prior_folder import load_prior


def picture(height=32, width=48):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def random_maps(batch=2, seed=2):
    return torch.rand(batch, 4, 7, 7, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("form", ["local", "global", "mean"])
def test_a_new_adapter_changes_nothing(make_restorer, prior_folder, form):
    # B starts at 0: the prior itself.
    restorer, prior = make_restorer(form=form), load_prior(prior_folder)
    paths = ["positive", "negative"]
    expected = prior.decode(prior.predict_clean(prior.encode(picture()), prior.prompt(paths)))
    torch.testing.assert_close(restorer.forward(picture(), random_maps(), paths), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("form", ["local", "global"])
def test_the_identity_q_is_plain_lora(make_restorer, form):
    restorer = make_restorer(form=form, perturb=0.05)
    with torch.no_grad():
        names = ("basis",) if form == "local" else ("project",)
        for name, parameter in restorer.attention.named_parameters():
            if name.startswith(names):
                parameter.zero_()
    paths = ["positive", "neutral"]
    latents = restorer.encode(picture(), random_maps())
    with restorer.layers.conditioned(None, 1.0):
        plain = restorer.prior.encode(picture())
    torch.testing.assert_close(latents, plain, atol=1e-6, rtol=0)
    with restorer.layers.conditioned(None, 1.0):
        plain = restorer.prior.predict_clean(latents, restorer.prior.prompt(paths))
    torch.testing.assert_close(restorer.step(latents, random_maps(), paths), plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", ["local", "global"])
def test_another_degradation_map_gives_another_picture(make_restorer, form):
    restorer = make_restorer(form=form, perturb=0.1)
    paths = ["positive", "positive"]
    first, second = (restorer.forward(picture(), random_maps(seed=seed), paths) for seed in (2, 3))
    assert (first - second).abs().max() > 1e-4


@pytest.mark.parametrize("lens_map", [torch.rand(3, 7, 7), torch.full((3, 7, 7), 0.3)], ids=["varies", "is equal"])
def test_weights_start_with_mean_0_and_variance_1_over_the_lens_map_and_bases_with_variance_1_over_r(lens_map):
    torch.manual_seed(0)
    attention = DegradationAttention({"one": 32, "two": 32}, bases=3)
    attention.standardise(lens_map)
    maps = torch.stack([torch.cat([lens_map, torch.full((1, 7, 7), quality)]) for quality in (0.25, 0.5, 0.75)])
    for mixing in attention(maps).values():
        torch.testing.assert_close(mixing.weights.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(mixing.weights.std(dim=(0, 2, 3), correction=0), torch.ones(3))
        torch.testing.assert_close(mixing.mean().mean(dim=0), torch.zeros(32, 32), atol=1e-5, rtol=0)
        assert mixing.matrix.var().item() == pytest.approx(0.1**2 / 32, rel=0.1)


def test_the_mean_form_has_the_mean_of_the_local_field_everywhere():
    torch.manual_seed(0)
    local = DegradationAttention({"one": 4})
    mean = DegradationAttention({"one": 4}, form="mean")
    mean.load_state_dict(local.state_dict())
    wanted, found = local(random_maps())["one"], mean(random_maps())["one"]
    torch.testing.assert_close(found.mean(), wanted.mean())
    features = torch.rand(2, 4, 12, 12)
    torch.testing.assert_close(
        found.on_grid(features), features + torch.einsum("bij,bjyx->biyx", wanted.mean(), features)
    )


def test_a_constant_local_map_acts_like_one_matrix(make_restorer):
    restorer = make_restorer(perturb=0.1)
    constant = torch.rand(2, 4, 1, 1).expand(2, 4, 7, 7)
    mixing = restorer.attention(constant)["unet.mid_block"]
    features = torch.randn(2, 4, 6, 9)
    matrix = torch.eye(4) + torch.einsum("bk,kij->bij", mixing.weights.mean(dim=(-2, -1)), mixing.matrix)
    torch.testing.assert_close(mixing.on_grid(features), torch.einsum("bij,bjyx->biyx", matrix, features))
    tokens = features.flatten(2).transpose(1, 2)
    torch.testing.assert_close(mixing.everywhere(tokens), mixing.on_grid(features).flatten(2).transpose(1, 2))


def test_a_local_q_of_a_constant_field_is_the_global_q(make_restorer):
    restorer = make_restorer(perturb=0.1)
    maps = torch.rand(2, 4, 1, 1).expand(2, 4, 7, 7)
    as_global = {
        block: Mixing(matrix=mixing.mean(), weights=None) for block, mixing in restorer.attention(maps).items()
    }
    paths = ["positive", "neutral"]
    with torch.no_grad():
        local = restorer.step(restorer.encode(picture(), maps), maps, paths)
        with restorer.layers.conditioned(as_global, 32 / 48):
            whole = restorer.prior.predict_clean(restorer.prior.encode(picture()), restorer.prior.prompt(paths))
    torch.testing.assert_close(local, whole, atol=1e-4, rtol=1e-4)


def test_a_field_is_the_same_for_a_frame_and_for_its_parts():
    weights = torch.rand(1, 2, 7, 7)
    mixing = Mixing(matrix=torch.zeros(2, 3, 3), weights=weights)
    whole = mixing.field(32, 48)
    part = mixing.field(16, 12, [Region(top=0.5, left=0.25, height=0.5, width=0.25)])
    torch.testing.assert_close(part, whole[..., 16:, 12:24])
    both = mixing.field(16, 12, [Region(0.5, 0.25, 0.5, 0.25), Region(0, 0, 0.5, 0.25)])
    torch.testing.assert_close(both[1:], whole[..., :16, :12])


def test_without_gradients_a_blocks_layers_share_their_field(make_restorer):
    restorer = make_restorer(perturb=0.1)
    with torch.no_grad():
        shared = restorer.encode(picture(), random_maps())
    torch.testing.assert_close(shared, restorer.encode(picture(), random_maps()).detach(), atol=1e-6, rtol=0)


def test_a_local_map_acts_where_its_cells_lie():
    weights = torch.zeros(1, 1, 7, 7)
    weights[..., 6, 0] = 1.0  # the lower left patch
    mixing = Mixing(matrix=torch.full((1, 1, 1), 1.0), weights=weights)
    changed = mixing.on_grid(torch.ones(1, 1, 64, 64)) - 1
    assert changed[0, 0, 60, 3] == pytest.approx(1.0)
    assert changed[0, 0, :40].abs().max() == 0
    assert changed[0, 0, :, 24:].abs().max() == 0


def test_tokens_that_fill_no_feature_map_are_refused():
    assert rows_of_tokens(54, 6 / 9) == 6
    with pytest.raises(ValueError, match="13 tokens do not fill"):
        rows_of_tokens(13, 1.0)


def test_every_parameter_that_should_train_has_a_gradient_and_nothing_else(make_restorer):
    restorer = make_restorer(perturb=0.05)
    restorer.forward(picture(), random_maps(), ["positive", "negative"]).square().mean().backward()
    trained = restorer.parameters()
    for name, parameter in trained.items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    frozen = [*restorer.prior.vae.parameters(), *restorer.prior.unet.parameters()]
    ours = {id(parameter) for parameter in trained.values()}
    assert all(parameter.grad is None for parameter in frozen if id(parameter) not in ours)
    assert "unet.conv_in.weight" in trained
    assert not any("decoder" in name for name in trained)


def test_a_batch_gives_what_its_pictures_give_alone(make_restorer):
    restorer = make_restorer(perturb=0.1)
    maps, paths = random_maps(), ["positive", "neutral"]
    together = restorer.forward(picture(), maps, paths)
    for index, path in enumerate(paths):
        one = slice(index, index + 1)
        alone = restorer.forward(picture()[one], maps[one], [path])
        torch.testing.assert_close(together[one], alone, atol=1e-5, rtol=1e-4)


def test_unequal_batches_are_refused(make_restorer):
    with pytest.raises(ValueError, match="must be equally many"):
        make_restorer().step(torch.zeros(2, 8, 16, 16), random_maps(1), ["positive", "neutral"])


def test_the_published_form_has_256_hidden_features_and_one_matrix_a_block():
    attention = DegradationAttention({"a": 4, "b": 8}, form="global")
    assert attention.whole[1].weight.shape == (256, 4 * 49)
    assert attention(torch.rand(3, 4, 7, 7))["b"].matrix.shape == (3, 8, 8)


def test_patches_of_a_quarter_at_a_stride_of_an_eighth_have_seven_centres():
    np.testing.assert_allclose(patch_centres() * 400, [50, 100, 150, 200, 250, 300, 350])


def test_reading_a_map_at_its_own_centres_gives_the_map():
    np.testing.assert_allclose(position_weights(patch_centres()).numpy(), np.eye(7), atol=1e-7)
    values = torch.rand(4, 7, 7)
    torch.testing.assert_close(resample(values, Region()), values)


def test_a_region_sees_its_own_part_of_a_ramp():
    ramp = torch.from_numpy(np.tile(patch_centres(), (1, 7, 1))).float()
    seen = resample(ramp, Region(left=0.25, width=0.5, top=0.1, height=0.2))
    torch.testing.assert_close(seen[0, 0], torch.from_numpy(0.25 + 0.5 * patch_centres()).float())


def test_the_fwhm_map_is_the_banks_in_pixels_on_a_logarithmic_scale(bank):
    values = fwhm_map(bank)
    assert values.shape == (3, 7, 7)
    centre = bank.by_channel.full_width_half_maximum[4] / np.sqrt(2) / bank.pixel_pitch
    np.testing.assert_allclose(values[:, 3, 3], np.log2(1 + centre) / np.log2(65), rtol=1e-6)
    assert values.min() >= 0
    assert values.max() <= 1


def test_plain_lora_has_no_q_and_no_map_changes_it(make_restorer):
    restorer = make_restorer(form="plain", perturb=0.1)
    assert not list(restorer.attention.parameters())
    paths = ["positive", "neutral"]
    first, second = (restorer.forward(picture(), random_maps(seed=seed), paths) for seed in (2, 3))
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("form", ["local", "global"])
def test_without_the_fwhm_map_only_the_quality_map_counts(make_restorer, form):
    restorer = make_restorer(form=form, fwhm=False, perturb=0.1)
    paths = ["positive", "positive"]
    maps = random_maps()
    wider, noisier = maps.clone(), maps.clone()
    wider[:, :3] = 1 - wider[:, :3]
    noisier[:, 3] = 1 - noisier[:, 3]
    same, other = (restorer.forward(picture(), each, paths) for each in (wider, noisier))
    expected = restorer.forward(picture(), maps, paths)
    torch.testing.assert_close(same, expected)
    assert (other - expected).abs().max() > 1e-4
