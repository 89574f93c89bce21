"""Quadratures and samplings do what their docstrings promise."""

import numpy as np
import pytest

from metalens.formats.errors import InputError
from metalens.formats.spectrum import Channel, Spectrum
from metalens.optics import EvenPolynomial, Hyperbolic, Metalens
from metalens.psf.aperture_edge import smooth_step
from metalens.psf.rays import pupil_points, ray_landing
from metalens.psf.sampling import (
    choose_grid,
    choose_sampling,
    pixel_centres,
    pixel_integrator,
    pixel_nodes,
    samples_across,
)
from metalens.psf.spectrum import channel_quadrature, spectral_quadrature

LENS = Metalens(0.5e-3, 1e-3, Hyperbolic(1e-3, 532e-9))


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


def test_the_rays_of_a_hyperbolic_lens_meet_on_its_axis():
    y, x = ray_landing(LENS, 532e-9, (0.0, 0.0), *pupil_points(LENS))
    assert np.abs(y).max() < 1e-9
    assert np.abs(x).max() < 1e-9


def test_a_larger_window_takes_more_tiles_and_their_number_is_odd():
    counts = [choose_sampling(LENS, 511e-9, (0.0, 0.2), half).tiles for half in (10e-6, 40e-6, 80e-6)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert all(count % 2 for count in counts)


def test_the_grid_resolves_the_light_of_every_field():
    grid = choose_grid(LENS, 450e-9, (101, 101), 1.75e-6)
    step = 1.75e-6 / grid.subsamples
    # Nyquist for the waves from rim to window, and for the lens' own phase.
    assert 0.5 / step > np.sin(np.arctan((250e-6 + 88e-6) / 1e-3)) / 450e-9
    assert 0.5 / step > np.sin(np.arctan(0.25)) / 532e-9
    assert grid.size[0] * step > 0.5e-3 + 101 * 1.75e-6


def test_a_phase_too_steep_to_sample_is_refused():
    steep = Metalens(0.5e-3, 1e-3, EvenPolynomial(np.array([-3e4]), 0.25e-3))
    with pytest.raises(InputError, match="slope of the phase"):
        choose_grid(steep, 450e-9, (101, 101), 1.75e-6)


def test_a_band_has_the_mean_and_the_variance_of_its_gaussian():
    wavelength, weight = channel_quadrature(Channel(name="red", centre_nm=620, fwhm_nm=30), 5)
    assert weight.sum() == pytest.approx(1)
    assert weight @ wavelength == pytest.approx(620e-9)
    sigma = np.sqrt(weight @ (wavelength - 620e-9) ** 2)
    assert sigma == pytest.approx(30e-9 / 2.3548, rel=1e-4)


def test_a_laser_line_has_one_node():
    wavelength, weight = channel_quadrature(Channel(name="red", centre_nm=620, fwhm_nm=0), 9)
    assert wavelength.tolist() == [620e-9]
    assert weight.tolist() == [1.0]


def test_the_channels_share_one_ascending_list_of_wavelengths():
    channels = tuple(
        Channel(name=name, centre_nm=centre, fwhm_nm=width)
        for name, centre, width in [("red", 620, 30), ("green", 530, 0), ("blue", 455, 20)]
    )
    wavelength, weight = spectral_quadrature(Spectrum(channels=channels, wavelengths_per_channel=3))
    assert np.all(np.diff(wavelength) > 0)
    assert weight.shape == (3, 7)
    np.testing.assert_allclose(weight.sum(axis=1), 1)
    np.testing.assert_allclose(weight @ wavelength, [620e-9, 530e-9, 455e-9])
