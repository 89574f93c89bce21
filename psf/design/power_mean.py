"""Power means, with the smallest and the largest value as limits."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from metalens.formats.design.objectives import Reduction

SMALLEST = 1e-9
"""Values below count as this much, so that a logarithm is finite."""


def log_power_mean(values: jax.Array, weight: jax.Array, exponent: float) -> jax.Array:
    """ln M_p, M_p = (Σ w vᵖ)^(1/p): the logarithm of the weighted power mean of positive values.

    M₁ is the mean, M₀ the geometric one, and min v ≤ M_p ≤ max v. With n equal weights and p > 0,
    min v ≤ M_(−p) ≤ n^(1/p) min v and n^(−1/p) max v ≤ M_p ≤ max v: both are soft, and tend to the extremes.

    Args:
        values: any shape.
        weight: broadcasts to it; not negative.
        exponent: p; ±inf gives the extremes.

    Returns:
        Scalar.
    """
    logarithm = jnp.log(jnp.maximum(values, SMALLEST))
    if exponent in (float("inf"), float("-inf")):
        return logarithm.max() if exponent > 0 else logarithm.min()
    share = jnp.broadcast_to(weight, logarithm.shape)
    share = share / share.sum()
    if exponent == 0:
        return jnp.sum(share * logarithm)
    return jax.scipy.special.logsumexp(exponent * logarithm, b=share) / exponent


def reduced(
    values: jax.Array, weight: jax.Array, reduction: Reduction, sharpness: float, *, larger_is_better: bool
) -> jax.Array:
    """Logarithm of one number for many values.

    ``mean`` and ``log_mean`` use the weights of the fields. ``worst`` and ``soft_worst`` do not: a poor value counts
    regardless of its area.

    Args:
        values: any shape.
        weight: broadcasts to it.
        reduction: which mean.
        sharpness: p of ``soft_worst``.
        larger_is_better: whether the worst is the least.

    Returns:
        A scalar, smaller is better.
    """
    sign = -1.0 if larger_is_better else 1.0
    match reduction:
        case "mean":
            return log_power_mean(values, weight, 1.0)
        case "log_mean":
            return log_power_mean(values, weight, 0.0)
        case "soft_worst":
            return log_power_mean(values, jnp.ones(()), sign * sharpness)
        case "worst":
            return log_power_mean(values, jnp.ones(()), sign * float("inf"))
