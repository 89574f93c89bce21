"""The width of DMDiff's Eq. 2 against closed forms and an independent fit of the whole image."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.psf import measures
from metalens.psf.measures.least_squares import coarser_samples

PITCH = 0.5e-6


def gaussian(sigma_y: float, sigma_x: float, turn: float = 0.0, size: int = 64, at=(0.0, 0.0)) -> np.ndarray:
    """Unit sum; widths and position in samples, turned by an angle in radians."""
    y, x = measures.sample_positions((size, size), 1.0)
    y, x = y - at[0], x - at[1]
    along_y, along_x = np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x
    image = np.exp(-0.5 * ((along_y / sigma_y) ** 2 + (along_x / sigma_x) ** 2))
    return image / image.sum()


def whole_image_width(image: np.ndarray, sigmas: tuple[float, ...] = (1, 2, 4, 8, 16)) -> float:
    """Eq. 2 by SciPy on every sample: the best of many starts at the brightest sample and at the centroid."""
    _, axes = np.linalg.eigh(measures.second_moments(image, 1.0))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    along, across = ((axes[0, axis] * y + axes[1, axis] * x).ravel() for axis in (0, 1))
    values = (image / image.max()).ravel()

    def residual(p: np.ndarray) -> np.ndarray:
        return (
            p[0] * np.exp(-0.5 * (((along - p[1]) / np.exp(p[3])) ** 2 + ((across - p[2]) / np.exp(p[4])) ** 2))
            - values
        )

    brightest = np.array(np.unravel_index(image.argmax(), image.shape), dtype=float)
    middle = measures.centroid(image, 1.0) + np.array(image.shape) // 2
    starts = [[1.0, *(place @ axes), np.log(s), np.log(s)] for place in (brightest, middle) for s in sigmas]
    fits = [scipy.optimize.least_squares(residual, start, method="lm", ftol=1e-12, xtol=1e-10) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    return 2.35 * float(np.hypot(*np.exp(best.x[3:])))


@settings(max_examples=20, deadline=None)
@given(first=st.floats(1.5, 6), second=st.floats(1.5, 6), turn=st.floats(0, np.pi), shift=st.floats(-5, 5))
def test_equation_2_reads_a_turned_gaussian(first, second, turn, shift):
    image = gaussian(first, second, turn, at=(shift, -shift / 2))
    expected = 2.35 * np.hypot(first, second) * PITCH
    assert measures.full_width_half_maximum(image, PITCH) == pytest.approx(expected, rel=1e-6)


def test_a_round_spot_reads_the_root_of_two_times_its_width():
    width = measures.full_width_half_maximum(gaussian(3, 3), PITCH)
    assert width == pytest.approx(np.sqrt(2) * 2.35 * 3 * PITCH, rel=1e-6)


@settings(max_examples=8, deadline=None)
@given(share=st.floats(0.05, 0.9), core=st.floats(1.2, 3), halo=st.floats(5, 9), turn=st.floats(0, np.pi))
def test_the_cropped_fit_is_that_of_the_whole_image(share, core, halo, turn):
    image = share * gaussian(core, 1.5 * core, turn, 48, at=(2.3, -1.4)) + (1 - share) * gaussian(halo, halo, 0, 48)
    found = measures.full_width_half_maximum(image, 1.0)
    assert found == pytest.approx(whole_image_width(image), rel=1e-3)


def test_the_crop_grows_with_a_gaussian_that_fills_the_window():
    image = gaussian(18, 11, 0.0, 48)
    assert measures.full_width_half_maximum(image, 1.0) == pytest.approx(2.35 * np.hypot(18, 11), rel=1e-4)


def test_speckle_on_a_halo_is_fitted_as_the_whole_image_is():
    image = gaussian(9, 6, 0.3, 48) * np.random.default_rng(0).exponential(size=(48, 48))
    assert measures.full_width_half_maximum(image, 1.0) == pytest.approx(whole_image_width(image), rel=1e-3)


@pytest.mark.parametrize(("share", "component"), [(0.3, 1.5), (0.02, 12.0)], ids=["core", "halo"])
def test_the_minimum_that_explains_more_is_taken(share, component):
    """A Gaussian explains (energy/σ)²/4π of Σ I²: the core wins with 30 % of the light, the halo against 2 %."""
    image = share * gaussian(1.5, 1.5) + (1 - share) * gaussian(12, 12)
    assert measures.full_width_half_maximum(image, 1.0) == pytest.approx(np.sqrt(2) * 2.35 * component, rel=0.25)


def test_mirror_images_read_the_same():
    image = 0.4 * gaussian(1.5, 2.5, 0.7, at=(4, -2)) + 0.6 * gaussian(12, 9, 0.2)
    image = image[1:, 1:]  # an odd side, whose middle stays in place
    widths = [measures.full_width_half_maximum(each, 1.0) for each in (image, image[::-1], image[:, ::-1], image.T)]
    assert widths == pytest.approx([widths[0]] * 4, rel=1e-6)


def test_stacks_are_measured_image_by_image():
    images = np.stack([[gaussian(2, 3), gaussian(4, 2, 0.3)], [gaussian(5, 5), gaussian(2, 2)]])
    found = measures.full_width_half_maximum(images, PITCH)
    assert found.shape == (2, 2)
    assert found[0, 1] == measures.full_width_half_maximum(images[0, 1], PITCH)


def test_what_no_gaussian_fits_gives_a_width_within_the_stated_limits():
    """A point, an even light, a slope, and a single sample: finite, between 1/4 sample and 2 windows."""
    point = np.zeros((21, 21))
    point[10, 10] = 1
    slope = np.linspace(0, 1, 21)[:, None] * np.ones((21, 21))
    for image in (point, np.ones((21, 21)), slope, np.ones((1, 1))):
        width = measures.full_width_half_maximum(image, 1.0)
        assert 2.35 * np.sqrt(2) * 0.249 < width < 2.35 * np.sqrt(2) * 2.01 * len(image)


def test_a_wide_light_is_fitted_at_few_points_as_at_all_samples():
    rough = np.random.default_rng(0).random((160, 160))
    image = rough * gaussian(40, 24, 0.4, 160, at=(9, -5))
    assert measures.full_width_half_maximum(image, 1.0) == pytest.approx(whole_image_width(image, (30,)), rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(stride=st.integers(1, 9), rows=st.integers(3, 40), columns=st.integers(3, 40), power=st.integers(0, 5))
def test_points_that_stand_for_samples_keep_their_moments_of_degree_5(stride, rows, columns, power):
    values = np.random.default_rng(rows).random((rows, columns))
    points = coarser_samples(values, stride, np.array([7, -3]))
    y, x = 7 + np.arange(rows), np.arange(columns) - 3
    assert points.y**power @ points.values @ points.x == pytest.approx(y**power @ values @ x, rel=1e-9)
    assert points.y**power @ points.count_y == pytest.approx((y**power).sum(), rel=1e-9)
