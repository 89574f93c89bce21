"""Conditioning by optics: linear restorations and contrast maps as inputs; tuning of all weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank_file import write_psf_bank
from metalens.psf.external_bank import grid_bank_of_functions
from metalens.restore.adapter.adapter_file import FUNCTIONS, load_restorer, save_adapter
from metalens.restore.adapter.lens_transfer import adapter_for, initialise, use_for_lens
from metalens.restore.adapter.paths import source_and_target
from metalens.restore.adapter.restorer import AdapterConfig, Restorer
from metalens.restore.conditioning.degradation_map import fwhm_map, lens_map, lost_contrast_map
from metalens.restore.conditioning.lens_maps import slim
from metalens.restore.deconvolution import linear_estimates
from metalens.restore.deconvolution.joint_wiener import wiener_joint
from metalens.restore.deconvolution.linear_estimates import ESTIMATE_CHANNELS, ESTIMATE_NOISE_SCALES, LinearEstimates
from metalens.restore.deconvolution.unseen_colour import fill_unseen
from metalens.restore.inference.pseudo import degrade
from metalens.restore.inference.restoration import Settings, decode_values, latents_of, restore
from metalens.restore.metrics.measures import psnr

from ..conftest import PIXELS, fresh_prior, textured


def flat(bank, light):
    """The bank with functions whose light lies evenly on the pixels where ``light`` is 1."""
    intensity = np.broadcast_to(light / light.sum(), bank.intensity.shape).astype(np.float32).copy()
    return replace(bank, intensity=intensity)


def optics_restorer(bank, prior_folder, *, seed=0, **config):
    torch.manual_seed(seed)
    settings = AdapterConfig(**({"unet_rank": 4, "encoder_rank": 4, "conditioning": "optics"} | config))
    lens = lens_map(bank, settings.conditioning)
    functions = slim(bank) if settings.conditioning == "optics" else None
    return Restorer(fresh_prior(prior_folder), settings, bank.camera, lens, "piqe", bank=functions)


def perturbed(restorer, *, by=0.02, only=""):
    with torch.no_grad():
        for name, parameter in restorer.parameters().items():
            if name.startswith(only):
                parameter.add_(by * torch.randn(parameter.shape))
    return restorer


@pytest.fixture(scope="module")
def soft(bank):
    """Functions without zeros of their transfer, whose inverse reaches no further than they do."""
    y, x = np.mgrid[-4:5, -4:5]
    gaussian = np.exp(-(y**2 + x**2) / 2)
    intensity = np.broadcast_to(gaussian / gaussian.sum(), (*bank.intensity.shape[:2], 9, 9)).astype(np.float32).copy()
    return replace(bank, intensity=intensity)


@pytest.mark.parametrize("number", range(len(ESTIMATE_NOISE_SCALES)))
def test_the_estimates_are_the_joint_wiener_filter_at_each_noise_scale(soft, number):
    # Smooth: single pixels that stand out would be taken for defects by the filter.
    capture = gaussian_filter(textured(1)[0], (1.5, 1.5, 0))
    estimate = LinearEstimates(soft)(capture)[..., 3 * number : 3 * number + 3]
    inner = slice(12, -12)
    reference = wiener_joint(capture, soft, ESTIMATE_NOISE_SCALES[number])
    assert psnr(reference[inner, inner], estimate[inner, inner]) > 45


def test_an_estimate_of_a_part_is_that_of_the_frame_but_for_its_border(soft):
    capture = textured(1)[0]
    estimates = LinearEstimates(soft)
    whole, part = estimates(capture), estimates(capture[8:56, 16:64], (8, 16))
    border = 8
    inner = slice(border, -border)
    assert psnr(whole[8:56, 16:64, :3][inner, inner], part[..., :3][inner, inner]) > 40
    with pytest.raises(InputError, match="does not lie on the bank's sensor"):
        estimates(capture, (8, 16))


def test_filters_that_are_too_large_to_be_kept_are_computed_for_each_capture(soft, monkeypatch):
    capture = textured(1)[0]
    kept = LinearEstimates(soft)(capture)
    monkeypatch.setattr(linear_estimates, "LARGEST_KEPT", 0)
    estimates = LinearEstimates(soft)
    np.testing.assert_array_equal(estimates(capture), kept)
    assert not estimates._filters


def test_a_part_of_the_frame_needs_the_filters_around_it_alone(soft):
    capture = textured(1)[0]
    estimates = LinearEstimates(soft)
    corner = estimates(capture[:16, :16], (0, 0))
    assert set(estimates._filters) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    estimates(capture)
    assert len(estimates._filters) == 9
    np.testing.assert_array_equal(estimates(capture[:16, :16], (0, 0)), corner)


def test_the_noise_scale_of_an_estimate_is_a_number_above_zero(bank):
    with pytest.raises(InputError, match="noise_scale"):
        LinearEstimates(bank, (1.0, 0.0))


def test_lost_contrast_is_that_of_the_transfer_function(bank):
    point = np.zeros((5, 5))
    point[2, 2] = 1
    assert lost_contrast_map(flat(bank, point), 0.1) == pytest.approx(0, abs=1e-6)
    box = np.zeros((5, 5))
    box[1:4, 1:4] = 1
    angle = np.pi * np.arange(8) / 8
    line = [(1 + 2 * np.cos(2 * np.pi * 0.1 * part)) / 3 for part in (np.sin(angle), np.cos(angle))]
    assert lost_contrast_map(flat(bank, box), 0.1) == pytest.approx(1 - np.abs(line[0] * line[1]).mean(), abs=1e-6)


def test_the_lens_map_is_the_fwhm_and_for_optics_the_lost_contrast_too(bank):
    assert np.array_equal(lens_map(bank), fwhm_map(bank))
    told = lens_map(bank, "optics")
    assert told.shape == (9, 7, 7)
    assert np.array_equal(told[:3], fwhm_map(bank))
    assert told.min() >= 0
    assert told.max() <= 1


def test_a_new_adapter_by_optics_changes_nothing_and_its_inputs_count_once_trained(
    bank, prior_folder, textured_pictures
):
    capture = textured_pictures[0]
    published = restore(optics_restorer(bank, prior_folder, conditioning="published"), capture, [0.5])[0.5]
    new = optics_restorer(bank, prior_folder)
    assert np.array_equal(restore(new, capture, [0.5])[0.5], published)
    for part in ("optics.encoder", "optics.unet"):
        told = perturbed(optics_restorer(bank, prior_folder), by=0.2, only=part)
        assert psnr(restore(told, capture, [0.5])[0.5], published) < 60


def test_an_adapter_by_optics_restores_in_tiles_and_steps_as_any_other(bank, prior_folder, textured_pictures):
    restorer = perturbed(optics_restorer(bank, prior_folder), by=0.05, only="optics")
    whole = restore(restorer, textured_pictures[0], [0.5])[0.5]
    tiled = restore(restorer, textured_pictures[0], [0.5], Settings(tile=32))[0.5]
    assert psnr(whole, tiled) > 30
    assert restore(restorer, textured_pictures[0], [0.5], Settings(steps=2))[0.5].shape == whole.shape


def test_clean_pictures_have_no_linear_restorations(bank, prior_folder, textured_pictures):
    restorer = perturbed(optics_restorer(bank, prior_folder), by=0.2, only="optics")
    plain = optics_restorer(bank, prior_folder, conditioning="published")
    assert np.array_equal(degrade(restorer, textured_pictures[0]), degrade(plain, textured_pictures[0]))
    clean, captured = torch.rand(1, 3, 8, 8), torch.rand(1, 3 + ESTIMATE_CHANNELS, 8, 8)
    source, target = source_and_target("negative", clean, clean, captured)
    assert torch.equal(source[:, :3], clean)
    assert not source[:, 3:].any()
    assert torch.equal(target, captured[:, :3])
    assert source_and_target("positive", clean, clean, captured)[0] is captured


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_an_adapter_by_optics_is_kept_with_its_functions(bank, prior_folder, tmp_path, textured_pictures, tuning):
    restorer = perturbed(optics_restorer(bank, prior_folder, tuning=tuning), by=0.01)
    save_adapter(tmp_path, restorer)
    loaded = load_restorer(tmp_path)
    again = restore(loaded, textured_pictures[0], [1.0])[1.0]
    # In half precision.
    assert psnr(restore(restorer, textured_pictures[0], [1.0])[1.0], again) > 45
    other = replace(bank, camera=bank.camera.model_copy(update={"name": "other", "description": "another"}))
    other = replace(other, camera=other.camera.model_copy(update={"sensor": _noisier(bank.camera.sensor)}))
    (tmp_path / FUNCTIONS).unlink()
    write_psf_bank(tmp_path / FUNCTIONS, slim(other))
    with pytest.raises(InputError, match="copy the adapter again"):
        load_restorer(tmp_path)
    (tmp_path / FUNCTIONS).unlink()
    with pytest.raises(InputError, match=FUNCTIONS):
        load_restorer(tmp_path)


def _noisier(sensor):
    return sensor.model_copy(update={"read_noise_e": 2 * sensor.read_noise_e + 1})


def test_another_lens_brings_its_own_linear_restorations(bank, prior_folder, tmp_path, textured_pictures):
    restorer = perturbed(optics_restorer(bank, prior_folder), by=0.2, only="optics")
    save_adapter(tmp_path, restorer)
    point = np.zeros((5, 5))
    point[2, 2] = 1
    sharp = flat(bank, point)
    told = adapter_for(str(tmp_path), sharp)
    before = restorer.network_input(textured_pictures[0])
    use_for_lens(restorer, sharp)
    after = restorer.network_input(textured_pictures[0])
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
    assert torch.equal(told.network_input(textured_pictures[0]), after)


def test_lora_starts_the_tuning_of_all_weights(bank, prior_folder, tmp_path, textured_pictures):
    plain = perturbed(optics_restorer(bank, prior_folder, conditioning="published", form="plain"))
    save_adapter(tmp_path, plain)
    full = optics_restorer(bank, prior_folder, seed=1, tuning="full")
    initialise(full, str(tmp_path))
    expected = restore(load_restorer(tmp_path), textured_pictures[0], [1.0])[1.0]
    assert psnr(restore(full, textured_pictures[0], [1.0])[1.0], expected) > 50
    save_adapter(tmp_path, full)
    with pytest.raises(InputError, match="this training asks for"):
        initialise(plain, str(tmp_path))


@pytest.mark.parametrize("form", ["local", pytest.param("global", marks=pytest.mark.long)])
def test_published_conditioning_starts_conditioning_by_optics(bank, prior_folder, tmp_path, form, textured_pictures):
    published = perturbed(optics_restorer(bank, prior_folder, conditioning="published", form=form))
    save_adapter(tmp_path, published)
    told = optics_restorer(bank, prior_folder, seed=1, form=form)
    initialise(told, str(tmp_path))
    expected = restore(load_restorer(tmp_path), textured_pictures[0], [1.0])[1.0]
    # The further inputs begin at 0.
    assert psnr(restore(told, textured_pictures[0], [1.0])[1.0], expected) > 50


def test_what_does_not_go_together_is_refused(bank, prior_folder, textured_pictures):
    with pytest.raises(InputError, match="skips are not offered"):
        AdapterConfig(skips=True, conditioning="optics")
    restorer = optics_restorer(bank, prior_folder)
    restorer.bank = None
    with pytest.raises(InputError, match="needs its camera's point spread functions"):
        restore(restorer, textured_pictures[0], [0.5])
    assert textured_pictures[0].shape[:2] == PIXELS


def test_colours_that_leave_the_frame_are_filled_from_the_others(bank, prior_folder):
    y, x = np.mgrid[-2:3, -2:3]
    intensity = bank.as_grid(bank.intensity).copy()
    for row, column in np.ndindex(3, 3):
        intensity[row, column, 2] = (y == 2 * (row - 1)) & (x == 2 * (column - 1))
    outward = grid_bank_of_functions(bank.camera, intensity, {"engine": "made up"})
    restorer = optics_restorer(outward, prior_folder)
    latents = latents_of(restorer, textured(1)[0])
    filled = decode_values(restorer, latents, 0.5)
    restorer.bank = None
    alone = decode_values(restorer, latents, 0.5)
    assert np.array_equal(filled, fill_unseen(alone, outward))
    assert not np.array_equal(filled[..., 2], alone[..., 2])
    assert np.array_equal(filled[..., :2], alone[..., :2])
