"""Sensitivity: share of the variance of a figure of merit caused by each error, from the draws themselves.

A figure is written as a constant plus a polynomial of each error alone, fitted to the draws by least squares. As the
errors are independent, the variance of such a polynomial over that of the figure is the first-order Sobol index of its
error (Sobol', Mathematics and Computers in Simulation 55, 2001, doi:10.1016/S0378-4754(00)00270-6; from a polynomial:
Sudret, doi:10.1016/j.ress.2007.04.002). What is not explained is interaction of errors, or bends that the polynomial
does not follow. Estimators by separate pairs of samples (Saltelli) need n(k + 2) simulations for k errors; this needs
none beyond the draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEGREE = 2
"""Degree of the polynomials: a figure falls to both sides of its best place."""

DRAWS_PER_COEFFICIENT = 3
"""Fewer draws than these times the number of coefficients say too little of each."""

_STILL = 1e-7
"""A standard deviation below this share of the mean is rounding."""


@dataclass(frozen=True)
class Shares:
    """Shares of the variance of figures, ``...`` being their axes.

    Attributes:
        first_order: ``[error, ...]`` what each error alone explains, from 0 to 1.
        explained: ``[...]`` what all of them explain, each alone.
    """

    first_order: np.ndarray
    explained: np.ndarray


def enough_draws(errors: int) -> int:
    """Least number of draws for estimating shares of the variance."""
    return DRAWS_PER_COEFFICIENT * (1 + DEGREE * errors)


def variance_shares(numbers: np.ndarray, values: np.ndarray) -> Shares:
    """Shares of the variance of each figure that each error explains.

    Args:
        numbers: ``[draw, error]``, none of them the same in all draws.
        values: ``[draw, ...]`` figures of merit.

    Returns:
        Shares, free of the part that chance alone would explain, and not below 0.
    """
    draws, errors = numbers.shape
    flat = values.reshape(draws, -1).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    blocks = [_polynomials(column) for column in numbers.T]
    design = np.concatenate(blocks, axis=1) if blocks else np.zeros((draws, 0))
    coefficient = np.linalg.lstsq(design, centred, rcond=None)[0]
    residual = centred - design @ coefficient
    variance = centred.var(axis=0)
    noise = (residual**2).sum(axis=0) / max(draws - 1 - design.shape[1], 1)
    found = np.zeros((errors, flat.shape[1]))
    for number, block in enumerate(blocks):
        part = block @ coefficient[DEGREE * number : DEGREE * (number + 1)]
        found[number] = part.var(axis=0) - DEGREE * noise / draws
    moves = variance > (_STILL * np.abs(flat.mean(axis=0))) ** 2
    total = np.where(moves, variance, 1.0)
    first_order = np.where(moves, np.clip(found / total, 0, 1), 0.0)
    # As the adjusted R²: each coefficient explains a part of any noise.
    unexplained = np.where(moves, noise / (total * draws / max(draws - 1, 1)), 0.0)
    shape = values.shape[1:]
    return Shares(first_order.reshape(errors, *shape), np.clip(1 - unexplained, 0, 1).reshape(shape))


def _polynomials(column: np.ndarray) -> np.ndarray:
    """``[draw, degree]`` orthogonal polynomials of one error over the draws, without the constant."""
    scaled = (column - column.mean()) / column.std()
    powers = np.stack([scaled**degree for degree in range(DEGREE + 1)], axis=1)
    return np.linalg.qr(powers)[0][:, 1:] * np.sqrt(len(column))
