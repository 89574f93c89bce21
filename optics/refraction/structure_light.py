"""Light of the image order of a metasurface, as a smooth function of the place, which rays carry.

A structure of meta-atoms has the transmission t = exp(imφ) e, φ the phase of its lens and m the order that forms the
image. Where e differs from one meta-atom to the next, or with the period of zones, it sends light into other
directions, far from the image. What varies slowly stays in the image: polynomials of the place, the least-squares fit
to e. They hold the share of the light, an apodisation, and what the phase is off over many zones.
"""

from __future__ import annotations

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.refraction.disc_polynomial import DEGREE, polynomial_values

SMOOTH_DEGREE = 8
"""Total degree of the polynomials: 45 of them."""

POINTS = 2**15
"""Places of meta-atoms: the fit is known to √(45/32768) of what single ones are off, 4 %, and less well at the rim."""


@cache
def _fit() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places ``[point, (y, x)]`` evenly on the unit disc; ``[term, point]``, values to coefficients; and ``[term]``,
    their places among the (DEGREE + 1)² of :func:`polynomial_values`.
    """
    radius, angle = np.sqrt((np.arange(POINTS) + 0.5) / POINTS), np.pi * (3 - math.sqrt(5)) * np.arange(POINTS)
    place = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    of_y, of_x = (np.polynomial.chebyshev.chebvander(each, DEGREE) for each in place.T)
    kept = np.flatnonzero(np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)).ravel() <= SMOOTH_DEGREE)
    products = np.einsum("ni,nj->nij", of_y, of_x).reshape(POINTS, -1)[:, kept]
    return place, np.linalg.pinv(products), kept


def structure_light(lens: Metalens, wavelength: jax.Array, place: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Amplitude of the image order, and its path relative to the first place.

    Args:
        lens: with a structure, or a response of one order.
        wavelength: scalar, in metres.
        place: ``[ray, (y, x)]`` on the metasurface in metres.

    Returns:
        ``[ray]``, and ``[ray]`` in metres, 0 without a structure.
    """
    if lens.structure is None:
        strength = jnp.abs(lens.response.coefficients(wavelength)[0])
        return jnp.full(len(place), strength), jnp.zeros(len(place))
    radius = 0.5 * jnp.asarray(lens.aperture_diameter)
    at, solve, kept = _fit()
    y, x = radius * at[:, 0], radius * at[:, 1]
    turn = lens.image_order(wavelength) * lens.phase.at(y, x)
    found = lens.structure.transmission(y, x, wavelength) * jax.lax.complex(jnp.cos(turn), -jnp.sin(turn))
    parts = jnp.stack([jnp.real(found), jnp.imag(found)]) @ jnp.asarray(solve.T, dtype=float)
    coefficients = jnp.zeros((2, (DEGREE + 1) ** 2)).at[:, kept].set(parts)
    real, imaginary = polynomial_values(coefficients, place[:, 0], place[:, 1], radius)[0]
    # Relative to the first place: of a smooth deviation the angle stays within half a turn.
    along, across = real * real[0] + imaginary * imaginary[0], imaginary * real[0] - real * imaginary[0]
    return jnp.hypot(real, imaginary), wavelength / (2 * jnp.pi) * jnp.arctan2(across, along)
