"""Rays of a source through refractive surfaces, aimed at given places behind them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp

from metalens.optics.refraction.surfaces import Ray, Surface, trace
from metalens.optics.source import Source

AIMING_STEPS = 8
"""Newton steps to the ray that meets a place."""

Surfaces = tuple[Surface, ...]

Parameters = TypeVar("Parameters")


class Landing(Protocol):
    """A ray that meets a place ``[2]`` (y, x) in metres."""

    @property
    def place(self) -> jax.Array:
        """``[2]`` (y, x) in metres."""


AnyRay = TypeVar("AnyRay", bound=Landing)


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
    """The rays of a source that meet given places behind surfaces.

    Args:
        surfaces: in the order of the light.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.
        target: ``[ray, (y, x)]`` in the plane behind the surfaces, in metres.

    Returns:
        ``[ray]`` the rays and their energy per area.
    """

    def follow(parameters: tuple[Surfaces, Source, jax.Array], begin: jax.Array) -> Ray:
        return ray_from(*parameters, begin)

    begin, rays, stretch = aimed_rays(follow, (surfaces, source, wavelength), target, target)
    amplitude = source.amplitude(begin[:, 0], begin[:, 1])
    return Bundle(rays, jnp.square(amplitude) / stretch)


def aimed_rays(
    follow: Callable[[Parameters, jax.Array], AnyRay], parameters: Parameters, start: jax.Array, target: jax.Array
) -> tuple[jax.Array, AnyRay, jax.Array]:
    """The rays that meet given places, by Newton's method; differentiable.

    Args:
        follow: the ray, with a ``place``, from a beginning ``[2]`` (y, x) in metres.
        parameters: all else that the ray depends on.
        start: ``[ray, (y, x)]`` beginnings in metres from which the search begins.
        target: ``[ray, (y, x)]`` places in metres.

    Returns:
        Beginnings ``[ray, (y, x)]``; the rays; and ``[ray]`` area at the place over that at the beginning.
    """

    def slope(parameters: Parameters, begin: jax.Array) -> tuple[jax.Array, AnyRay]:
        """How the landing point changes with the beginning ``[2, 2]``, and the ray."""

        def landing(begin: jax.Array) -> tuple[jax.Array, AnyRay]:
            ray = follow(parameters, begin)
            return ray.place, ray

        return jax.jacfwd(landing, has_aux=True)(begin)

    # No derivatives are formed along the search.
    still = partial(slope, jax.lax.stop_gradient(parameters))

    def of_target(start: jax.Array, target: jax.Array) -> tuple[jax.Array, AnyRay, jax.Array]:
        def improve(_: int, begin: jax.Array) -> jax.Array:
            change, ray = still(begin)
            return begin + _solved(change, aim - ray.place)

        def settle(begin: jax.Array, _: None) -> tuple[jax.Array, tuple[jax.Array, AnyRay, jax.Array]]:
            change, ray = slope(parameters, begin)
            nearer = begin + _solved(jax.lax.stop_gradient(change), target - ray.place)
            return nearer, (begin, ray, _determinant(change))

        aim = jax.lax.stop_gradient(target)
        begin = jax.lax.fori_loop(0, AIMING_STEPS, improve, jax.lax.stop_gradient(start))
        # At the solution, the derivatives of one more step are those of the implicit function; the second of two steps,
        # which are compiled as one, tells the ray there.
        _, found = jax.lax.scan(settle, begin, length=2)
        return jax.tree.map(lambda each: each[1], found)

    return jax.vmap(of_target)(start, target)


def _determinant(matrix: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    return a * d - b * c


def _solved(matrix: jax.Array, right: jax.Array) -> jax.Array:
    (a, b), (c, d) = matrix
    determinant = _determinant(matrix)
    determinant = jnp.where(jnp.abs(determinant) > 1e-9, determinant, 1e-9)
    return jnp.stack([d * right[0] - b * right[1], a * right[1] - c * right[0]]) / determinant
