"""Zernike polynomials by their OSA/ANSI index: aberrations, and lenses that correct them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.phase.profile import Phase, Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class Zernike(Phase):
    """Σ aⱼ Zⱼ(y/R, x/R), orthonormal on the disc of radius R: the square sum of all but a₀ is the variance of phase.

    Zⱼ = √(n + 1) R_n⁰(ρ) or √(2(n + 1)) R_n^|m|(ρ) · (cos mθ for m > 0, sin |m|θ for m < 0), j = (n(n + 2) + m)/2
    (ANSI Z80.28; Thibos et al., doi:10.3928/1081-597X-20020901-30). θ runs from +x to +y, which points down here.

    Attributes:
        indices: j of each term, not negative; static under tracing.
        coefficients: ``[term]`` aⱼ in radians.
        radius: normalisation radius R in metres.
    """

    indices: tuple[int, ...] = field(metadata={"static": True})
    coefficients: np.ndarray | jax.Array
    radius: Scalar

    def __post_init__(self) -> None:
        # A tuple is hashable, as static fields must be.
        object.__setattr__(self, "indices", tuple(int(index) for index in self.indices))
        if not self.indices or min(self.indices) < 0:
            raise InputError(
                f"Zernike: indices {list(self.indices)} must be one or more OSA/ANSI indices j = 0, 1, 2, …; "
                "correct them."
            )

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether every term is: those with m = 0."""
        return all(degrees_of(index)[1] == 0 for index in self.indices)

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians. See :class:`Phase`.

        Raises:
            InputError: there are not as many coefficients as indices.
        """
        coefficients = jnp.asarray(self.coefficients)
        if coefficients.shape != (len(self.indices),):
            raise InputError(
                f"Zernike: {len(self.indices)} indices with coefficients of shape {coefficients.shape}; "
                "give one coefficient an index."
            )
        normalised = jnp.asarray(y) / self.radius, jnp.asarray(x) / self.radius
        total = jnp.zeros(jnp.broadcast_shapes(jnp.shape(y), jnp.shape(x)))
        for index, coefficient in zip(self.indices, coefficients, strict=True):
            total = total + coefficient * zernike_polynomial(index, *normalised)
        return total


def degrees_of(index: int) -> tuple[int, int]:
    """Radial order n and azimuthal frequency m of the OSA/ANSI index j.

    >>> [degrees_of(index) for index in range(6)]
    [(0, 0), (1, -1), (1, 1), (2, -2), (2, 0), (2, 2)]
    """
    order = (math.isqrt(8 * index + 1) - 1) // 2
    return order, 2 * index - order * (order + 2)


def zernike_polynomial(index: int, y: jax.Array, x: jax.Array) -> jax.Array:
    """Zⱼ at the normalised positions (y, x), orthonormal on the unit disc.

    ρ^|m| cos mθ and ρ^|m| sin mθ are the parts of (x + iy)^|m|, and what is left is a Jacobi polynomial in ρ²: a
    polynomial in x and y throughout, so that values and gradients are finite at the centre too.

    Args:
        index: OSA/ANSI index j, from 0.
        y: ``[...]`` positions in radii of the disc.
        x: the same along x; shapes broadcast.

    Returns:
        ``[...]``, without unit.
    """
    order, frequency = degrees_of(index)
    cosine, sine = jnp.ones_like(x), jnp.zeros_like(y)
    for _ in range(abs(frequency)):
        cosine, sine = x * cosine - y * sine, x * sine + y * cosine
    norm = math.sqrt((order + 1) * (1 if frequency == 0 else 2))
    radial = _jacobi((order - abs(frequency)) // 2, abs(frequency), 2 * (jnp.square(y) + jnp.square(x)) - 1)
    return norm * radial * (sine if frequency < 0 else cosine)


def _jacobi(degree: int, beta: int, argument: jax.Array) -> jax.Array:
    """Jacobi polynomial P^(0, β) of the degree, by its recurrence in it (Szegő, eq. 4.5.1).

    The recurrence holds in float32, where a sum of powers of high degree cancels.
    """
    previous, current = jnp.zeros_like(argument), jnp.ones_like(argument)
    for n in range(1, degree + 1):
        total = 2 * n + beta
        if n == 1:  # the general step divides by β there
            following = 0.5 * ((beta + 2) * argument - beta)
        else:
            middle = (total - 1) * (total * (total - 2) * argument - beta**2)
            back = 2 * (n - 1) * (n + beta - 1) * total
            following = (middle * current - back * previous) / (2 * n * (n + beta) * (total - 2))
        previous, current = current, following
    return current
