"""Light behind refractive surfaces: rays in front, waves behind (ray–wave step).

Rays from the field point are aimed through the surfaces at nodes of the stop, or of the lens where there is none. Their
optical paths are a wavefront there, the area between neighbouring rays gives its amplitude. Both are polynomials of the
place, fitted to the nodes, so that an engine takes them as it takes any source. Diffraction and reflection at
the surfaces are left out; their edges cast sharp shadows. Rays that cross each other before the stop are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from metalens.optics.aperture import Aperture
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.aimed_rays import Bundle, Surfaces, aimed_bundle
from metalens.optics.refraction.disc_polynomial import disc_fit, polynomial_values
from metalens.optics.source import Source

MARGIN = 1.02
"""Radius of the disc of the fit over that of the stop: edges are smoothed over a few samples."""

LEAST_LIGHT = 0.01
"""Light per area, relative to the centre's, under which rays are near a caustic, or behind it."""


@register_dataclass
@dataclass(frozen=True)
class RefractedLight(Source):
    """Light of one wavelength behind refractive surfaces, in the plane of the stop, or of the lens where there is none.

    Attributes:
        direction: ``[2]`` direction cosines (y, x) of the chief ray there, times the index of the medium.
        radius: of the disc of the polynomials, in metres.
        path_coefficients: ``[(DEGREE + 1)²]`` of the optical path in metres.
        amplitude_coefficients: ``[(DEGREE + 1)²]`` of the amplitude, 1 at the centre.
    """

    direction: jax.Array
    radius: Scalar
    path_coefficients: jax.Array
    amplitude_coefficients: jax.Array

    def path(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Optical path of the rays relative to the chief ray's. See :class:`Source`."""
        return polynomial_values(self.path_coefficients, y, x, self.radius)[0]

    def directions(self, y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Direction cosines (y, x) of the rays times the index there, the slopes of the path.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            Two arrays ``[...]``.
        """
        _, along_y, along_x = polynomial_values(self.path_coefficients, y, x, self.radius)
        return along_y, along_x

    def amplitude(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Root of the light per area, by the distances of neighbouring rays. See :class:`Source`."""
        return polynomial_values(self.amplitude_coefficients, y, x, self.radius)[0]


@register_dataclass
@dataclass(frozen=True)
class Vignetted(Aperture):
    """An opening less the shadows of the edges of refractive surfaces.

    Attributes:
        opening: without them.
        disc: radius of the disc of the polynomials, in metres.
        excess: ``[surface, (DEGREE + 1)²]`` coefficients of r²/a² − 1, with the height r of the rays on each surface of
            the clear radius a.
    """

    opening: Aperture
    disc: Scalar
    excess: jax.Array

    @property
    def rotationally_symmetric(self) -> bool:
        """False: off the axis the shadows lie on one side."""
        return False

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge, near the edges. See :class:`Aperture`."""
        excess, slope_y, slope_x = polynomial_values(self.excess, y, x, self.disc)
        # The square root is never taken at 0, where its gradient is infinite.
        steep = jnp.sqrt(jnp.square(slope_y) + jnp.square(slope_x) + 1e-6 / jnp.square(self.disc))
        return jnp.maximum(self.opening.edge_distance(y, x, radius), (excess / steep).max(axis=0))

    def area(self, radius: Scalar) -> Scalar:
        """Area in m² of the opening without shadows: the light is counted that would pass without the edges."""
        return self.opening.area(radius)


def chief_direction(lens: Metalens, source: Source, wavelength: jax.Array) -> jax.Array:
    """Direction cosines ``[2]`` (y, x) of the chief ray in the plane of the stop, times the index there.

    Args:
        lens: with or without refractive surfaces.
        source: in the plane of the first vertex, or of the stop where there are no surfaces.
        wavelength: scalar, in metres.

    Returns:
        ``[2]``, without unit.
    """
    if not lens.surfaces:
        return jnp.asarray(source.direction)
    return _chief_direction(lens.surfaces, source, wavelength)


@jax.jit
def _chief_direction(surfaces: Surfaces, source: Source, wavelength: jax.Array) -> jax.Array:
    return aimed_bundle(surfaces, source, wavelength, jnp.zeros((1, 2))).rays.direction[0]


def fitted_radius(lens: Metalens) -> Scalar:
    """Radius in metres of the disc on which the polynomials hold."""
    return 0.5 * MARGIN * (lens.aperture_diameter if lens.stop is None else lens.stop.diameter)


def behind_surfaces(lens: Metalens, source: Source, wavelength: jax.Array) -> tuple[Metalens, Source]:
    """The flat lens without its refractive surfaces, and the light that they throw on it.

    Args:
        lens: the metalens; without refractive surfaces it and the source are returned as they are.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.

    Returns:
        A lens whose stop, or whose opening if it has none, has the shadows of the surfaces' edges; and the light there.
    """
    if not lens.surfaces:
        return lens, source
    return without_surfaces(lens, *refracted(lens.surfaces, fitted_radius(lens), source, wavelength))


def without_surfaces(lens: Metalens, light: RefractedLight, excess: jax.Array) -> tuple[Metalens, Source]:
    """The flat lens with the shadows of the surfaces, and the light.

    Args:
        lens: with refractive surfaces.
        light: behind them.
        excess: of :class:`Vignetted`.

    Returns:
        The lens without surfaces, and the light that they would give it.
    """
    flat, disc = replace(lens, surfaces=()), light.radius
    if lens.stop is None:
        return replace(flat, aperture=Vignetted(lens.aperture, disc, excess)), light
    return replace(flat, stop=replace(lens.stop, aperture=Vignetted(lens.stop.aperture, disc, excess))), light


@jax.jit
def refracted(
    surfaces: Surfaces, disc: Scalar, source: Source, wavelength: jax.Array
) -> tuple[RefractedLight, jax.Array]:
    """The light behind refractive surfaces, and the coefficients of :class:`Vignetted`.

    Args:
        surfaces: in the order of the light.
        disc: radius of the disc in metres on which the light is fitted, of :func:`fitted_radius`.
        source: in air, in the plane of the first vertex.
        wavelength: scalar, in metres.

    Returns:
        The light as a fitted path over the plane of the stop, and ``[surface, coefficient]``.
    """
    place = jnp.concatenate([jnp.zeros((1, 2)), disc * jnp.asarray(disc_fit().place)])
    return fitted_light(surfaces, disc, aimed_bundle(surfaces, source, wavelength, place))


def fitted_light(surfaces: Surfaces, disc: Scalar, bundle: Bundle) -> tuple[RefractedLight, jax.Array]:
    """The light and the coefficients of :class:`Vignetted`, from traced rays.

    Args:
        surfaces: in the order of the light.
        disc: radius of the disc in metres.
        bundle: the chief ray, and behind it the rays to the nodes of the fit.

    Returns:
        The light, and ``[surface, coefficient]``.
    """
    fit, rays, relative = disc_fit(), bundle.rays, bundle.light[1:] / bundle.light[0]
    amplitude = jnp.sqrt(jnp.maximum(relative, LEAST_LIGHT))
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in surfaces])
    light = RefractedLight(rays.direction[0], disc, fit(rays.path[1:] - rays.path[0]), fit(amplitude))
    return light, fit(rays.squared_height[1:] / clear - 1).T
