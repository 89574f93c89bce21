"""Latents on disk, and skips, whose latents need the capture beside them."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.inference.latents_file import load_latents, save_latents
from metalens.restore.inference.restoration import Settings, decode, latents_of, restore

PIXELS = (64, 80)


def capture():
    return np.random.default_rng(0).integers(0, 255, (*PIXELS, 3), dtype=np.uint8)


@pytest.mark.parametrize("skips", [False, True])
def test_kept_latents_decode_to_the_same_picture(make_restorer, tmp_path, skips):
    restorer = make_restorer(perturb=0.02, skips=skips)
    latents = latents_of(restorer, capture())
    save_latents(tmp_path / "a.safetensors", latents, restorer=restorer, capture=capture())
    again = load_latents(tmp_path / "a.safetensors", restorer)
    np.testing.assert_array_equal(decode(restorer, again, 1.05), decode(restorer, latents, 1.05))
    assert (again.capture is None) == (not skips)


@pytest.fixture
def kept(make_restorer, tmp_path):
    restorer, path = make_restorer(perturb=0.02), tmp_path / "a.safetensors"
    save_latents(path, latents_of(restorer, capture()), restorer=restorer, capture=capture())
    return restorer, path


def test_latents_of_another_adapter_or_prior_are_refused(make_restorer, kept):
    _, path = kept
    with pytest.raises(InputError, match="made with another adapter"):
        load_latents(path, make_restorer(seed=1, perturb=0.02))
    other = make_restorer(perturb=0.02)
    other.prior.identity = "0" * 64
    with pytest.raises(InputError, match=r"made with another prior .*, this one is 000000000000"):
        load_latents(path, other)


def test_damaged_latents_are_refused(kept):
    restorer, path = kept
    whole = path.read_bytes()
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = {name: value.clone() for name, value in safetensors.torch.load_file(path).items()}

    def refused(match, change=None, **tags):
        if change is not None or tags:
            safetensors.torch.save_file(tensors | (change or {}), path, metadata | tags)
        with pytest.raises(InputError, match=match):
            load_latents(path, restorer)

    path.write_bytes(whole[: len(whole) // 2])
    refused("no latents that can be read")
    refused("found 'else' version '1', expected metalens.latents", schema="else")
    refused("version '2', .* a newer metalens wrote it and is needed to read it: update metalens", version="2")
    refused("version '0', .*; restore the photograph again", version="0")
    refused("expected up to 128000000", rows="9" * 12)
    refused(r"neutral has shape \(1, 8, 32, 40\), expected \(1, 8, 32, 64\)", columns="128")
    refused("positive holds NaN", {"positive": torch.full((1, 8, 32, 40), float("nan"))})


def test_skips_start_silent_and_carry_the_encoders_features(make_restorer):
    plain, skipping = make_restorer(), make_restorer(skips=True)
    expected = restore(plain, capture(), [1])[1]
    np.testing.assert_array_equal(restore(skipping, capture(), [1])[1], expected)
    assert {name for name in skipping.parameters() if name.startswith("skips.")} == {
        "skips.convolutions.0.weight",
        "skips.convolutions.1.weight",
    }
    with torch.no_grad():
        skipping.skips.convolutions[1].weight.normal_(std=0.1)
    assert (restore(skipping, capture(), [1])[1] != expected).any()
    with pytest.raises(ValueError, match="skips need the encoding of the same picture before its decoding"):
        skipping.prior.decode(torch.zeros(1, 8, 8, 8))


def test_skips_have_gradients_and_follow_tiles(make_restorer):
    restorer = make_restorer(skips=True, perturb=0.02)
    picture, maps = torch.rand(1, 3, 32, 48), torch.rand(1, 4, 7, 7)
    restorer.forward(picture, maps, ["positive"]).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in restorer.skips.parameters())
    whole, cut = (
        decode(restorer, latents_of(restorer, capture(), Settings(tile=tile)), 1, tile=tile).astype(float)
        for tile in (512, 48)
    )
    assert np.sqrt(np.square(whole - cut).mean()) < 3
