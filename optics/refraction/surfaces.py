"""Refractive surfaces, and exact rays through them.

A surface is z(r) = cr²/(1 + √(1 − (1 + κ)c²r²)) + Σ aᵢ(r/R)^(2i) about its vertex, with the curvature c and the conic
constant κ. Rays carry the tangential components n·(sin) of their direction, which a plane surface does not change. At a
surface with the unit normal N the vector k of length n becomes k + (√(n'² − n² + (k·N)²) − k·N) N, Snell's law as a
vector (Born & Wolf, Principles of Optics, 3.2.2). All is differentiable.

Optical paths are relative to the axis: along each section n t is left out, and n t(n/γ − 1) is computed without
cancellation, so that single precision holds them to a ten-thousandth of a wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.dispersion import Cauchy, Dispersion

INTERSECTION_STEPS = 8
"""Newton steps to the place where a ray meets a surface; they converge quadratically."""

NEAR = 1e-5
"""Largest distance from a surface of a place where a ray meets it, relative to the clear diameter."""

LEAST = 1e-6
"""Smallest γ², and smallest square under a root, that a ray may have: 0.06° from total reflection."""

MISSES, REFLECTS, OVERLAPS = 1, 2, 3
"""Why a ray does not come through: no point of the surface, total reflection, or the next surface lies in front."""


@register_dataclass
@dataclass(frozen=True)
class Surface:
    """A rotationally symmetric surface between two media.

    Attributes:
        curvature: c in 1/m, positive where the centre of curvature lies behind the surface; 0 is a plane.
        conic: κ; 0 is a sphere, −1 a paraboloid.
        coefficients: ``[term]`` of (r/R)², (r/R)⁴, … in metres.
        radius: R in metres.
        clear_diameter: of the opening, in metres.
        thickness: along the axis to the next surface, or to the stop or lens, in metres.
        medium: behind the surface.
    """

    curvature: Scalar
    conic: Scalar
    coefficients: np.ndarray | jax.Array
    radius: Scalar
    clear_diameter: Scalar
    thickness: Scalar
    medium: Dispersion

    def sag(self, squared: jax.Array) -> jax.Array:
        """Height z in metres over the vertex.

        Args:
            squared: ``[...]`` r² in m². Beyond the end of an ellipsoid it goes on as at the end.
        """
        root = jnp.sqrt(jnp.maximum(self._inside(squared), LEAST))
        ratio, total = squared / jnp.square(self.radius), jnp.zeros_like(squared)
        for coefficient in jnp.asarray(self.coefficients)[::-1]:
            total = (total + coefficient) * ratio
        return self.curvature * squared / (1 + root) + total

    def slope(self, squared: jax.Array) -> jax.Array:
        """dz/d(r²) in 1/m.

        Args:
            squared: ``[...]`` r² in m².
        """
        root = jnp.sqrt(jnp.maximum(self._inside(squared), LEAST))
        ratio, total = squared / jnp.square(self.radius), jnp.zeros_like(squared)
        for power in range(len(self.coefficients), 0, -1):
            total = total * ratio + power * jnp.asarray(self.coefficients)[power - 1]
        return 0.5 * self.curvature / root + total / jnp.square(self.radius)

    def exists(self, squared: jax.Array) -> jax.Array:
        """Whether ``[...]`` the surface has a point at r² ``[...]``."""
        return self._inside(squared) > LEAST

    def _inside(self, squared: jax.Array) -> jax.Array:
        return 1 - (1 + self.conic) * jnp.square(self.curvature) * squared


class Ray(NamedTuple):
    """A ray in the plane behind the last surface.

    Attributes:
        place: ``[2]`` (y, x) in metres.
        direction: ``[2]`` its direction cosines (y, x) times the index there.
        path: optical path less that along the axis, in metres.
        squared_height: ``[surface]`` r² in m² where it meets each surface.
        fault: 0, or :data:`MISSES`, :data:`REFLECTS` or :data:`OVERLAPS` plus 4 times the surface's number.
    """

    place: jax.Array
    direction: jax.Array
    path: jax.Array
    squared_height: jax.Array
    fault: jax.Array


def trace(surfaces: Sequence[Surface], wavelength: jax.Array, place: jax.Array, direction: jax.Array) -> Ray:
    """Follow a ray from the plane of the first vertex to the plane behind the last surface.

    Args:
        surfaces: in the order of the light, the first one in air.
        wavelength: scalar, in metres.
        place: ``[2]`` (y, x) in the plane of the first vertex, in metres.
        direction: ``[2]`` direction cosines (y, x) in air.

    Returns:
        Place in metres, direction, path, and ``fault``: 0 for a ray that came through.
    """
    start = _Section(place, direction, jnp.ones(()), jnp.zeros(()), jnp.zeros(()), jnp.zeros((), dtype=int))
    # One step is compiled for all surfaces.
    last, heights = jax.lax.scan(_through, start, (jnp.arange(len(surfaces)), _alike(surfaces, wavelength)))
    fault = _first(last.fault, last.back < 0, OVERLAPS, len(surfaces) - 1)
    return Ray(last.place, last.direction, last.path, heights, fault)


class _Section(NamedTuple):
    """A ray between two surfaces, in the plane of the next vertex: see :class:`Ray`; the refractive index, and how far
    behind the last surface the plane lies, in metres.
    """

    place: jax.Array
    direction: jax.Array
    refractive: jax.Array
    path: jax.Array
    back: jax.Array
    fault: jax.Array


def _alike(surfaces: Sequence[Surface], wavelength: jax.Array) -> Surface:
    """All surfaces as one, ``[surface, ...]``: with equally many coefficients, in media of one index."""
    terms = max(len(each.coefficients) for each in surfaces)
    alike = []
    for each in surfaces:
        coefficients = jnp.asarray(each.coefficients, dtype=float)
        padded = jnp.pad(coefficients, (0, terms - len(coefficients)))
        alike.append(replace(each, coefficients=padded, medium=Cauchy(each.medium.index(wavelength))))
    return jax.tree.map(lambda *each: jnp.stack([jnp.asarray(value, dtype=float) for value in each]), *alike)


def _through(ray: _Section, numbered: tuple[jax.Array, Surface]) -> tuple[_Section, jax.Array]:
    """The ray behind one more surface, and r² in m² where it meets it."""
    (number, surface), (place, direction, index, path, back, fault) = numbered, ray
    cosine = _cosine(index, direction)
    depth, met = _intersection(surface, place, direction / cosine)
    place = place + depth * direction / cosine
    path = path + jnp.square(index) * depth / cosine
    height = jnp.sum(jnp.square(place))
    fault = _first(fault, ~met, MISSES, number)
    fault = _first(fault, (number > 0) & (back + depth < 0), OVERLAPS, number - 1)
    # Of a medium of :func:`_alike`, whatever the wavelength.
    behind = surface.medium.index(jnp.ones(()))
    direction, travels = _refracted(surface, place, direction, index, behind)
    fault = _first(fault, ~travels, REFLECTS, number)
    # To the plane of the next vertex: n²(t − z)/γ − nt.
    index, cosine = behind, _cosine(behind, direction)
    slanted = jnp.sum(jnp.square(direction)) / (index + cosine)
    path = path + (index * surface.thickness * slanted - jnp.square(index) * depth) / cosine
    back = surface.thickness - depth
    return _Section(place + back * direction / cosine, direction, index, path, back, fault), height


def _refracted(
    surface: Surface, place: jax.Array, direction: jax.Array, index: jax.Array, behind: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The direction ``[2]`` behind a surface, and whether the ray is not totally reflected."""
    # The unit normal is (−∂z/∂y, −∂z/∂x, 1)/length.
    tilt = -2 * place * surface.slope(jnp.sum(jnp.square(place)))
    length = jnp.sqrt(1 + jnp.sum(jnp.square(tilt)))
    normal = (jnp.sum(direction * tilt) + _cosine(index, direction)) / length
    squared = jnp.square(behind) - jnp.square(index) + jnp.square(normal)
    change = (jnp.sqrt(jnp.maximum(squared, LEAST)) - normal) / length
    return direction + change * tilt, squared > LEAST


def _intersection(surface: Surface, place: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Depth z behind the vertex at which a ray meets a surface, by Newton's method, and whether it does."""

    # No derivatives are formed along the search.
    still = jax.lax.stop_gradient((surface, place, slope))
    depth = jax.lax.fori_loop(0, INTERSECTION_STEPS, lambda _, depth: _nearer(*still, depth), jnp.zeros(()))
    # At the solution, the first and second derivatives of two steps are those of the implicit function. The steps are
    # compiled as one.
    depth, _ = jax.lax.scan(lambda depth, _: (_nearer(surface, place, slope, depth), None), depth, length=2)
    squared = jnp.sum(jnp.square(place + depth * slope))
    return depth, surface.exists(squared) & (jnp.abs(depth - surface.sag(squared)) <= NEAR * surface.clear_diameter)


def _nearer(surface: Surface, place: jax.Array, slope: jax.Array, depth: jax.Array) -> jax.Array:
    """A Newton step to the depth at which a ray meets a surface."""
    at = place + depth * slope
    squared = jnp.sum(jnp.square(at))
    change = 1 - 2 * surface.slope(squared) * jnp.sum(at * slope)
    return depth - (depth - surface.sag(squared)) / jnp.where(jnp.abs(change) > 1e-3, change, 1.0)


def _cosine(index: jax.Array, direction: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.maximum(jnp.square(index) - jnp.sum(jnp.square(direction)), LEAST))


def _first(fault: jax.Array, found: jax.Array, cause: int, number: int | jax.Array) -> jax.Array:
    return jnp.where((fault == 0) & found, cause + 4 * number, fault)
