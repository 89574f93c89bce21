"""Rays from the stop through the metasurface and the refractive surfaces behind it.

A metasurface changes the tangential components of a ray's direction by λ/2π times the gradient of its phase, and its
path by λ/2π times the phase: the generalised law of refraction (Yu et al., Science 334, 333, 2011).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase, Scalar
from metalens.optics.refraction.surfaces import Ray, trace
from metalens.optics.source import PlaneWave, Source


class RearRay(NamedTuple):
    """A ray in the air behind the last surface.

    Attributes:
        place: ``[2]`` (y, x) in metres in a plane there.
        direction: ``[2]`` its direction cosines (y, x).
        path: optical path from the source less that along the axis, in metres.
        lens_place: ``[2]`` (y, x) where it meets the metasurface, in metres.
        squared_height: ``[surface]`` r² in m² where it meets each surface behind the metasurface.
        fault: of :class:`Ray`; surface 0 is the plane of the metasurface.
    """

    place: jax.Array
    direction: jax.Array
    path: jax.Array
    lens_place: jax.Array
    squared_height: jax.Array
    fault: jax.Array


def air_behind(lens: Metalens) -> Scalar:
    """Distance in metres from the last vertex to the sensor in focus, a cover glass included."""
    return lens.focal_length - sum(surface.thickness for surface in lens.rear_surfaces[:-1])


def cover_thickness(lens: Metalens) -> Scalar:
    """Thickness of the cover glass in metres; 0 without one."""
    return 0.0 if lens.cover_glass is None else lens.cover_glass.thickness


def through_rear(lens: Metalens, wavelength: jax.Array, place: jax.Array, direction: jax.Array) -> Ray:
    """Follow a ray from the metasurface, which has bent it, to the sensor or, if there is one, to its cover glass.

    Args:
        lens: with surfaces behind the metasurface.
        wavelength: scalar, in metres.
        place: ``[2]`` (y, x) on the metasurface in metres.
        direction: ``[2]`` direction cosines (y, x) times the index.

    Returns:
        Place in metres, direction, path, and ``fault``: 0 for a ray that came through.
    """
    *nearer, last = lens.rear_surfaces
    room = air_behind(lens) - cover_thickness(lens)
    return trace((*nearer, replace(last, thickness=room)), wavelength, place, direction)


def rear_ray(lens: Metalens, source: Source, wavelength: jax.Array, distance: Scalar, begin: jax.Array) -> RearRay:
    """Follow a ray from the stop, or from the metasurface where there is none.

    Args:
        lens: without surfaces in front, and with some behind.
        source: of the light, in that plane.
        wavelength: scalar, in metres.
        distance: from the plane in which the ray ends to the sensor in focus, in metres. In front of the last surface
            the plane is met by the ray's straight continuation.
        begin: ``[2]`` (y, x) in the plane of the stop, in metres.

    Returns:
        Place, direction and path at the end, and its place on the metasurface, in metres.
    """
    place, metres = begin, wavelength / (2 * np.pi)

    def incident(at: jax.Array) -> jax.Array:
        path = source.path(at[0], at[1])
        if lens.stop is None or lens.stop.phase is None:
            return path
        return path + metres * lens.stop.phase.at(at[0], at[1])

    path, direction = jax.value_and_grad(incident)(begin)
    if lens.stop is not None:
        place, path = _across(lens.stop.distance, 1.0, place, direction, path)
        if lens.substrate is not None:
            place, path = _across(lens.substrate.thickness, lens.substrate.index, place, direction, path)
    turned, slope = jax.value_and_grad(_phase_at(lens.phase))(place)
    order = lens.image_order(wavelength)
    ray = through_rear(lens, wavelength, place, direction + order * metres * slope)
    path = path + order * metres * turned + ray.path
    back = cover_thickness(lens) - distance
    end, path = _across(back, 1.0, ray.place, ray.direction, path)
    return RearRay(end, ray.direction, path, place, ray.squared_height[1:], ray.fault)


def _phase_at(phase: Phase):  # type: ignore[no-untyped-def]
    return lambda place: phase.at(place[0], place[1])


def _across(
    thickness: Scalar, index: Scalar, place: jax.Array, direction: jax.Array, path: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Place and relative path of a ray behind a layer; a negative thickness goes back."""
    squared = jnp.sum(jnp.square(direction))
    cosine = jnp.sqrt(jnp.maximum(jnp.square(jnp.asarray(index, dtype=float)) - squared, 1e-6))
    return place + thickness * direction / cosine, path + index * thickness * squared / (cosine * (index + cosine))


class ExitPupil(NamedTuple):
    """The image of the stop by what lies behind it, for rays near the axis.

    Attributes:
        distance: from it to the sensor in focus, in metres; negative behind the sensor, and infinite for telecentric
            lenses.
        cone: distance in metres at which the stop itself would be seen from the sensor under the same angle.
    """

    distance: float
    cone: float


def exit_pupil(lens: Metalens, wavelength: float) -> ExitPupil:
    """The exit pupil of a lens, on the axis.

    Args:
        lens: without surfaces behind the metasurface its distance from the sensor is that of the lens.
        wavelength: in metres.

    Returns:
        Its distance from the sensor and the cone of light from it, in metres.
    """
    if not lens.rear_surfaces:
        return ExitPupil(float(lens.focal_length), float(lens.focal_length))
    # A number also where a loss is traced, whose lens as drawn this is.
    with jax.ensure_compile_time_eval():
        found = _paraxial(replace(lens, surfaces=()), jnp.asarray(wavelength))
        place_of_angle, angle_of_angle, place_of_place, angle_of_place = (float(each) for each in found)
    # From the sensor back, P = A/B; the magnification is m = C − P D, and the cone P/m.
    distance = place_of_angle / angle_of_angle if angle_of_angle else np.inf
    determinant = place_of_place * angle_of_angle - place_of_angle * angle_of_place
    return ExitPupil(distance, abs(place_of_angle / determinant) if determinant else np.inf)


@jax.jit
def _paraxial(lens: Metalens, wavelength: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """How place and direction at the sensor, seen through air, change with direction and place in the stop."""

    def end(direction: jax.Array, begin: jax.Array) -> tuple[jax.Array, jax.Array]:
        ray = rear_ray(lens, PlaneWave(direction), wavelength, 0.0, begin)
        return ray.place, ray.direction

    still = jnp.zeros(2)
    by_angle = jax.jacfwd(lambda direction: end(direction, still))(still)
    by_place = jax.jacfwd(lambda begin: end(still, begin))(still)
    found = (*by_angle, *by_place)
    place_of_angle, angle_of_angle, place_of_place, angle_of_place = (0.5 * jnp.trace(each) for each in found)
    return place_of_angle, angle_of_angle, place_of_place, angle_of_place
