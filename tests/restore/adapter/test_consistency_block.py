"""Data consistency as a block of the adapter: its solution, its gradients, its training, and its way through files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.adapter.consistency_block import ConsistencyBlock
from metalens.restore.adapter.lens_transfer import initialise
from metalens.restore.adapter.merging import merged_prior
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.most_probable import ITERATIONS, measured, most_probable
from metalens.restore.inference.data_consistency import DataConsistency
from metalens.restore.inference.latents_file import load_latents, save_latents
from metalens.restore.inference.restoration import Settings, decode, latents_of, restore
from metalens.restore.metrics.picture_tensors import as_picture, as_tensor, display_of, light_of_display

from ..conftest import PIXELS, textured
from .test_optics_conditioning import optics_restorer, perturbed

SIDE = 48
STEP = 1e-3


def picture(seed, pixels=PIXELS):
    return textured(1, seed, pixels)[0]


@pytest.fixture(scope="module")
def scene(bank):
    """A part of the frame: blur, captured light, weight, and a decoded picture that is wrong by a texture."""
    # Away from black and white, where display values have a kink.
    capture = 64 + picture(3, (SIDE, SIDE)) // 2
    blur = LocalBlur(bank, (SIDE, SIDE), (8, 4))
    expected = as_tensor(picture(4, (SIDE, SIDE))) * 0.2 + as_tensor(capture) * 0.8
    return blur, *measured(bank.camera.sensor, capture), expected


def block_with(seed: int) -> ConsistencyBlock:
    torch.manual_seed(seed)
    block = ConsistencyBlock()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return block


def test_display_values_and_light_are_inverse_also_beyond_their_range():
    values = torch.linspace(-0.3, 1.3, 161)
    torch.testing.assert_close(display_of(light_of_display(values)), values, atol=2e-5, rtol=0)


def test_an_untrained_block_is_data_consistency_with_its_default_error(bank):
    capture, expected = picture(3), picture(4)
    published = DataConsistency(bank, iterations=ITERATIONS)(expected, capture)
    blur = LocalBlur(bank, PIXELS)
    found = ConsistencyBlock()(as_tensor(expected), *measured(bank.camera.sensor, capture), blur)
    assert np.abs(as_picture(found.detach()).astype(int) - published).max() <= 1


def test_the_solution_is_that_of_the_normal_equations(scene):
    """With D and its transpose as dense matrices: x = x̂ + D (1 + Dᵀ Hᵀ W H D)⁻¹ Dᵀ Hᵀ W (y − H x̂)."""
    blur, light, weight, expected = scene
    mean = blur.extend(light_of_display(expected))
    count = 6
    torch.manual_seed(0)
    directions = torch.randn(count, *mean.shape) * 0.02
    found = most_probable(
        blur,
        light,
        weight,
        mean,
        deviation=lambda unknown: torch.einsum("n,ncyx->cyx", unknown, directions),
        transposed=lambda other: torch.einsum("cyx,ncyx->n", other, directions),
        iterations=count,
    )
    images = torch.stack([blur.forward(each) for each in directions]).double()
    matrix = torch.eye(count) + torch.einsum("ncyx,cyx,mcyx->nm", images, weight.double(), images)
    right = torch.einsum("ncyx,cyx->n", images, (weight * (light - blur.forward(mean))).double())
    exact = mean + torch.einsum("n,ncyx->cyx", torch.linalg.solve(matrix, right).float(), directions)
    torch.testing.assert_close(found, exact, atol=1e-4, rtol=1e-3)


def test_gradients_agree_with_finite_differences(scene):
    blur, light, weight, expected = scene
    block, target = block_with(1), as_tensor(picture(5, (SIDE, SIDE)))

    def loss() -> torch.Tensor:
        return (block(expected, light, weight, blur) - target).square().mean()

    loss().backward()
    for parameter in block.parameters():
        direction = torch.sign(parameter.grad)
        with torch.no_grad():
            parameter.add_(STEP * direction)
            above = loss()
            parameter.sub_(2 * STEP * direction)
            below = loss()
            parameter.add_(STEP * direction)
        slope = float(parameter.grad.abs().sum())
        assert (above - below).item() / (2 * STEP) == pytest.approx(slope, rel=0.05, abs=1e-5)


def test_the_networks_before_the_block_get_gradients(bank, prior_folder):
    restorer = perturbed(optics_restorer(bank, prior_folder, consistency="trained"), by=0.02)
    source = restorer.network_input(picture(3))
    maps = restorer.maps(torch.zeros(1, *restorer.lens_map.shape[-2:]))
    restorer.forward(source, maps, ["neutral"], [(0, 0)]).square().mean().backward()
    reached = {name.split(".")[0] for name, each in restorer.parameters().items() if each.grad is not None}
    assert {"unet", "vae", "consistency"} <= reached


@torch.no_grad()
def test_the_negative_path_degrades_and_takes_no_block(bank, prior_folder):
    with_block = optics_restorer(bank, prior_folder, consistency="trained")
    without = optics_restorer(bank, prior_folder)
    source = with_block.clean_input(as_tensor(picture(3))[None])
    maps = with_block.maps(torch.zeros(1, *with_block.lens_map.shape[-2:]))
    assert torch.equal(
        with_block.forward(source, maps, ["negative"], [(0, 0)]), without.forward(source, maps, ["negative"])
    )
    with pytest.raises(ValueError, match="needs the place"):
        with_block.forward(source, maps, ["positive"])


def test_a_restored_picture_passes_the_block_and_no_other_consistency(bank, prior_folder):
    restorer, capture = optics_restorer(bank, prior_folder, consistency="trained"), picture(3)
    plain = optics_restorer(bank, prior_folder)
    found = restore(restorer, capture, [0.5])[0.5]
    published = restore(plain, capture, [0.5], consistency=DataConsistency(restorer.bank))[0.5]
    # The published form starts from a picture of 8 bits, clipped where the decoder goes beyond 0..1.
    assert np.mean(np.abs(found.astype(int) - published) > 1) < 0.02
    assert np.array_equal(restore(restorer, capture, [0.5], consistency=DataConsistency(bank))[0.5], found)


def test_latents_keep_what_the_block_needs(bank, prior_folder, tmp_path):
    restorer = perturbed(optics_restorer(bank, prior_folder, consistency="trained"), by=0.01)
    settings = Settings(place=(0, 8))
    capture = picture(3, (PIXELS[0], PIXELS[1] - 8))
    latents = latents_of(restorer, capture, settings)
    save_latents(tmp_path / "a.safetensors", latents, restorer=restorer, capture=capture, settings=settings)
    read = load_latents(tmp_path / "a.safetensors", restorer)
    assert read.place == (0, 8)
    assert np.array_equal(decode(restorer, read, 0.75), decode(restorer, latents, 0.75))
    with pytest.raises(InputError, match="decodes only with the capture"):
        decode(restorer, replace(latents, capture=None), 0.75)


def test_the_block_is_kept_with_the_adapter_and_starts_untrained_from_one_without(bank, prior_folder, tmp_path):
    for name, restorer in (
        ("plain", optics_restorer(bank, prior_folder)),
        ("with", optics_restorer(bank, prior_folder, consistency="trained")),
    ):
        (tmp_path / name).mkdir()
        if restorer.consistency is not None:
            torch.nn.init.constant_(restorer.consistency.deviation, 0.25)
        save_adapter(tmp_path / name, restorer)
    read = load_restorer(tmp_path / "with", prior=prior_folder)
    assert read.config.consistency == "trained"
    assert (read.consistency.deviation == 0.25).all()
    initialise(read, str(tmp_path / "plain"))
    assert (read.consistency.deviation == 0).all()
    with pytest.raises(InputError, match="this training asks for"):
        initialise(optics_restorer(bank, prior_folder), str(tmp_path / "with"))


def test_a_block_without_the_lens_is_refused(bank, prior_folder):
    with pytest.raises(InputError, match="needs the lens' functions"):
        AdapterConfig(consistency="trained")
    restorer = optics_restorer(bank, prior_folder, consistency="trained", form="plain")
    with pytest.raises(InputError, match="a block of data consistency cannot be merged"):
        merged_prior(restorer, None)
