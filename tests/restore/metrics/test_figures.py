"""Figures of pictures: what equal ones read, which way each one goes, zones, and what is missing with its reason."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import srgb_to_linear, to_8_bit
from metalens.restore.deconvolution.consistency import blurred_again, consistency
from metalens.restore.metrics.catalogue import METRICS
from metalens.restore.metrics.measures import perceptual_distance, ssim, ssim_map
from metalens.restore.metrics.network_metrics import PYIQA, fill, network_metric
from metalens.restore.metrics.perceptual import load_efficientnet, load_shift_tolerant
from metalens.restore.metrics.pixelwise import colour_difference, colour_figures, psnr_figures, ssim_figures


@pytest.fixture(scope="module")
def clean():
    return skimage.data.astronaut()[32:160, 160:288]


@pytest.fixture(scope="module")
def blurred(clean):
    return to_8_bit(gaussian_filter(clean / 255, (2, 2, 0)))


COMPUTED = [metric for metric in METRICS if metric.missing() is None]


@pytest.mark.parametrize("metric", COMPUTED, ids=lambda metric: metric.key)
def test_a_metric_prefers_the_clean_picture_to_a_blurred_one(metric, clean, blurred):
    if metric.smallest > len(clean):
        # More of the photograph: NIQE compares with the statistics of natural pictures, which an enlarged one lacks.
        clean = skimage.data.astronaut()[: 2 * len(clean), : 2 * len(clean)]
        blurred = to_8_bit(gaussian_filter(clean / 255, (2, 2, 0)))
    same, other = (found["whole"] for found in metric.load("cpu")(clean, [clean, blurred]))
    assert (same > other) if metric.better == "higher" else (same < other)


def test_what_needs_no_weights_is_always_there():
    always = {"psnr", "ssim", "ms_ssim", "fsim", "vif", "gmsd", "delta_e", "st_lpips", "efficientnet", "piqe"}
    assert always <= {metric.key for metric in COMPUTED}


def test_a_picture_that_is_too_small_for_a_metric_is_a_reason():
    metric = next(each for each in METRICS if each.key == "ms_ssim")
    assert metric.reason((400, 400, 3)) is None
    assert metric.reason((128, 400, 3)) == "pictures of 128 × 400 pixels are too small for it, which needs 176"


def test_colours_differ_by_what_is_published():
    # CIELAB's lightness alone: greys of sRGB 118 and 122 lie 1.59 apart, of which CIEDE2000 makes 1.56 at L* near 50.
    grey = np.full((8, 8, 3), 118, np.uint8)
    assert colour_difference(grey, grey).max() == 0
    assert float(colour_difference(grey, grey + 4).mean()) == pytest.approx(1.55, abs=0.1)


@pytest.mark.parametrize("figures", [psnr_figures, ssim_figures, colour_figures])
def test_the_centre_of_the_field_is_as_good_as_it_is_whatever_lies_around_it(figures, clean, blurred):
    mixed = blurred.copy()
    mixed[32:96, 32:96] = clean[32:96, 32:96]
    found = figures(clean, mixed)
    perfect = {psnr_figures: math.inf, ssim_figures: pytest.approx(1, abs=1e-3), colour_figures: 0}
    assert found["centre"] == perfect[figures]
    assert found["edge"] == pytest.approx(figures(clean, blurred)["edge"], rel=0.02)
    assert set(found) == {"whole", "centre", "middle", "edge"}


def test_the_map_of_similarity_has_the_mean_that_is_told(clean, blurred):
    # skimage leaves five pixels out at the border, where the window reaches over it.
    inner = ssim_map(clean, blurred)[5:-5, 5:-5]
    assert float(inner.mean()) == pytest.approx(ssim(clean, blurred), abs=1e-9)


@pytest.mark.parametrize(("load", "network"), [(load_shift_tolerant, "vgg"), (load_efficientnet, "efficientnet")])
def test_perceptual_distances_have_zones_and_the_whole_is_the_usual_one(clean, blurred, load, network):
    mixed = blurred.copy()
    mixed[32:96, 32:96] = clean[32:96, 32:96]
    both, around = load("cpu")(clean, [blurred, mixed])
    assert both["whole"] == pytest.approx(perceptual_distance(clean, blurred, network), rel=1e-5)
    # Coarse features of the centre see what lies around it, and those of the edge what does not.
    assert around["centre"] < 0.3 * both["centre"]
    assert around["edge"] == pytest.approx(both["edge"], rel=0.2)


def test_a_picture_is_blurred_again_as_its_camera_writes_it(own_colours):
    flat = np.full((64, 80, 3), 150, dtype=np.uint8)
    again = blurred_again([flat], own_colours)[0]
    # Grey stays grey under the matrix; the curve is the camera's power.
    np.testing.assert_allclose(again, srgb_to_linear(flat) ** (1 / 1.8), atol=1e-3)


def test_a_picture_that_explains_the_capture_is_consistent_and_made_up_detail_is_not(bank, textured_pictures):
    clean = textured_pictures[0]
    captured = to_8_bit(blurred_again([clean], bank)[0])
    invented = np.clip(clean + np.random.default_rng(0).normal(0, 60, clean.shape), 0, 255).astype(np.uint8)
    true, made_up = consistency(captured, [clean, invented], bank)
    # What is left of the true one is rounding to 8 bits, 58.9 dB.
    assert true > 55
    assert made_up < true - 15


def test_missing_weights_are_named_with_their_place(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert network_metric("lpips")[1]().startswith("its weights are not on this machine: put vgg16-397923af.pth into ")
    assert "put ckpt_koniq10k.pt into" in PYIQA["maniqa"].missing()
    assert "put vgg16-397923af.pth into" in PYIQA["dists"].missing()


def test_weights_that_are_damaged_or_incomplete_are_one_sentence(tmp_path):
    network, path = torch.nn.Linear(2, 1), tmp_path / "weights.pth"
    path.write_bytes(b"no weights")
    with pytest.raises(InputError, match="not a readable weight file"):
        fill(network, path, needed=("weight",))
    torch.save({"module.weight": torch.ones(1, 2)}, path)
    with pytest.raises(InputError, match="lacks bias; remove it and fetch it again"):
        fill(network, path, needed=("weight", "bias"))
    fill(network, path, needed=("weight",))
    assert network.weight.tolist() == [[1, 1]]
