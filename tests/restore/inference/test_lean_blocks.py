"""Residual blocks in place: the same bits; and what both paths have in common is computed once."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.inference import tiled_networks
from metalens.restore.inference.lean_blocks import lean
from metalens.restore.inference.restoration import Settings, decode, degradation_map, latents_of
from metalens.restore.inference.tiled_networks import BOTH, TiledNetworks
from metalens.restore.prior.prior_folder import load_prior

PIXELS = (64, 80)

CAPTURE = np.random.default_rng(0).integers(0, 255, (*PIXELS, 3), dtype=np.uint8)


@pytest.fixture
def optics_restorer(prior_folder, camera, bank):
    """Of the embedded adapter's kind."""
    torch.manual_seed(0)
    config = AdapterConfig(conditioning="optics", tuning="full", path_embedding=True)
    restorer = Restorer(load_prior(prior_folder), config, camera, np.zeros((9, 7, 7), np.float32), "piqe", bank=bank)
    with torch.no_grad():
        for parameter in restorer.parameters().values():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    return restorer.to("cpu")


@torch.no_grad()
@pytest.mark.parametrize("config", [{}, {"tuning": "full", "path_embedding": True}, {"skips": True}])
def test_a_lean_network_gives_the_same_bits(make_restorer, config, monkeypatch):
    restorer = make_restorer(perturb=0.02, **config).to("cpu")
    networks = TiledNetworks(restorer, degradation_map(restorer, CAPTURE, None), frame=PIXELS, padded=PIXELS, tile=512)
    picture = restorer.network_input(CAPTURE)

    def all_networks():
        encoded = networks.encode(picture)
        stepped = networks.step(encoded.repeat(2, 1, 1, 1), 999)
        return encoded, stepped, networks.decode(stepped[:1], picture if restorer.skips is not None else None)

    found = all_networks()
    monkeypatch.setattr(tiled_networks, "lean", lambda *networks, **settings: nullcontext())
    for ours, plain in zip(found, all_networks(), strict=True):
        assert torch.equal(ours, plain)


@torch.no_grad()
@pytest.mark.parametrize("tile", [512, 48])
def test_paths_that_begin_alike_pass_the_first_convolutions_once(optics_restorer, tile, monkeypatch):
    restorer, unet = optics_restorer, optics_restorer.prior.unet
    maps = degradation_map(restorer, CAPTURE, None)
    networks = TiledNetworks(restorer, maps, frame=PIXELS, padded=PIXELS, tile=tile)
    both = networks.encode(restorer.network_input(CAPTURE)).repeat(2, 1, 1, 1)
    first = {unet.conv_in, restorer.optics.unet, unet.down_blocks[0].resnets[0].conv1}
    seen, convolve = [], torch.nn.Conv2d._conv_forward

    def counted(self, features, *parameters):
        seen.extend([len(features)] if self in first else [])
        return convolve(self, features, *parameters)

    monkeypatch.setattr(torch.nn.Conv2d, "_conv_forward", counted)
    apart = networks.step(both, 999)
    tiles = len(first) * len(networks.tiling)
    pictures = seen[-tiles:]
    assert pictures == [len(BOTH)] * tiles
    seen.clear()
    torch.testing.assert_close(networks.step(both, 999, alike=True), apart, atol=1e-5, rtol=0)
    # Before the tiles come the windows of each path.
    assert [2 * each for each in seen[-tiles:]] == pictures
    assert not torch.equal(apart[:1], apart[1:])


def test_a_second_step_is_not_taken_for_a_first(make_restorer, monkeypatch):
    restorer = make_restorer(perturb=0.02, path_embedding=True)
    plain = latents_of(restorer, CAPTURE, Settings(steps=2))
    step = TiledNetworks.step
    monkeypatch.setattr(TiledNetworks, "step", lambda self, both, timestep, *, alike: step(self, both, timestep))
    expected = latents_of(restorer, CAPTURE, Settings(steps=2))
    torch.testing.assert_close(plain.positive, expected.positive, atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.neutral, expected.neutral, atol=1e-5, rtol=0)


def test_the_networks_are_as_before_afterwards(make_restorer):
    restorer = make_restorer(perturb=0.02)
    decode(restorer, latents_of(restorer, CAPTURE), 0.5)
    assert all("forward" not in vars(module) for module in restorer.prior.unet.modules())


def test_a_gradient_is_refused(prior):
    latents, prompts = torch.zeros(1, 8, 16, 16), prior.prompt(["neutral"])
    with lean(prior.unet), pytest.raises(RuntimeError, match="a gradient needs"):
        prior.predict_clean(latents, prompts)
