"""The least-squares Gaussian from a given start: Newton's method by moments.

The first derivatives of A exp(−½(u² + v²)) with respect to its parameters are polynomials of degree 2 in the position
times the Gaussian g, the second ones of degree 4. Gradient and Hessian therefore need no more than moments of g² and
of g · values up to degree 4, and on a grid of rows and columns each set of moments is two small matrix products. A
bright core in a halo leaves large residuals, on which Gauss–Newton steps would crawl.

All these sums are over the samples times a function that is as smooth as the Gaussian. Where that changes little from
sample to sample, the function is interpolated between fewer points, and the transpose of the interpolation collects the
samples at these points once, before the first step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LARGEST_STEPS = 200

CONVERGED = 2e-4
"""Step in σ, and of ln σ, under which a fit has arrived: Newton squares what is left, to 1e-6 of the width."""

_POWER_Y, _POWER_X = np.array([0, 1, 0, 2, 1, 0]), np.array([0, 0, 1, 0, 1, 2])
"""Powers of the monomials 1, y, x, y², yx, x²."""

_PRODUCT_Y, _PRODUCT_X = _POWER_Y[:, None] + _POWER_Y, _POWER_X[:, None] + _POWER_X


TAPS = 6
"""Points from which a value between them is interpolated, by Lagrange polynomials of degree 5."""


class Samples(NamedTuple):
    """Samples of an image, or points that stand for several of them each.

    Attributes:
        y: ``[row]`` positions in samples.
        x: ``[column]`` likewise.
        count_y: ``[row]`` how many rows of samples a point stands for, by the weights of the interpolation.
        count_x: ``[column]`` likewise.
        values: ``[row, column]`` sums of the samples' values by these weights.
    """

    y: np.ndarray
    x: np.ndarray
    count_y: np.ndarray
    count_x: np.ndarray
    values: np.ndarray


def coarser_samples(values: np.ndarray, stride: int, origin: np.ndarray) -> Samples:
    """Points of a coarser grid that stand for the samples in sums with a smooth function.

    Args:
        values: ``[y, x]``.
        stride: samples from one point to the next; 1 keeps the samples.
        origin: (y, x) position of the first sample.

    Returns:
        The samples, or points that go beyond the outermost ones by up to three strides.
    """
    count_y, count_x = (_collected(np.ones((length, 1)), stride)[:, 0] for length in values.shape)
    y, x = (
        first + stride * (np.arange(len(count)) - (TAPS // 2 - 1 if stride > 1 else 0))
        for first, count in zip(origin, (count_y, count_x), strict=True)
    )
    return Samples(y, x, count_y, count_x, _collected(_collected(values, stride).T, stride).T)


def _collected(values: np.ndarray, stride: int) -> np.ndarray:
    """Rows ``[sample, ...]`` collected at points ``[point, ...]``, from TAPS/2 − 1 strides before the first on."""
    if stride == 1:
        return values
    cells = -(-len(values) // stride)
    padded = np.pad(values, ((0, cells * stride - len(values)), (0, 0))).reshape(cells, stride, -1)
    shares = _lagrange(np.arange(stride) / stride) @ padded
    found = np.zeros((cells + TAPS - 1, padded.shape[-1]))
    for tap in range(TAPS):
        found[tap : tap + cells] += shares[:, tap]
    return found


def _lagrange(place: np.ndarray) -> np.ndarray:
    """``[tap, place]`` weights of the values at 1 − TAPS/2 … TAPS/2 for a value at a place in 0..1."""
    node = np.arange(TAPS) - (TAPS // 2 - 1)
    apart = node[:, None] - node
    away = np.where(np.eye(TAPS, dtype=bool), 1, place[:, None, None] - node)
    return np.prod(away / np.where(apart == 0, 1, apart), axis=-1).T


class _Trial(NamedTuple):
    """What a Gaussian of height 1 has to do with the values.

    Attributes:
        shape: ``[4]`` centre and ln σ along the axes.
        squared: ``[6, 6]`` Σ g² of the monomials' products.
        mixed: ``[6, 6]`` Σ g · values of the monomials' products.
    """

    shape: np.ndarray
    squared: np.ndarray
    mixed: np.ndarray

    @property
    def amplitude(self) -> float:
        """The best height, which follows linearly (variable projection)."""
        return float(self.mixed[0, 0] / self.squared[0, 0]) if self.squared[0, 0] > 0 else 0.0

    @property
    def explained(self) -> float:
        """Σ values² less the squared residuals."""
        return self.amplitude * float(self.mixed[0, 0])


def least_squares_gaussian(
    samples: Samples, axes: np.ndarray, shape: np.ndarray, limits: np.ndarray
) -> tuple[float, np.ndarray, float]:
    """Minimise Σ (A exp(−½((a − a₀)²/σ₁² + (b − b₀)²/σ₂²)) − values)² over A, a₀, b₀, ln σ₁ and ln σ₂.

    The amplitude is the best one at every trial; the other four are stepped, less those that press against a limit.
    Marquardt's damping scales with the curvature, so that units do not matter; where the Hessian is not positive, the
    Gauss–Newton matrix takes its place.

    Args:
        samples: of the image.
        axes: ``[(y, x), axis]`` unit vectors along a and b.
        shape: ``[4]`` start of (a₀, b₀, ln σ₁, ln σ₂).
        limits: ``[2, 4]`` least and largest of them.

    Returns:
        A, ``[4]`` the others, and Σ values² less the squared residuals.
    """
    best, damping = _try(samples, axes, shape), 1e-3
    for _ in range(LARGEST_STEPS):
        normal, hessian, slope = _derivatives(best, axes)
        pressed = ((best.shape <= limits[0]) & (slope[1:] < 0)) | ((best.shape >= limits[1]) & (slope[1:] > 0))
        free = np.flatnonzero(np.append(True, ~pressed))
        while True:
            step = _damped_step(normal, hessian, slope, free, damping)
            trial = _try(samples, axes, np.clip(best.shape + step, *limits))
            if trial.explained > best.explained or damping > 1e9:
                break
            damping *= 5
        if trial.explained <= best.explained:
            break
        moved = np.abs(trial.shape - best.shape) / np.append(np.exp(best.shape[2:]), [1, 1])
        best, damping = trial, max(damping / 10, 1e-12)
        if moved.max() < CONVERGED:
            break
    return best.amplitude, best.shape, best.explained


def _try(samples: Samples, axes: np.ndarray, shape: np.ndarray) -> _Trial:
    centre = axes @ shape[:2]
    away_y, away_x = samples.y - centre[0], samples.x - centre[1]
    scaled = axes / np.exp(shape[2:])
    form = scaled @ scaled.T
    exponent = (-0.5 * form[0, 0] * away_y**2)[:, None] - 0.5 * form[1, 1] * away_x**2
    exponent -= (form[0, 1] * away_y)[:, None] * away_x
    gaussian = np.exp(exponent, out=exponent)
    powers_y, powers_x = np.vander(away_y, 5, increasing=True), np.vander(away_x, 5, increasing=True)
    mixed = powers_y.T @ (gaussian * samples.values) @ powers_x
    counted_y, counted_x = samples.count_y[:, None] * powers_y, samples.count_x[:, None] * powers_x
    squared = counted_y.T @ np.square(gaussian, out=gaussian) @ counted_x
    return _Trial(shape, squared[_PRODUCT_Y, _PRODUCT_X], mixed[_PRODUCT_Y, _PRODUCT_X])


def _derivatives(trial: _Trial, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """JᵀJ and the Hessian ``[5, 5]`` of half the squared residuals, and Jᵀ(values − fit) ``[5]``; amplitude first."""
    sigma, amplitude = np.exp(trial.shape[2:]), trial.amplitude
    # Derivatives over the monomials, 1, u/σ₁, v/σ₂, u², v²: without the factor g and, after the first, without A.
    factor = np.zeros((5, 6))
    factor[0, 0] = 1
    for axis in (0, 1):
        along = axes[:, axis] / sigma[axis]
        factor[1 + axis, 1:3] = along / sigma[axis]
        factor[3 + axis, 3:] = along[0] ** 2, 2 * along[0] * along[1], along[1] ** 2
    height = np.array([1, amplitude, amplitude, amplitude, amplitude])
    normal = (factor @ trial.squared @ factor.T) * np.outer(height, height)
    # Second derivatives: Σ residual · g · products of the factors, then the remaining terms.
    bent = factor @ (trial.mixed - amplitude * trial.squared) @ factor.T
    second = amplitude * bent
    second[0], second[:, 0] = bent[0], bent[0]
    second[0, 0] = 0
    for axis in (0, 1):
        place, width = 1 + axis, 3 + axis
        second[place, place] -= amplitude * bent[0, 0] / sigma[axis] ** 2
        second[place, width] -= 2 * amplitude * bent[0, place]
        second[width, place] = second[place, width]
        second[width, width] -= 2 * amplitude * bent[0, width]
    return normal, normal - second, height * bent[0]


def _damped_step(
    normal: np.ndarray, hessian: np.ndarray, slope: np.ndarray, free: np.ndarray, damping: float
) -> np.ndarray:
    """Step ``[4]`` of the shape, no width by more than a factor e."""
    kept = np.ix_(free, free)
    # A parameter without curvature is not changed, such as the width of a single bright sample.
    ridge = np.diag(damping * np.diag(normal[kept]) + 1e-12 * normal[0, 0] + 1e-300)
    step = np.zeros(4)
    try:
        np.linalg.cholesky(hessian[kept] + ridge)
        step[free[1:] - 1] = np.linalg.solve(hessian[kept] + ridge, slope[free])[1:]
    except np.linalg.LinAlgError:
        step[free[1:] - 1] = np.linalg.solve(normal[kept] + ridge, slope[free])[1:]
    step[2:] = np.clip(step[2:], -1, 1)
    return step
