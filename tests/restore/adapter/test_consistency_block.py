"""Data consistency as a block of the adapter: its solution, its gradients, its training, and its way through files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.pictures import read_picture, write_picture
from metalens.restore.adapter.adapter_file import load_restorer, save_adapter
from metalens.restore.adapter.consistency_block import ConsistencyBlock
from metalens.restore.adapter.lens_transfer import adapter_config, initialise, leaves_out_block, transfer_adapter
from metalens.restore.adapter.merging import merged_prior
from metalens.restore.adapter.restorer import AdapterConfig
from metalens.restore.deconvolution.consistency import blurred_again
from metalens.restore.deconvolution.local_blur import LocalBlur
from metalens.restore.deconvolution.most_probable import ITERATIONS, measured, most_probable
from metalens.restore.inference import data_consistency
from metalens.restore.inference.capture import Capture
from metalens.restore.inference.capture_files import captures_of
from metalens.restore.inference.data_consistency import DataConsistency, trained_consistency
from metalens.restore.inference.latents_file import load_latents, save_latents
from metalens.restore.inference.pseudo import degrade
from metalens.restore.inference.restoration import Settings, decode, decode_values, latents_of, restore
from metalens.restore.inference.restored_files import RestoreOptions, restore_files, take_camera
from metalens.restore.inference.uncertainty import calibrate, expected_error
from metalens.restore.metrics.measures import psnr
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
    without = perturbed(optics_restorer(bank, prior_folder))
    initialise(without, str(tmp_path / "with"))
    parameters, kept = without.parameters(), load_restorer(tmp_path / "plain", prior=prior_folder).parameters()
    assert parameters.keys() == kept.keys()
    assert all(torch.equal(parameters[name], kept[name]) for name in kept)


def saved(restorer, folder):
    folder.mkdir()
    save_adapter(folder, restorer)
    return str(folder)


def test_training_from_an_adapter_leaves_its_block_out_unless_it_is_asked_for(bank, prior_folder, tmp_path):
    start = saved(optics_restorer(bank, prior_folder, consistency="trained"), tmp_path / "with")
    config = adapter_config(start)
    assert (config.conditioning, config.consistency) == ("optics", "none")
    assert leaves_out_block(start, config)
    assert not leaves_out_block(start, replace(config, consistency="trained"))
    assert not leaves_out_block(saved(optics_restorer(bank, prior_folder), tmp_path / "plain"), config)


def test_the_block_goes_on_beside_lora_that_is_merged_for_the_tuning_of_all_weights(bank, prior_folder, tmp_path):
    lora = optics_restorer(bank, prior_folder, consistency="trained", form="plain")
    torch.nn.init.constant_(lora.consistency.noise, 0.25)
    full = optics_restorer(bank, prior_folder, consistency="trained", tuning="full")
    initialise(full, saved(lora, tmp_path / "lora"))
    assert (full.consistency.noise == 0.25).all()


@pytest.mark.long
def test_another_lens_is_restored_by_its_own_functions(bank, prior_folder, tmp_path):
    """Also by an adapter that was written for it without training."""
    other = replace(
        bank,
        camera=bank.camera.with_(name="other", lens={"defocus_um": 3.0}),
        intensity=np.roll(bank.intensity, (1, -1), axis=(-2, -1)),
    )
    restorer, capture = optics_restorer(bank, prior_folder, consistency="trained"), picture(3)
    before = restore(restorer, capture, [0.5])[0.5]
    transfer_adapter(saved(restorer, tmp_path / "with"), other, tmp_path / "moved", prior=prior_folder)
    take_camera(restorer, other, any_lens=True)
    found = restore(restorer, capture, [0.5])[0.5]
    its_own = optics_restorer(other, prior_folder, consistency="trained")
    assert np.array_equal(found, restore(its_own, capture, [0.5])[0.5])
    assert np.abs(found.astype(int) - before).max() > 3
    moved = load_restorer(tmp_path / "moved", prior=prior_folder)
    assert (moved.config.consistency, moved.bank.camera.hash) == ("trained", other.camera.hash)


def test_pseudo_captures_are_those_without_a_block(bank, prior_folder):
    with_block, without = (optics_restorer(bank, prior_folder, **more) for more in ({"consistency": "trained"}, {}))
    assert np.array_equal(degrade(with_block, picture(3)), degrade(without, picture(3)))


def test_parts_of_a_large_picture_meet_without_a_seam(bank, prior_folder, monkeypatch):
    restorer = optics_restorer(bank, prior_folder, consistency="trained")
    (seen,) = blurred_again([picture(9)], bank)
    decoded = as_tensor(picture(8))
    with torch.no_grad():
        whole = trained_consistency(restorer, decoded, seen)
        monkeypatch.setattr(data_consistency, "_LEAST_SIDE", 48)
        parts = trained_consistency(restorer, decoded, seen)
    assert not torch.equal(whole, parts)
    assert psnr(as_picture(whole), as_picture(parts)) > 35


def test_a_capture_of_16_bits_is_not_rounded_on_its_way_through_the_block(bank, prior_folder):
    restorer = optics_restorer(bank, prior_folder, consistency="trained")
    capture = np.tile(np.linspace(0.4, 0.42, PIXELS[1], dtype=np.float32)[:, None], (PIXELS[0], 1, 3))
    found = restore(restorer, capture, [0.5])[0.5]
    assert found.dtype == np.float32
    assert len(np.unique(found[PIXELS[0] // 2, :, 1])) > 0.9 * PIXELS[1]


def test_frames_that_are_steadied_keep_their_captures(bank, prior_folder, tmp_path):
    restorer = optics_restorer(bank, prior_folder, consistency="trained")
    for number in range(3):
        write_picture(tmp_path / f"clip-{number}.png", picture(3 + number))
    options = RestoreOptions([0.5], steady=0.3)
    done = restore_files(restorer, captures_of([tmp_path]), tmp_path / "out", options)
    assert [row["steadied"] for row in done.rows] == [False, True, True]
    first = restore(restorer, picture(3), [0.5])[0.5]
    assert np.array_equal(read_picture(tmp_path / "out" / "clip-0-alpha0.5.png"), first)


def test_the_expected_error_is_of_the_pictures_behind_the_block(bank, prior_folder):
    restorer = perturbed(optics_restorer(bank, prior_folder, consistency="trained"), by=0.01)
    clean, seen = picture(3), Capture(picture(4))
    restorer.training = {"uncertainty": calibrate(restorer, bank, [(clean, seen)])}
    latents = latents_of(restorer, seen.picture)
    values = decode_values(restorer, latents, 0.75)
    error = expected_error(restorer, latents, seen, values, bank)
    assert error.shape == PIXELS
    restorer.consistency.noise.data.add_(1.0)
    assert not np.allclose(expected_error(restorer, latents, seen, values, bank), error)


def test_a_block_without_the_lens_is_refused(bank, prior_folder):
    with pytest.raises(InputError, match="needs the lens' functions"):
        AdapterConfig(consistency="trained")
    restorer = optics_restorer(bank, prior_folder, consistency="trained", form="plain")
    with pytest.raises(InputError, match="a block of data consistency cannot be merged"):
        merged_prior(restorer, None)
