import math

import numpy as np
import pytest

from metalens.formats.files.errors import InputError
from metalens.restore.metrics.measures import (
    ZONES,
    field_zones,
    perceptual_distance,
    perceptual_distances,
    psnr,
    psnr_by_zone,
    ssim,
)


def grey(value: float, shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    return np.full((*shape, 3), value)


@pytest.mark.parametrize("difference", [0.1, 0.01, 0.5])
def test_psnr_of_a_uniform_difference_is_minus_20_log10_of_it(difference: float) -> None:
    assert psnr(grey(0.2), grey(0.2 + difference)) == pytest.approx(-20 * math.log10(difference))


def test_psnr_of_equal_pictures_is_infinite() -> None:
    assert psnr(grey(0.3), grey(0.3)) == math.inf


def test_8_bit_pictures_measure_as_their_floats() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    assert psnr(one, other) == pytest.approx(psnr(one / 255, other / 255))
    assert ssim(one, other) == pytest.approx(ssim(one / 255, other / 255))


def test_ssim_of_two_flat_pictures_is_its_luminance_term() -> None:
    # Wang et al. 2004, Eq. 13 with no variance: (2ab + C₁)/(a² + b² + C₁), C₁ = 0.01².
    a, b = 0.3, 0.7
    expected = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    assert ssim(grey(a), grey(b)) == pytest.approx(expected, rel=1e-6)


def test_ssim_of_equal_pictures_is_one() -> None:
    picture = np.random.default_rng(0).random((30, 30, 3))
    assert ssim(picture, picture) == pytest.approx(1)


def test_zones_cover_the_frame_once() -> None:
    zones = field_zones((31, 52))
    assert set(zones) == set(ZONES)
    assert (np.sum(list(zones.values()), axis=0) == 1).all()
    assert zones["centre"][15, 26]
    assert zones["edge"][0, 0]
    assert zones["middle"][15, 40]


def test_zones_tell_where_the_error_is() -> None:
    clean = grey(0.5, (60, 60))
    picture = clean.copy()
    picture[field_zones(clean.shape)["edge"]] += 0.1
    found = psnr_by_zone(clean, picture)
    assert found["edge"] == pytest.approx(20)
    assert found["centre"] == found["middle"] == math.inf


def test_distances_of_many_pictures_are_those_of_each() -> None:
    clean, *others = np.random.default_rng(0).random((3, 40, 44, 3)).astype(np.float32)
    alone = [perceptual_distance(clean, other, "alex") for other in others]
    assert perceptual_distances(clean, others, "alex") == pytest.approx(alone)
    assert min(alone) > 0.01


@pytest.mark.parametrize("measure", [psnr, ssim, psnr_by_zone, perceptual_distance])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((40, 49, 3)), "the same"),
        (np.full((40, 50, 3), 1.5), "outside 0..1"),
        (np.full((40, 50, 3), np.nan), "outside 0..1"),
        (np.zeros((40, 50, 3), dtype=np.int64), "int64"),
    ],
)
def test_pictures_that_cannot_be_compared_are_refused(measure, other: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure(grey(0.5), other)


def test_pictures_smaller_than_a_window_are_refused() -> None:
    small = np.zeros((10, 40, 3))
    with pytest.raises(InputError, match="at least 11"):
        ssim(small, small)
    with pytest.raises(InputError, match="at least 32"):
        perceptual_distance(small, small)
