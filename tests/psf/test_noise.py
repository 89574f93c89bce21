"""Background and negative samples: what noise must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalens.psf.captured.noise import border_level, without_negatives

AT = np.arange(33) - 16
DISTANCE = np.hypot(AT[:, None], AT)
SPOT = np.exp(-np.square(DISTANCE) / 18)


def test_the_border_is_known_better_than_the_step_of_its_numbers_and_without_its_outliers():
    """A level between two numbers: the median would say 64, the mean with the hot sample 65."""
    random = np.random.default_rng(0)
    frame = np.rint(64.3 + random.normal(scale=1.5, size=(33, 33)))
    frame[0, 4] = 400
    level, spread = border_level(frame)
    # 256 samples in a ring of two: the level is known to 1.5/√256 = 0.1.
    assert level == pytest.approx(64.3, abs=0.3)
    assert spread == pytest.approx(np.sqrt(1.5**2 + 1 / 12), rel=0.2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), noise=st.floats(1e-4, 0.1))
def test_light_is_kept_and_no_sample_is_negative(seed, noise):
    image = SPOT + noise * np.random.default_rng(seed).normal(size=SPOT.shape)
    cleaned = without_negatives(image)
    assert cleaned.min() >= 0
    assert cleaned.sum() == pytest.approx(image.sum(), rel=1e-9)


def test_the_width_of_a_noisy_spot_is_that_of_the_spot_and_not_that_of_a_pedestal():
    """Cutting off negative samples would add 0.4 σ to every sample of the window: half as much as the spot holds.

    What is left is a bias of 15 % of the second moment at this noise, of a twentieth of the peak: rings whose sum is
    negative hand their want inwards.
    """
    random = np.random.default_rng(2)
    noisy = SPOT + random.normal(scale=0.05, size=(200, 33, 33))
    squared = [float((without_negatives(each) * DISTANCE**2).sum()) for each in noisy]
    plain = float((SPOT * DISTANCE**2).sum())
    assert np.mean(squared) == pytest.approx(plain, rel=0.25)
    assert np.mean([(np.maximum(each, 0) * DISTANCE**2).sum() for each in noisy]) > 3 * plain


def test_a_function_without_noise_stays():
    np.testing.assert_allclose(without_negatives(SPOT), SPOT, atol=1e-12)
