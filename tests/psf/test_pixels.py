"""From samples to pixels: quadratures and the smooth edge do what their docstrings promise."""

import numpy as np
import pytest

from metalens.optics.sharp_edge import smooth_step
from metalens.psf.engines.pixels import pixel_centres, pixel_integrator, pixel_nodes, samples_across


@pytest.mark.parametrize("cycles", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize(("subsamples", "tolerance"), [(3, 0.02), (4, 0.02), (5, 2e-3), (6, 2e-3)])
def test_the_integrator_integrates_gratings_over_pixels(cycles, subsamples, tolerance):
    """∫ cos over a pixel is the cosine at its centre times sinc(cycles per pixel)."""
    pixels = 7
    middle = 2 + subsamples * (pixels // 2) + subsamples // 2
    sample = (np.arange(samples_across(pixels, subsamples)) - middle) / subsamples
    found = pixel_integrator(pixels, subsamples) @ np.cos(2 * np.pi * cycles * sample) / subsamples
    centre = np.arange(pixels) - pixels // 2
    expected = np.sinc(cycles) * np.cos(2 * np.pi * cycles * centre)
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_integrator_and_centres_share_one_scale():
    for gather in (pixel_integrator, pixel_centres):
        for subsamples in (1, 2, 3):
            np.testing.assert_allclose(gather(5, subsamples).sum(axis=1), subsamples, atol=1e-12)


def test_pixel_nodes_include_the_centre_and_resolve_the_band():
    node, weight = pixel_nodes(0.6e6, 1.75e-6)
    assert weight.sum() == pytest.approx(1)
    assert len(node) % 2 == 1
    assert node[len(node) // 2] == pytest.approx(0, abs=1e-18)
    frequency = 0.3e6
    assert np.cos(2 * np.pi * frequency * node) @ weight == pytest.approx(np.sinc(frequency * 1.75e-6), abs=1e-3)


def test_the_smooth_edge_keeps_the_area_of_a_disc():
    """Against the hard edge, whose sum errs a hundred times as much."""
    grid = np.arange(-40, 41)
    radius = np.hypot(grid[:, None], grid)
    errors = [
        np.mean([abs(count(r).sum() / (np.pi * r**2) - 1) for r in np.linspace(29, 31, 9)])
        for count in (lambda r: np.asarray(smooth_step(radius - r)), lambda r: radius <= r)
    ]
    assert errors[0] < 1e-5
    assert errors[1] > 100 * errors[0]
