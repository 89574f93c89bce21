"""The blind estimate of a Gaussian blur, and its inverse by a polynomial."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import torch

from metalens.restore.methods.gaussian_blur import (
    calibrate,
    covariance_of,
    filtered,
    gaussian_transfer,
    margined,
    sharpened,
    steepest,
)


@pytest.fixture(scope="module")
def photographs():
    """Green channels of two photographs, ``[2, 128, 128]`` in 0..1."""
    parts = [skimage.data.chelsea()[50:178, 100:228, 1], skimage.data.astronaut()[0:256:2, 100:356:2, 1]]
    return torch.from_numpy(np.stack(parts)).float() / 255


def blurred(pictures, covariance):
    matrix = torch.tensor(covariance).expand(len(pictures), 2, 2)
    return filtered(pictures, gaussian_transfer(matrix, margined(pictures)))


def test_the_slope_of_a_ramp_is_its_slope_along_every_direction():
    ramp = torch.arange(64.0)[None, None, :].expand(1, 64, 64) / 63
    expected = [abs(math.cos(math.pi * k / 6)) / 63 for k in range(6)]
    # The range is taken from the 0.1 % to the 99.9 % quantile of the values.
    np.testing.assert_allclose(steepest(ramp)[0], expected, rtol=0.01, atol=1e-6)


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0])
def test_the_width_of_a_round_blur_is_found(photographs, width):
    model = calibrate(photographs)
    found = covariance_of(blurred(photographs, [[width**2, 0.0], [0.0, width**2]]), model)
    widths = torch.linalg.det(found) ** 0.25
    assert float(widths.mean()) == pytest.approx(width, rel=0.3)


def test_a_longer_blur_is_found_along_its_direction(photographs):
    found = covariance_of(blurred(photographs, [[9.0, 0.0], [0.0, 1.0]]), calibrate(photographs))
    assert (found[:, 0, 0] > 1.5 * found[:, 1, 1]).all()


def test_the_polynomial_inverts_low_frequencies_and_raises_the_highest_by_beta(photographs):
    covariance = torch.eye(2).expand(1, 2, 2) * 0.3**2
    flat_noise = torch.full((1, 64, 64), 0.5)
    np.testing.assert_allclose(sharpened(flat_noise, covariance, 2.0, 3.0), 0.5, atol=1e-6)
    checkers = 0.5 + 0.1 * torch.from_numpy((-1.0) ** np.add.outer(np.arange(64), np.arange(64))).float()[None]
    wide = torch.eye(2).expand(1, 2, 2) * 36.0
    raised = sharpened(checkers, wide, 2.0, 3.0)[0, 24:40, 24:40] - 0.5
    np.testing.assert_allclose(raised.abs(), 0.3, rtol=1e-3)


def test_of_a_known_blur_a_third_of_the_error_goes(photographs):
    captured = blurred(photographs, [[1.5, 0.0], [0.0, 1.5]])
    restored = sharpened(captured, torch.eye(2).expand(2, 2, 2) * 1.5, 2.0, 3.0)
    before, after = ((each - photographs).square().mean() for each in (captured, restored))
    assert float(after) < 0.67 * float(before)
