"""Light in the plane of the exit pupil: rays from the stop through metasurface and surfaces, waves from there on.

The edge of the stop is sharp in its image, the exit pupil, so that waves from there to the sensor diffract as the stop
does. Rays from the stop are aimed at nodes of a disc about the chief ray in this plane, as
:mod:`metalens.optics.refraction.refracted_light` aims them at the stop. The plane may lie in front of the last surface,
or of all: rays go on straight, as light does that is seen from the sensor. Openings are seen through the rays: their
edges lie where rays that meet them arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.aperture import Aperture
from metalens.optics.metalens import Metalens
from metalens.optics.phase import EvenPolynomial, Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.aimed_rays import aimed_rays
from metalens.optics.refraction.disc_polynomial import disc_fit, polynomial_values
from metalens.optics.refraction.rear_rays import RearRay, rear_ray
from metalens.optics.refraction.refracted_light import LEAST_LIGHT, RefractedLight
from metalens.optics.refraction.structure_light import structure_light
from metalens.optics.response import IdealPhase
from metalens.optics.source import Source

AREA_RINGS, AREA_SPOKES = 48, 64
"""Points of equal area from which the area of an opening is found."""


class ExitPlane(NamedTuple):
    """The plane from which light goes to the sensor as waves.

    Attributes:
        distance: to the sensor in focus, in metres.
        radius: of a disc about the chief ray that holds the light, in metres.
    """

    distance: float
    radius: float


@register_dataclass
@dataclass(frozen=True)
class ExitLight(RefractedLight):
    """Light of one wavelength in the exit plane, its places from the chief ray's.

    Attributes:
        centre: ``[2]`` (y, x) of the chief ray in the plane, from the axis, in metres.
        energy: of the light that comes through the stop, over the light per area at the chief ray, in m².
        distance: from the plane to the sensor in focus, in metres.
    """

    centre: jax.Array
    energy: Scalar
    distance: Scalar


@register_dataclass
@dataclass(frozen=True)
class ExitOpening(Aperture):
    """The openings of stop, metasurface and the surfaces behind, as rays show them in the exit plane.

    Attributes:
        stop: the opening of the stop, or of the metasurface where there is none.
        stop_radius: of its disc in metres.
        lens: the opening of the metasurface behind a stop; None without a stop.
        lens_radius: of its disc in metres.
        disc: radius of the disc of the polynomials, in metres.
        places: ``[2 or 4, (DEGREE + 1)²]`` of the rays' places (y, x) in the stop, and on the metasurface behind it, in
            metres.
        excess: ``[surface, (DEGREE + 1)²]`` of r²/a² − 1, with the height r on each surface of the clear radius a.
    """

    stop: Aperture
    stop_radius: Scalar
    lens: Aperture | None
    lens_radius: Scalar
    disc: Scalar
    places: jax.Array
    excess: jax.Array

    @property
    def rotationally_symmetric(self) -> bool:
        """False: off the axis the openings are displaced."""
        return False

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge, near the edges. See :class:`Aperture`."""
        values, slopes_y, slopes_x = polynomial_values(jnp.concatenate([self.places, self.excess]), y, x, self.disc)
        edges = [_seen_edge(self.stop, self.stop_radius, values[:2], slopes_y[:2], slopes_x[:2])]
        if self.lens is not None:
            edges.append(_seen_edge(self.lens, self.lens_radius, values[2:4], slopes_y[2:4], slopes_x[2:4]))
        # The square root is never taken at 0, where its gradient is infinite.
        first = len(self.places)
        steep = jnp.sqrt(jnp.square(slopes_y[first:]) + jnp.square(slopes_x[first:]) + 1e-6 / jnp.square(self.disc))
        edges.append((values[first:] / steep).max(axis=0))
        # Beyond the disc the polynomials tell nothing.
        beyond = jnp.sqrt(jnp.square(y) + jnp.square(x) + 1e-12 * jnp.square(self.disc)) - radius
        return jnp.stack([beyond, *edges]).max(axis=0)

    def area(self, radius: Scalar) -> Scalar:
        """Area in m² of the opening, shadows left out, to a thousandth of the disc's."""
        reach = radius * np.sqrt((np.arange(AREA_RINGS) + 0.5) / AREA_RINGS)[:, None]
        angle = 2 * np.pi * (np.arange(AREA_SPOKES) + 0.5) / AREA_SPOKES
        y, x = jnp.asarray(reach * np.sin(angle)), jnp.asarray(reach * np.cos(angle))
        inside = 0.5 - self.edge_distance(y, x, radius) * AREA_RINGS / radius
        return jnp.pi * jnp.square(radius) * jnp.mean(jnp.clip(inside, 0, 1))


def _seen_edge(
    opening: Aperture, radius: Scalar, place: jax.Array, slope_y: jax.Array, slope_x: jax.Array
) -> jax.Array:
    """Distance to the edge of an opening that is seen by rays.

    Args:
        opening: in its own plane.
        radius: of its disc in metres.
        place: ``[2, ...]`` (y, x) of the rays there, in metres.
        slope_y: ``[2, ...]`` its derivatives by y in the exit plane.
        slope_x: ``[2, ...]`` those by x.
    """
    away, back = jax.vjp(lambda y, x: opening.edge_distance(y, x, radius), place[0], place[1])
    by_y, by_x = back(jnp.ones_like(away))
    along_y, along_x = by_y * slope_y[0] + by_x * slope_y[1], by_y * slope_x[0] + by_x * slope_x[1]
    steep = jnp.square(along_y) + jnp.square(along_x)
    # At the centre of a disc the nearest edge is undefined.
    size = jnp.abs(slope_y[0] * slope_x[1] - slope_y[1] * slope_x[0])
    return away / jnp.sqrt(jnp.where(steep > 1e-3 * size, steep, size))


class ExitLights(NamedTuple):
    """Light in the exit plane.

    Attributes:
        lights: of each polarisation, of which each has an equal share of the power.
        opening: that they come through.
    """

    lights: tuple[ExitLight, ...]
    opening: ExitOpening


class ExitBundle(NamedTuple):
    """Rays to the exit plane, the chief ray first.

    Attributes:
        begin: ``[ray, (y, x)]`` in the stop, in metres.
        rays: ``[ray]``.
        light: ``[ray]`` energy per area in the exit plane, of a metasurface without loss.
    """

    begin: jax.Array
    rays: RearRay
    light: jax.Array


def exit_bundle(
    lens: Metalens, source: Source, wavelength: jax.Array, plane: ExitPlane, nodes: np.ndarray
) -> ExitBundle:
    """Rays aimed at places about the chief ray in the exit plane.

    Args:
        lens: without surfaces in front, and with some behind.
        source: of the light, in the plane of the stop.
        wavelength: scalar, in metres.
        plane: the exit plane.
        nodes: ``[ray, (y, x)]`` places over the disc's radius.

    Returns:
        ``[ray]`` where they begin, where they arrive, and their energy per area.
    """

    def follow(parameters: tuple[Metalens, Source, jax.Array, Scalar], begin: jax.Array) -> RearRay:
        return rear_ray(*parameters, begin)

    parameters = (lens, source, wavelength, plane.distance)

    def landing(begin: jax.Array) -> tuple[jax.Array, RearRay]:
        ray = follow(parameters, begin)
        return ray.place, ray

    slope, chief = jax.jacfwd(landing, has_aux=True)(jnp.zeros(2))
    away = plane.radius * jnp.asarray(np.concatenate([np.zeros((1, 2)), nodes]))
    begin, rays, stretch = aimed_rays(
        follow, parameters, away @ jnp.linalg.inv(jax.lax.stop_gradient(slope)).T, chief.place + away
    )
    amplitude = source.amplitude(begin[:, 0], begin[:, 1])
    return ExitBundle(begin, rays, jnp.square(amplitude) / stretch)


@jax.jit
def exit_light(
    seen: tuple[Metalens, ...], source: Source, wavelength: jax.Array, plane: ExitPlane, incident: jax.Array
) -> ExitLights:
    """The light in the exit plane, and the openings that it comes through.

    Args:
        seen: the lens in light of each polarisation, without surfaces in front, and with some behind.
        source: of the light, in the plane of the stop.
        wavelength: scalar, in metres.
        plane: the exit plane.
        incident: energy of the light through the stop in m², its amplitude 1 at the centre.

    Returns:
        A light for each diffraction order, with one opening for all.
    """
    bundle = exit_bundle(seen[0], source, wavelength, plane, disc_fit().place)
    return fitted_exit_light(seen, wavelength, plane, incident, bundle)


def fitted_exit_light(
    seen: tuple[Metalens, ...], wavelength: jax.Array, plane: ExitPlane, incident: jax.Array, bundle: ExitBundle
) -> ExitLights:
    """:func:`exit_light` from traced rays.

    Args:
        seen: the lens in light of each polarisation.
        wavelength: scalar, in metres.
        plane: the exit plane.
        incident: energy of the light through the stop in m², its amplitude 1 at the centre.
        bundle: the chief ray, and behind it the rays to the nodes of the fit.

    Returns:
        A light for each diffraction order, with one opening for all.
    """
    fit, rays, lens = disc_fit(), bundle.rays, seen[0]
    amplitude = jnp.sqrt(jnp.maximum(bundle.light[1:] / bundle.light[0], LEAST_LIGHT))
    lights = []
    for each in seen:
        strength, turned = structure_light(each, wavelength, rays.lens_place)
        path = rays.path + turned
        light = ExitLight(
            rays.direction[0],
            jnp.asarray(plane.radius),
            fit(path[1:] - path[0]),
            fit(strength[1:] * amplitude),
            rays.place[0],
            incident / bundle.light[0],
            jnp.asarray(plane.distance),
        )
        lights.append(light)
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in lens.rear_surfaces[1:]])
    places = bundle.begin[1:]
    if lens.stop is not None:
        places = jnp.concatenate([places, rays.lens_place[1:]], axis=-1)
    behind, own = lens.stop, (lens.aperture, 0.5 * jnp.asarray(lens.aperture_diameter))
    opening = ExitOpening(
        *(own if behind is None else (behind.aperture, 0.5 * jnp.asarray(behind.diameter))),
        None if behind is None else lens.aperture,
        own[1],
        plane.radius,
        fit(places).T,
        fit(rays.squared_height[1:] / clear - 1).T,
    )
    return ExitLights(tuple(lights), opening)


def in_exit_plane(lens: Metalens, light: ExitLight, opening: ExitOpening) -> Metalens:
    """A flat lens without phase in the exit plane, whose opening is that of the light.

    Args:
        lens: with surfaces behind the metasurface, whose strength is in the light.
        light: of :func:`exit_light`.
        opening: of the same.

    Returns:
        The flat lens; its focal length is the plane's distance from the sensor.
    """
    return replace(
        lens,
        aperture_diameter=2 * jnp.asarray(light.radius),
        focal_length=light.distance,
        phase=EvenPolynomial(jnp.zeros(1), 1.0),
        aperture=opening,
        response=IdealPhase(),
        structure=None,
        stop=None,
        substrate=None,
        surfaces=(),
        rear_surfaces=(),
    )
