"""Shares of the variance against closed forms."""

import numpy as np
import pytest

from metalens.psf.tolerance.sensitivity import enough_draws, variance_shares


def numbers(draws: int = 400) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((draws, 3)) * np.array([1.0, 2.0, 0.5]) + np.array([0, 5, -1])


def test_a_linear_figure_has_the_shares_of_its_squared_coefficients():
    """Y = Σ aᵢ xᵢ with independent errors: Sᵢ = aᵢ² σᵢ² / Σ aⱼ² σⱼ²; here 1, 4 and 4 parts of 9."""
    drawn = numbers()
    shares = variance_shares(drawn, drawn @ np.array([1.0, 1.0, 4.0]))
    # Over a finite sample the errors correlate by 1/√400.
    assert shares.first_order == pytest.approx(np.array([1, 4, 4]) / 9, abs=0.06)
    assert shares.explained == pytest.approx(1, abs=1e-9)


def test_a_figure_that_falls_to_both_sides_has_its_share_too():
    """x² and 2y of unit normals have the variances 2 and 4."""
    drawn = np.random.default_rng(1).standard_normal((2000, 2))
    shares = variance_shares(drawn, drawn[:, 0] ** 2 + 2 * drawn[:, 1])
    assert shares.first_order == pytest.approx([1 / 3, 2 / 3], abs=0.07)
    assert shares.explained == pytest.approx(1, abs=1e-9)


def test_an_interaction_is_no_share_of_either_error():
    drawn = np.random.default_rng(2).standard_normal((2000, 2))
    shares = variance_shares(drawn, drawn[:, 0] * drawn[:, 1])
    assert shares.first_order == pytest.approx([0, 0], abs=0.01)
    assert shares.explained == pytest.approx(0, abs=0.01)


def test_the_shares_are_saltellis():
    """The Ishigami-like additive part by scipy's estimator of separate sample pairs."""
    from scipy.stats import norm, sobol_indices

    def figure(x):
        return np.sin(x[0]) + 0.7 * x[1] ** 2 + 0.1 * x[2]

    dists = [norm(scale=0.8), norm(scale=0.9), norm()]
    expected = sobol_indices(func=figure, n=2048, dists=dists, rng=np.random.default_rng(0)).first_order
    drawn = np.random.default_rng(3).standard_normal((3000, 3)) * np.array([0.8, 0.9, 1.0])
    shares = variance_shares(drawn, figure(drawn.T))
    assert shares.first_order == pytest.approx(expected, abs=0.04)


def test_noise_is_explained_by_nothing():
    drawn = numbers(60)
    noise = np.random.default_rng(5).standard_normal((60, 200))
    shares = variance_shares(drawn, noise)
    # Each share is clipped at 0; without the correction the mean would be 2/60.
    assert shares.first_order.mean() < 0.02
    assert shares.explained.mean() < 0.05


def test_a_figure_that_does_not_move_has_no_shares():
    shares = variance_shares(numbers(), np.full((400, 2), 0.3))
    assert not shares.first_order.any()


def test_figures_keep_their_axes():
    shares = variance_shares(numbers(50), np.random.default_rng(0).random((50, 4, 2)))
    assert shares.first_order.shape == (3, 4, 2)
    assert shares.explained.shape == (4, 2)


def test_draws_have_to_be_more_than_coefficients():
    assert enough_draws(9) == 57
