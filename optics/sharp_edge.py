"""Hard edges of apertures and flat pixels, sampled on a uniform grid.

The sum over samples of a discontinuous function has an error of first order in the sample step. Here the jump is
replaced by one smoothed with a kernel whose moments vanish up to the eleventh, wide enough for the grid to
resolve: the sum converges fast, and the area of the shape is preserved.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

ORDER = 6

EDGE_REACH = 5.0
"""Sample steps beyond the edge at which the step has fallen under 1e-4."""


def _correction() -> list[float]:
    """Coefficients of s, s³, … of the polynomial that, times a Gaussian, cancels the moments of its blur."""
    series = np.zeros(2 * ORDER - 1)
    for term in range(1, ORDER):
        series[2 * term - 1] = (-0.5) ** term / math.factorial(term)
    return [float(value) for value in np.polynomial.hermite_e.herme2poly(series)[1::2]]


_CORRECTION = _correction()


def smooth_step(steps: jax.Array) -> jax.Array:
    """Smooth step from 1 inside to 0 outside.

    The kernel is a Gaussian of one step's width with its first ORDER moments in ω² cancelled: its spectrum
    exp(−u) Σⱼ uʲ/j!, j < ORDER, u = ω²/2, is over 0.97 up to 0.35 of the sampling frequency, so that what the edge
    diffracts is kept, and 1e-4 at the sampling frequency, where it would alias.

    Args:
        steps: distance beyond the edge in sample steps, any shape.
    """
    depth = jnp.clip(steps, -9, 9)
    gaussian = jnp.exp(-0.5 * depth**2) / np.sqrt(2 * np.pi)
    squared = depth**2
    correction = jnp.zeros_like(depth)
    for coefficient in _CORRECTION[::-1]:
        correction = correction * squared + coefficient
    return 0.5 * erfc(depth / np.sqrt(2)) + gaussian * depth * correction
