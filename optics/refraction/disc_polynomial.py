"""Smooth functions on a disc: polynomials of its two coordinates, fitted by least squares to values at fixed nodes.

They are sums of products of Chebyshev polynomials, which on a grid are products of matrices. The fit goes by way of
polynomials that are orthonormal on the nodes: on a disc the products alone are nearly dependent, and single precision
would lose three digits.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.phase.profile import Scalar

DEGREE = 14
"""Total degree of the polynomials in y and x."""

RINGS, SPOKES = 14, 36
"""Nodes of the fit."""


def _basis(place: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Chebyshev polynomials T₀ … of ``[...]``, as ``[..., degree]``, and their derivatives."""
    terms, slopes = [jnp.ones_like(place), place], [jnp.zeros_like(place), jnp.ones_like(place)]
    for _ in range(DEGREE - 1):
        slopes.append(2 * terms[-1] + 2 * place * slopes[-1] - slopes[-2])
        terms.append(2 * place * terms[-1] - terms[-2])
    return jnp.stack(terms, axis=-1), jnp.stack(slopes, axis=-1)


def polynomial_values(
    coefficients: jax.Array, y: jax.Array, x: jax.Array, radius: Scalar
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Polynomials at places of the disc, and their derivatives.

    Args:
        coefficients: ``[..., (DEGREE + 1)²]``.
        y: ``[place]`` positions in metres from the disc's centre, of any shape; clipped at 1.2 radii.
        x: the same along x; shapes broadcast.
        radius: of the disc in metres.

    Returns:
        Values ``[..., place]``, and their derivatives by y and by x in 1/m.
    """
    matrix = coefficients.reshape(*coefficients.shape[:-1], DEGREE + 1, DEGREE + 1)
    near_y, near_x = (jnp.clip(jnp.asarray(each, dtype=float) / radius, -1.2, 1.2) for each in (y, x))
    # The samples of a grid are products of two matrices.
    grid = near_y.ndim == 2 and near_y.shape[1] == 1 and near_x.shape[:-1] in ((), (1,)) and near_x.ndim > 0
    if grid:
        near_y, near_x = near_y[:, 0], near_x.reshape(-1)
    else:
        near_y, near_x = jnp.broadcast_arrays(near_y, near_x)
        matrix = matrix.reshape(*matrix.shape[:-2], *(1,) * near_y.ndim, DEGREE + 1, DEGREE + 1)

    def product(of_y: jax.Array, of_x: jax.Array) -> jax.Array:
        if grid:
            return jnp.einsum("mi,...ij,nj->...mn", of_y, matrix, of_x, precision="highest")
        return jnp.einsum("...i,...ij,...j->...", of_y, matrix, of_x, precision="highest")

    (of_y, slope_y), (of_x, slope_x) = _basis(near_y), _basis(near_x)
    return product(of_y, of_x), product(slope_y, of_x) / radius, product(of_y, slope_x) / radius


class DiscFit(NamedTuple):
    """The least-squares fit, in two linear steps.

    Attributes:
        place: ``[node, (y, x)]`` on the unit disc.
        terms: ``[term, node]`` polynomials of growing degree, orthonormal on the nodes.
        coefficients: ``[coefficient, term]`` of these as products of Chebyshev polynomials.
    """

    place: np.ndarray
    terms: np.ndarray
    coefficients: np.ndarray

    def __call__(self, values: jax.Array) -> jax.Array:
        """Coefficients of polynomials.

        Args:
            values: ``[node, ...]``.

        Returns:
            ``[coefficient, ...]``.
        """
        terms = jnp.tensordot(jnp.asarray(self.terms), values, axes=1, precision="highest")
        return jnp.tensordot(jnp.asarray(self.coefficients), terms, axes=1, precision="highest")


@cache
def disc_fit() -> DiscFit:
    """The fit to nodes that are dense near the rim, as the zeros of a Chebyshev polynomial are."""
    radius = np.cos(np.pi * (2 * np.arange(RINGS) + 1) / (4 * RINGS))
    angle = 2 * np.pi * (np.arange(SPOKES) + 0.5) / SPOKES
    place = np.stack([np.outer(radius, np.sin(angle)).ravel(), np.outer(radius, np.cos(angle)).ravel()], axis=-1)
    of_y, of_x = (np.polynomial.chebyshev.chebvander(each, DEGREE) for each in place.T)
    degree = np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)).ravel()
    order = np.argsort(degree, kind="stable")[: (DEGREE + 1) * (DEGREE + 2) // 2]
    products = np.einsum("ni,nj->nij", of_y, of_x).reshape(len(place), -1)[:, order]
    orthonormal, triangle = np.linalg.qr(products)
    coefficients = np.zeros((len(degree), len(order)))
    coefficients[order] = np.linalg.inv(triangle)
    return DiscFit(place, orthonormal.T, coefficients)
