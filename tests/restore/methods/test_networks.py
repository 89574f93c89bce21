"""Sizes and parts of the networks: those that were published, and what they do by construction."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from metalens.formats.pictures.encoding import decode_picture
from metalens.restore.conditioning.degradation_map import Region, patch_centres
from metalens.restore.methods.learning import Crops
from metalens.restore.methods.nafnet import NafNet, box_mean
from metalens.restore.methods.nano_optics import NanoOpticsLearner, linear_light
from metalens.restore.methods.psf_aware import known_at
from metalens.restore.methods.swinir import SwinIRLearner
from metalens.restore.methods.two_step import FringeNetwork, patches


def count(module: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_swinir_has_its_published_sizes():
    # Liang et al. 2021 give 11.5 M for colour denoising (their table 6) and 0.9 M for the lightweight one.
    assert count(SwinIRLearner(60, (6,) * 4, 6)) == pytest.approx(0.9, abs=0.05)
    assert count(SwinIRLearner(180, (6,) * 6, 6)) == pytest.approx(11.5, abs=0.1)


def test_nano_optics_has_its_published_size(bank):
    assert count(NanoOpticsLearner(bank, torch.device("cpu"), perceptual=0.0)) == pytest.approx(1.53, abs=0.02)


def test_averages_over_boxes_are_those_of_the_boxes():
    features = torch.rand(1, 2, 9, 12, generator=torch.Generator().manual_seed(0))
    found = box_mean(features, 5)
    torch.testing.assert_close(found[0, :, 4, 6], features[0, :, 2:7, 4:9].mean(dim=(1, 2)))
    torch.testing.assert_close(found[0, :, 0, 0], features[0, :, :5, :5].mean(dim=(1, 2)))
    torch.testing.assert_close(box_mean(features, 99), features.mean(dim=(-2, -1), keepdim=True).expand_as(features))


def test_nafnet_adds_nothing_before_it_is_trained_and_sees_a_crop_as_in_training():
    torch.manual_seed(0)
    network = NafNet(4, 3, width=4, encoder=(1, 1), middle=1, decoder=(1, 1), window=16)
    pictures = torch.rand(1, 4, 16, 16)
    assert not network(pictures).any()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    trained = network.train()(pictures)
    torch.testing.assert_close(network.eval()(pictures), trained)


def test_what_is_known_of_a_place_is_the_map_there_and_the_place():
    fwhm = torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(0))
    known = known_at(fwhm, Region(), (80, 80))
    # The first patch's middle is at an eighth of the side: between the tenth pixel and the eleventh.
    assert patch_centres()[0] * 80 == 10
    torch.testing.assert_close(known[:3, 9:11, 9:11].mean(dim=(1, 2)), fwhm[:, 0, 0], atol=0.05, rtol=0)
    np.testing.assert_allclose(known[3, :, 0], np.linspace(-1 + 1 / 80, 1 - 1 / 80, 80), atol=1e-6)
    np.testing.assert_allclose(known[5, 0, 0], np.sqrt(2) * (1 - 1 / 80), rtol=1e-6)
    part = known_at(fwhm, Region(0.25, 0.5, 0.25, 0.25), (20, 20))
    torch.testing.assert_close(part, known[:, 20:40, 40:60], atol=1e-6, rtol=1e-6)


def test_light_is_linear_as_the_camera_has_it(bank, own_colours):
    pictures = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    for camera in (bank.camera, own_colours.camera):
        expected = decode_picture(camera.sensor, pictures.permute(0, 2, 3, 1).numpy())
        np.testing.assert_allclose(linear_light(pictures, camera.sensor).permute(0, 2, 3, 1), expected, atol=1e-6)


def test_fringes_are_taken_off_red_and_blue_and_green_stays():
    torch.manual_seed(0)
    network = FringeNetwork(width=4, layers=3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    pictures = torch.rand(1, 3, 8, 8)
    corrected = network(pictures)
    torch.testing.assert_close(corrected[:, 1], pictures[:, 1])
    assert (corrected[:, ::2] != pictures[:, ::2]).any()
    swapped = network(pictures.flip(1)).flip(1)
    torch.testing.assert_close(swapped, corrected)


@pytest.mark.parametrize("side", [50, 128, 129, 400])
def test_patches_cover_a_side_and_overlap_by_half(side):
    found = list(patches(side))
    assert found[0].start == 0
    assert found[-1].stop == side
    assert all(one.stop - two.start >= 64 for one, two in pairwise(found))


def test_swinir_returns_the_capture_before_it_is_trained():
    captured = torch.rand((1, 3, 16, 24), generator=torch.Generator().manual_seed(0))
    restored = SwinIRLearner(12, (2,), 2).eval().restored(captured, Region(), "")
    torch.testing.assert_close(restored, captured, atol=1e-6, rtol=0)


def test_swinir_learns_the_same_with_the_activations_of_one_crop_at_a_time():
    gradients = []
    random = torch.Generator().manual_seed(0)
    clean, captured = torch.rand((2, 2, 3, 16, 16), generator=random)
    for one_by_one in (False, True):
        torch.manual_seed(0)
        learner = SwinIRLearner(12, (2,), 2, one_by_one=one_by_one)
        torch.nn.init.normal_(learner.network.conv_last.weight, std=0.1)  # so that the layers before it learn too
        learner.losses(Crops(clean, captured, []), random)["loss"].backward()
        gradients.append([parameter.grad for parameter in learner.parameters() if parameter.grad is not None])
    assert sum(bool(gradient.any()) for gradient in gradients[0]) > 10
    for whole, parts in zip(*gradients, strict=True):
        assert torch.allclose(whole, parts, atol=1e-6)
