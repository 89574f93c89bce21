"""Rays of a source through refractive surfaces, aimed at given places behind them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from metalens.optics.refraction.surfaces import Ray, Surface, trace
from metalens.optics.source import Source

AIMING_STEPS = 8
"""Newton steps to the ray that meets a place."""

Surfaces = tuple[Surface, ...]


class Bundle(NamedTuple):
    """Rays that meet given places behind the surfaces.

    Attributes:
        rays: ``[ray]``; their paths are those from the source.
        light: ``[ray]`` energy per area there.
    """

    rays: Ray
    light: jax.Array


def ray_from(surfaces: Surfaces, source: Source, wavelength: jax.Array, begin: jax.Array) -> Ray:
    """One ray of a source.

    Args:
        surfaces: in the order of the light.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.
        begin: ``[2]`` (y, x) in that plane, in metres.

    Returns:
        The ray behind the surfaces; its path is that from the source.
    """
    path, direction = jax.value_and_grad(lambda place: source.path(place[0], place[1]))(begin)
    ray = trace(surfaces, wavelength, begin, direction)
    return ray._replace(path=ray.path + path)


def aimed_bundle(surfaces: Surfaces, source: Source, wavelength: jax.Array, target: jax.Array) -> Bundle:
    """The rays that meet given places, by Newton's method.

    Args:
        surfaces: in the order of the light.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.
        target: ``[ray, (y, x)]`` in the plane behind the surfaces, in metres.
    """

    def slope(surfaces: Surfaces, source: Source, wavelength: jax.Array, begin: jax.Array) -> tuple[jax.Array, Ray]:
        """How the landing point changes with the beginning ``[2, 2]``, and the ray."""

        def landing(begin: jax.Array) -> tuple[jax.Array, Ray]:
            ray = ray_from(surfaces, source, wavelength, begin)
            return ray.place, ray

        return jax.jacfwd(landing, has_aux=True)(begin)

    # No derivatives are formed along the search.
    still = partial(slope, *jax.lax.stop_gradient((surfaces, source, wavelength)))

    def of_target(target: jax.Array) -> Bundle:
        def improve(_: int, begin: jax.Array) -> jax.Array:
            change, ray = still(begin)
            return begin + _solved(change, aim - ray.place)

        aim = jax.lax.stop_gradient(target)
        begin = jax.lax.fori_loop(0, AIMING_STEPS, improve, aim)
        # At the solution, the derivatives of one more step are those of the implicit function.
        place = ray_from(surfaces, source, wavelength, begin).place
        begin = begin + _solved(still(begin)[0], target - place)
        change, ray = slope(surfaces, source, wavelength, begin)
        amplitude = source.amplitude(begin[0], begin[1])
        return Bundle(ray, jnp.square(amplitude) / _determinant(change))

    return jax.vmap(of_target)(target)


def _determinant(matrix: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    return a * d - b * c


def _solved(matrix: jax.Array, right: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    determinant = _determinant(matrix)
    determinant = jnp.where(jnp.abs(determinant) > 1e-9, determinant, 1e-9)
    return jnp.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / determinant
