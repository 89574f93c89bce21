"""Figures of point spread functions whose figures are known in closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import j0, j1

from metalens import optics
from metalens.formats.files.errors import InputError, InputWarning
from metalens.psf import measures, simulate_psf

PITCH = 0.5e-6
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


def gaussian(sigma_y: float, sigma_x: float, turn: float = 0.0, size: int = 81, at=(0.0, 0.0)) -> np.ndarray:
    """Unit sum; widths and position in samples, turned by an angle in radians."""
    y, x = measures.sample_positions((size, size), 1.0)
    y, x = y - at[0], x - at[1]
    along_y, along_x = np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x
    image = np.exp(-0.5 * ((along_y / sigma_y) ** 2 + (along_x / sigma_x) ** 2))
    return image / image.sum()


def airy(samples_per_unit: float, size: int, at=(0.0, 0.0), inside: int = 1) -> np.ndarray:
    """(2J₁(πr)/πr)², r in λN, of peak 1; with ``inside`` > 1 the mean over that many points a side of each sample."""
    part = (np.arange(inside) - (inside - 1) / 2) / inside
    y, x = measures.sample_positions((size, size), 1.0)
    image = np.zeros((size, size))
    for step_y in part:
        for step_x in part:
            v = np.pi * np.hypot(y - at[0] + step_y, x - at[1] + step_x) / samples_per_unit
            image += np.where(v < 1e-6, 1.0, 2 * j1(v) / np.where(v < 1e-6, 1.0, v)) ** 2
    return image / inside**2


def disc(radius: float, size: int = 81) -> np.ndarray:
    """Even light of unit sum on a disc, its rim smoothed over a sample."""
    y, x = measures.sample_positions((size, size), 1.0)
    image = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    return image / image.sum()


def point(size: int = 41) -> np.ndarray:
    image = np.zeros((size, size))
    image[size // 2, size // 2] = 1.0
    return image


# Moments and energy


def test_moments_of_a_gaussian():
    image = gaussian(3, 4, at=(6.0, -3.0))
    assert measures.rms_width(image, PITCH) == pytest.approx(5 * PITCH, rel=1e-4)
    assert measures.centroid(image, PITCH) == pytest.approx([6 * PITCH, -3 * PITCH], rel=1e-3)
    np.testing.assert_allclose(measures.second_moments(image, 1.0), np.diag([9, 16]), atol=1e-3)


def test_a_turned_gaussian_has_mixed_moments():
    """R diag(σ²) Rᵀ of the turn."""
    turn = 0.4
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    np.testing.assert_allclose(
        measures.second_moments(gaussian(2, 4, turn), 1.0), axes @ np.diag([4, 16]) @ axes.T, atol=1e-3
    )


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_energy_radii_of_a_gaussian(sigma):
    """1 − exp(−r²/2σ²) of the light lies within r of the centroid, wherever that is."""
    image = gaussian(sigma, sigma, at=(6.0, -3.0))
    found = measures.energy_radius(image, PITCH, (0.5, 0.8), integrated=False)
    expected = sigma * PITCH * np.sqrt(-2 * np.log([0.5, 0.2]))
    assert found == pytest.approx(expected, rel=4e-3)  # the narrowest is just resolved
    assert measures.half_energy_radius(image, PITCH, integrated=False) == found[0]


@pytest.mark.parametrize("inside", [1, 9])
@pytest.mark.parametrize("at", [(0.0, 0.0), (0.3, -0.45)])
@pytest.mark.parametrize("sampling", [2.2, 2.5, 4.0, 10.0])
def test_energy_radii_of_an_airy_pattern_do_not_depend_on_its_sampling(sampling, at, inside):
    """1 − J₀² − J₁² of all light, 4/π (λN)²: 0.535 and 0.897 λN. Samples spread over their pixels read 6 % more."""
    image = airy(sampling, 2 * int(12 * sampling) + 1, at, inside)
    window = image.sum() / (4 / np.pi * sampling**2)
    found = measures.energy_radius(image, 1 / sampling, (0.5 / window, 0.8 / window), integrated=inside > 1)
    expected = [brentq(lambda r, s=s: 1 - j0(np.pi * r) ** 2 - j1(np.pi * r) ** 2 - s, 0.1, 1.0) for s in (0.5, 0.8)]
    assert expected == pytest.approx([0.535, 0.897], abs=1e-3)
    assert found == pytest.approx(expected, rel=5e-3)


def test_the_energy_radius_of_a_wide_and_of_a_narrow_spot_join():
    """About the 16 samples within which the function is interpolated, the radius follows the width without a step."""
    widths = np.linspace(8.5, 9.5, 11)
    radii = [measures.energy_radius(gaussian(w, w, size=121), 1.0, (0.8,), integrated=False)[0] for w in widths]
    assert np.array(radii) == pytest.approx(widths * np.sqrt(-2 * np.log(0.2)), rel=2e-3)


def test_energy_radii_of_a_disc():
    """A share s of an even disc lies within R√s; its rms width is R/√2."""
    found = measures.energy_radius(disc(20), 1.0, (0.5, 0.8), integrated=True)
    assert found == pytest.approx(20 * np.sqrt([0.5, 0.8]), rel=5e-3)
    assert measures.rms_width(disc(20), 1.0) == pytest.approx(20 / np.sqrt(2), rel=5e-3)


def test_encircled_energy_grows_to_the_whole():
    radii = PITCH * np.array([0.0, 4.0, 8.0, 100.0])
    energy = measures.encircled_energy(gaussian(4, 4), PITCH, radii, integrated=False)
    assert np.all(np.diff(energy) > 0)
    assert energy[-1] == pytest.approx(1.0)
    assert energy[1] == pytest.approx(1 - np.exp(-0.5), abs=1e-3)


def test_encircled_energy_of_an_airy_pattern():
    """1 − J₀² − J₁² = 0.8378 at the first null, 1.2197 λN; the pattern's whole energy is 4/π (λN)²."""
    energy = measures.encircled_energy(airy(10, 101), 1.0, 12.197, integrated=False)
    assert energy / (4 / np.pi * 10**2) == pytest.approx(0.8378, abs=1e-3)


def test_the_energy_radius_holds_what_it_says():
    image = 0.3 * gaussian(1.5, 1.5) + 0.7 * gaussian(9, 5, 0.3)
    radii = measures.energy_radius(image, 1.0, (0.2, 0.5, 0.8, 0.95), integrated=False)
    centre = tuple(measures.centroid(image, 1.0))
    energy = measures.encircled_energy(image, 1.0, radii, centre, integrated=False)
    assert energy == pytest.approx([0.2, 0.5, 0.8, 0.95], abs=2e-3)


# Peak and Strehl ratio


@settings(max_examples=20, deadline=None)
@given(at=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
def test_the_peak_is_found_between_the_samples(at):
    """At 2.2 samples to λN, little more than the band limit's 2, the highest sample may lie 20 % below the peak."""
    place, height = measures.find_peak(airy(2.2, 65, at), integrated=False)
    assert height == pytest.approx(1.0, abs=5e-3)
    assert place - 32 == pytest.approx(at, abs=0.02)


@settings(max_examples=5, deadline=None)
@given(at=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
def test_the_average_over_the_samples_is_undone(at):
    image = airy(2.2, 49, at, inside=9)
    assert image.max() < 0.93
    assert measures.find_peak(image, integrated=True)[1] == pytest.approx(1.0, abs=5e-3)


def test_an_airy_pattern_has_the_strehl_ratio_1():
    """Its peak is A/(λf)², with A = π(D/2)² and N = f/D."""
    wavelength, focal_length, diameter = 532e-9, 1e-3, 0.1e-3
    area = np.pi * diameter**2 / 4
    spacing = wavelength * focal_length / diameter / 2.5
    energy = airy(2.5, 65, at=(0.4, -0.3)) * area / (wavelength * focal_length) ** 2 * spacing**2
    density = measures.find_peak(energy, integrated=False)[1] / spacing**2
    assert measures.strehl_ratio(density, wavelength, focal_length, area) == pytest.approx(1.0, abs=5e-3)


# Half-maximum contour


@settings(max_examples=15, deadline=None)
@given(angle=st.floats(-np.pi, np.pi), tangential=st.floats(1.5, 6), sagittal=st.floats(1.5, 6), shift=st.floats(-3, 3))
def test_widths_follow_the_direction_away_from_the_axis(angle, tangential, sagittal, shift):
    direction = measures.tangential_direction(np.array([np.sin(angle), np.cos(angle)]) * 1e-3)
    image = gaussian(sagittal, tangential, angle, at=(shift, 0.3 - shift))
    found = measures.half_maximum_widths(image, PITCH, direction)
    assert found == pytest.approx(FWHM_PER_SIGMA * PITCH * np.array([tangential, sagittal]), rel=3e-3)


def test_on_the_axis_tangential_is_along_x():
    np.testing.assert_array_equal(measures.tangential_direction(np.zeros((3, 2))), [[0.0, 1.0]] * 3)
    assert measures.tangential_direction(np.array([3e-4, 4e-4])) == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2])
@pytest.mark.parametrize("at", [(0.0, 0.0), (0.5, 0.3)])
def test_an_airy_pattern_is_1_029_wide(angle, at):
    direction = np.array([np.sin(angle), np.cos(angle)])
    found = measures.half_maximum_widths(airy(2.5, 65, at), 1 / 2.5, direction)
    assert found == pytest.approx([1.029, 1.029], rel=0.01)


def test_a_disc_is_as_wide_as_its_diameter():
    y, x = measures.sample_positions((81, 81), 1.0)
    domed = disc(20) * (1 - 1e-4 * (y**2 + x**2))  # on a plateau any place would be the peak
    assert measures.half_maximum_widths(domed, 1.0, np.array([0.6, 0.8])) == pytest.approx([40, 40], abs=1.0)


def test_a_point_is_about_a_sample_wide():
    assert measures.half_maximum_widths(point(), 1.0, np.array([0.0, 1.0])) == pytest.approx([1.1, 1.1], abs=0.2)


def test_a_width_ends_at_the_window():
    found = measures.half_maximum_widths(np.ones((20, 30)), 1.0, np.array([0.0, 1.0]))
    assert found == pytest.approx([30, 20], abs=1.5)


# Modulation transfer


def test_modulation_transfer_of_a_gaussian():
    """exp(−2π²σ²ν²) along each direction."""
    frequency = np.linspace(0, 0.5 / PITCH, 9)
    modulation = measures.modulation_transfer(gaussian(3, 2), PITCH, frequency, np.array([0.0, 1.0]), light=1.0)
    for direction, sigma in enumerate((2 * PITCH, 3 * PITCH)):
        np.testing.assert_allclose(modulation[direction], np.exp(-2 * (np.pi * sigma * frequency) ** 2), atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_modulation_transfer_of_a_circular_pupil(angle):
    """2/π (arccos ν − ν√(1 − ν²)), ν in units of 1/λN. The pattern's whole energy is 4/π (λN)²; what the window leaves
    out, 4/π² of λN over its width, is lost from the lowest frequencies only."""
    frequency = np.linspace(0.05, 1, 20)
    direction = np.array([np.sin(angle), np.cos(angle)])
    size, sampling = 401, 2.5
    light = 4 / np.pi * sampling**2
    found = measures.modulation_transfer(airy(sampling, size), 1 / sampling, frequency, direction, light=light)
    expected = 2 / np.pi * (np.arccos(frequency) - frequency * np.sqrt(1 - frequency**2))
    np.testing.assert_allclose(found, np.stack([expected, expected]), atol=2e-3)


@pytest.mark.parametrize("size", [11, 21, 41, 101])
@pytest.mark.filterwarnings("ignore::metalens.formats.files.errors.InputWarning")
def test_the_light_outside_the_window_bounds_the_error_of_the_modulation(size):
    frequency, sampling = np.linspace(0, 1, 41), 2.5
    image, light = airy(sampling, size), 4 / np.pi * sampling**2
    found = measures.modulation_transfer(image, 1 / sampling, frequency, np.array([0.6, 0.8]), light=light)
    expected = 2 / np.pi * (np.arccos(frequency) - frequency * np.sqrt(1 - frequency**2))
    assert found[:, 0] == pytest.approx(image.sum() / light)
    assert np.abs(found - expected).max() <= 1 - image.sum() / light + 1e-6


def out_of_focus(window: int) -> np.ndarray:
    """620 nm through a lens of NA 0.24 for 532 nm, in windows of samples of 0.5 µm."""
    phase = optics.Hyperbolic(focal_length=1e-3, wavelength=532e-9)
    lens = optics.Metalens(aperture_diameter=0.5e-3, focal_length=1e-3, phase=phase)
    psf = simulate_psf(lens, 620e-9, (0.0, 0.0), window=(window, window), pixel_pitch=0.5e-6, integrate_pixels=True)
    return np.asarray(psf, dtype=float)


@pytest.mark.parametrize(("width_um", "expected"), [(16, 0.012), (64, 0.028), (150, 0.011)])
@pytest.mark.filterwarnings("ignore::metalens.formats.files.errors.InputWarning")
def test_a_small_window_shows_no_contrast_that_is_not_there(width_um, expected):
    """At 50 cycles/mm; of the light in the window alone it would read 0.242, 0.040 and 0.011."""
    image = out_of_focus(2 * width_um)
    found = measures.modulation_transfer(image, PITCH, np.array([50e3]), np.array([0.0, 1.0]), light=1.0)
    assert found[:, 0] == pytest.approx([expected, expected], abs=6e-4)


def test_a_window_too_small_for_the_light_is_told():
    arguments = (PITCH, np.array([50e3]), np.array([0.0, 1.0]))
    with pytest.warns(
        InputWarning, match=r"64 × 64 samples \(32 × 32 µm\) holds .*% of the light of the image, at least"
    ):
        measures.modulation_transfer(out_of_focus(64), *arguments, light=1.0)
    # Of a wide one there is nothing to say; a warning would be an error here.
    measures.modulation_transfer(out_of_focus(300), *arguments, light=1.0)


def test_modulation_transfer_of_a_point_is_one():
    image = np.stack([0.5 * point()] * 3)
    modulation = measures.modulation_transfer(image, PITCH, np.array([0.0, 1e5, 9e5]), np.array([0.6, 0.8]), light=0.5)
    assert modulation.shape == (3, 2, 3)
    np.testing.assert_allclose(modulation, 1.0, atol=1e-12)


def test_light_is_given_for_each_function():
    image, light = np.stack([point(), 0.98 * point()]), np.array([1.0, 0.99])
    found = measures.modulation_transfer(image, PITCH, np.array([0.0, 1e5]), np.array([0.6, 0.8]), light=light)
    np.testing.assert_allclose(found[1], 0.98 / 0.99, atol=1e-12)


def test_the_modulation_holds_the_line_spread_functions_squares():
    """Parseval: the mean of |MTF|² over a period of frequencies is Σ line², the line's sum being 1."""
    image = np.random.default_rng(0).random((12, 16))
    frequency = np.arange(16) / 16
    found = measures.modulation_transfer(image, 1.0, frequency, np.array([0.0, 1.0]), light=image.sum())[0]
    line = image.sum(axis=0) / image.sum()
    assert (found**2).mean() == pytest.approx((line**2).sum(), rel=1e-12)


# All at once


def figures(image: np.ndarray, **options: object):
    return measures.psf_figures(image, PITCH, np.array([0.0, 1e-4]), **options)


@settings(max_examples=8, deadline=None)
@given(shift=st.tuples(st.integers(-8, 8), st.integers(-8, 8)))
def test_a_shift_moves_the_centroid_and_nothing_else(shift):
    image = 0.6 * gaussian(1.5, 2.5, 0.5, at=(0.4, -0.2)) + 0.4 * gaussian(3, 3)
    image[image < 1e-12] = 0  # so that nothing leaves the window
    before, after = (figures(each, unaberrated_peak=1e12) for each in (image, np.roll(image, shift, axis=(0, 1))))
    for name, values in before.arrays().items():
        moved = PITCH * np.array(shift) if name == "centroid" else 0.0
        np.testing.assert_allclose(after.arrays()[name], values + moved, rtol=1e-3, atol=1e-9, err_msg=name)


def test_figures_of_a_stack_are_those_of_its_functions():
    images = np.stack([[gaussian(2, 3, turn, 41), gaussian(4, 2, turn, 41)] for turn in (0.1, 0.9, 1.7)])
    positions = np.array([[0.0, 0.0], [1e-4, 0.0], [1e-4, 2e-4]])
    whole = measures.psf_figures(images, PITCH, positions[:, None], unaberrated_peak=np.array([1e12, 2e12]))
    assert whole.shape == (3, 2)
    for row in range(3):
        one = measures.psf_figures(images[row, 1], PITCH, positions[row], unaberrated_peak=np.array(2e12))
        for name, values in one.arrays().items():
            found = whole.arrays()[name]
            np.testing.assert_allclose(found if name == "frequency" else found[row, 1], values, rtol=1e-9, atol=1e-15)


def test_modulation_starts_at_one_and_is_read_at_the_sensors_nyquist_frequency():
    sigma = 2 * PITCH
    found = figures(0.9 * gaussian(2, 2), sensor_pitch=3 * PITCH)
    assert found.modulation[:, 0] == pytest.approx([1, 1])
    assert found.frequency[-1] == pytest.approx(0.5 / PITCH)
    expected = np.exp(-2 * (np.pi * sigma / (6 * PITCH)) ** 2)
    assert found.nyquist_modulation == pytest.approx([expected, expected], rel=1e-6)
    assert found.window_share == pytest.approx(0.9)


def test_modulation_refers_to_all_light_where_that_is_known():
    inside, all_light = (figures(0.9 * gaussian(2, 2), light=light) for light in (None, np.array(1.0)))
    np.testing.assert_allclose(all_light.modulation, 0.9 * inside.modulation, rtol=1e-12)
    np.testing.assert_allclose(all_light.nyquist_modulation, 0.9 * inside.nyquist_modulation, rtol=1e-12)


def test_without_an_unaberrated_lens_there_is_no_strehl_ratio():
    assert figures(gaussian(2, 2)).strehl_ratio is None
    assert figures(gaussian(2, 2), unaberrated_peak=1e12).strehl_ratio.shape == ()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((5, 5)), "holds no light; leave it out"),
        (np.full((5, 5), np.nan), "holds NaN or infinity"),
        (np.eye(5) - 0.1, "an intensity of -0.1, expected none below zero"),
        (np.ones((3, 0)), r"shape \(3, 0\), expected \[\.\.\., y, x\]"),
    ],
)
def test_what_is_no_point_spread_function_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        figures(image)
