"""Resolution from slanted edges: closed forms of known blurs, and a chart that can be measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from metalens.formats.files.errors import InputError
from metalens.formats.pictures.scene import linear_to_srgb, srgb_to_linear, to_8_bit
from metalens.restore.metrics.edge_chart import DARK, LIGHT, edge_chart, edge_regions
from metalens.restore.metrics.slanted_edge import FREQUENCY, mtf50, resolution, shows_edge

PIXELS = (280, 320)


@pytest.fixture(scope="module")
def chart():
    return edge_chart(PIXELS)


def blurred(chart, sigma):
    return to_8_bit(linear_to_srgb(gaussian_filter(srgb_to_linear(chart).astype(float), (*sigma, 0))))


def test_a_sharp_chart_has_the_resolution_of_its_pixels(chart):
    # A square pixel passes sin(πf)/(πf), which is one half at 0.6034 cycles per pixel.
    assert resolution(chart)["whole"] == pytest.approx(0.6034, rel=0.02)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_a_gaussian_blur_has_its_closed_form(chart, sigma):
    # A pixel is nearly a Gaussian of the same variance, 1/12; the window makes the figure a few percent too high.
    expected = math.sqrt(math.log(2) / 2) / (math.pi * math.hypot(sigma, 1 / math.sqrt(12)))
    assert resolution(blurred(chart, (sigma, sigma)))["whole"] == pytest.approx(expected, rel=0.05)


def test_noise_hardly_changes_the_figure(chart):
    soft = blurred(chart, (1.5, 1.5))
    noisy = np.clip(soft + np.random.default_rng(0).normal(0, 3, soft.shape), 0, 255).astype(np.uint8)
    assert resolution(noisy)["whole"] == pytest.approx(resolution(soft)["whole"], rel=0.06)


def test_a_blur_at_the_edge_of_the_field_is_found_there(chart):
    soft = blurred(chart, (2.0, 2.0))
    mixed = soft.copy()
    middle = (slice(93, 187), slice(106, 214))
    mixed[middle] = chart[middle]
    found = resolution(mixed)
    assert found["centre"] > 2 * found["edge"]


def test_a_picture_without_edges_has_no_resolution(chart):
    noise = np.random.default_rng(0).integers(0, 256, chart.shape, dtype=np.uint8)
    assert all(math.isnan(value) for value in resolution(noise).values())
    assert math.isnan(resolution(np.full_like(chart, 128))["whole"])

    # Lost at the edge of the field only, the centre still has one.
    mixed = chart.copy()
    mixed[:45] = noise[:45]
    found = resolution(mixed)
    assert found["centre"] == pytest.approx(resolution(chart)["centre"])
    assert math.isnan(found["edge"])
    assert math.isnan(found["whole"])


@pytest.mark.parametrize("sigma", [0.5, 6.0])
def test_an_edge_is_one_however_soft(chart, sigma):
    light = srgb_to_linear(blurred(chart, (sigma, sigma)))[..., 1]
    assert all(shows_edge(region.of(light)) for region in edge_regions(PIXELS))


def test_every_region_holds_one_edge_from_light_to_dark(chart):
    light = srgb_to_linear(chart)[..., 1]
    regions = edge_regions(PIXELS)
    assert len(regions) == 36
    for region in regions:
        part = region.of(light)
        ends = sorted([part[:, :4].mean(), part[:, -4:].mean()])
        np.testing.assert_allclose(ends, [DARK, LIGHT], atol=0.01)
        assert np.abs(np.diff(part, axis=1)).sum(axis=1) == pytest.approx(LIGHT - DARK, abs=0.01)


def test_a_response_that_never_falls_to_one_half_reads_the_highest_frequency():
    assert mtf50(np.ones_like(FREQUENCY)) == 1
    assert mtf50(1 - FREQUENCY) == pytest.approx(0.5)


def test_a_frame_that_is_too_small_is_refused():
    with pytest.raises(InputError, match="edges would be too short to be measured, each side must have at least 180"):
        edge_chart((100, 400))
