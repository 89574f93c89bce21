"""Choice of the exit plane, and checks of the light there: whether rays come through, and make one wavefront."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.refraction.check import LARGEST_ERROR, MOST_LIGHT, ON_PLACE
from metalens.optics.refraction.disc_polynomial import DEGREE, SPOKES, disc_fit
from metalens.optics.refraction.exit_light import (
    ExitLight,
    ExitOpening,
    ExitPlane,
    exit_bundle,
    fitted_exit_light,
)
from metalens.optics.refraction.rear_rays import RearRay, air_behind, cover_thickness, exit_pupil, rear_ray
from metalens.optics.refraction.refracted_light import LEAST_LIGHT
from metalens.optics.refraction.structure_light import structure_light
from metalens.optics.refraction.surfaces import MISSES, OVERLAPS, REFLECTS
from metalens.optics.source import Source

EXIT_MARGIN = 1.05
"""Radius of the disc of the fit over that of the light: a lens changes while it is designed or its errors are drawn."""

FARTHEST = 4.0
"""Largest distance from the exit plane to the sensor, over the distance from the stop to the sensor.

The exit pupil of a telecentric lens is infinitely far away. In a plane at the distance P the edge of a farther pupil is
sharp but for NA²P/λ Fresnel numbers."""

NEAREST = 0.2
"""Smallest distance from the exit plane to the sensor, over that from the last surface."""

_GENTLER = "use a smaller field angle, a smaller aperture or stop, or gentler surfaces."


class LitExit(NamedTuple):
    """Checked light in the exit plane.

    Attributes:
        light: of one field and wavelength.
        opening: that it comes through.
        error: root mean square error of its wavefront in waves, at rays between those that it was fitted to.
    """

    light: ExitLight
    opening: ExitOpening
    error: float


class _Fan(NamedTuple):
    """Rays over the stop ``[ray]``, the chief ray first; the area of the exit plane over that of the stop; whether they
    meet the metasurface in its opening, and whether they pass the openings of the surfaces as well.
    """

    rays: RearRay
    stretch: jax.Array
    meets: jax.Array
    passes: jax.Array


def _stop_radius(lens: Metalens) -> float:
    return 0.5 * float(lens.aperture_diameter if lens.stop is None else lens.stop.diameter)


@jax.jit
def _fan(lens: Metalens, source: Source, wavelength: jax.Array, distance: float, begin: jax.Array) -> _Fan:
    def follow(begin: jax.Array) -> tuple[RearRay, jax.Array]:
        def landing(begin: jax.Array) -> tuple[jax.Array, RearRay]:
            ray = rear_ray(lens, source, wavelength, distance, begin)
            return ray.place, ray

        slope, ray = jax.jacfwd(landing, has_aux=True)(begin)
        return ray, slope[0, 0] * slope[1, 1] - slope[0, 1] * slope[1, 0]

    rays, stretch = jax.vmap(follow)(begin)
    edge = lens.aperture.edge_distance(rays.lens_place[:, 0], rays.lens_place[:, 1], 0.5 * lens.aperture_diameter)
    meets = edge <= 1e-6 * lens.aperture_diameter
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in lens.rear_surfaces[1:]])
    return _Fan(rays, stretch, meets, meets & (rays.squared_height <= clear).all(axis=-1))


def choose_exit_plane(lens: Metalens, lights: Sequence[tuple[Source, float]]) -> ExitPlane:
    """The plane of the exit pupil, or another one where that is too far away or too near, and the size of the light.

    Args:
        lens: without surfaces in front, and with some behind.
        lights: sources in the plane of the stop, and their wavelengths in metres.

    Returns:
        Distance of the plane from the sensor, and radius of the light in it, in metres.

    Raises:
        InputError: a ray from the stop does not come through, or crosses its neighbours.
    """
    air, glass = float(air_behind(lens)), float(cover_thickness(lens))
    wavelengths = [value for _, value in lights]
    pupil = exit_pupil(lens, 0.5 * (min(wavelengths) + max(wavelengths))).distance
    front = 0.0 if lens.stop is None else float(lens.stop.distance)
    front += 0.0 if lens.substrate is None or lens.stop is None else float(lens.substrate.thickness)
    farthest = FARTHEST * (float(lens.focal_length) + front)
    # A pupil behind the sensor is, as light is concerned, farther than infinity.
    distance = farthest if not 0 < pupil < farthest else max(pupil, glass + NEAREST * (air - glass))
    begin = jnp.asarray(_stop_radius(lens) * np.concatenate([np.zeros((1, 2)), disc_fit().place, _rim()]))
    reach = 0.0
    for source, value in lights:
        fan = jax.tree.map(np.asarray, _fan(lens, source, jnp.asarray(value), distance, begin))
        _check_faults(fan.rays.fault[fan.meets], _where(source, value))
        if not fan.passes[1:].any():
            raise InputError(
                f"lens.surfaces: {_where(source, value)} the openings of the metasurface and of the surfaces behind it "
                "let less than a hundredth of the light through; use a larger clear_diameter_um or a smaller field."
            )
        relative = fan.stretch[fan.meets] / fan.stretch[0]
        if not 1 / MOST_LIGHT < relative.min() <= relative.max() < 1 / LEAST_LIGHT:
            raise InputError(
                f"lens.surfaces: {_where(source, value)} rays cross each other in the exit pupil, "
                f"{1e6 * distance:.0f} µm in front of the sensor; use gentler surfaces or a gentler phase."
            )
        reach = max(reach, float(np.linalg.norm(fan.rays.place - fan.rays.place[0], axis=-1)[fan.meets].max()))
    return ExitPlane(distance, EXIT_MARGIN * reach)


def _rim() -> np.ndarray:
    angle = 2 * np.pi * np.arange(SPOKES) / SPOKES
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _where(source: Source, wavelength: float) -> str:
    angle = np.degrees(np.arcsin(min(1.0, float(np.hypot(*np.asarray(source.direction, dtype=float))))))
    return f"at an angle of {angle:.1f}° in front of the metasurface and {1e9 * wavelength:.0f} nm"


@jax.jit
def _probe(
    lens: Metalens, source: Source, wavelength: jax.Array, plane: ExitPlane, incident: jax.Array
) -> tuple[ExitLight, ExitOpening, jax.Array, jax.Array, jax.Array, jax.Array]:
    turn, nodes = np.pi / SPOKES, disc_fit().place
    between = 0.97 * nodes @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    bundle, count = exit_bundle(lens, source, wavelength, plane, np.concatenate([nodes, between])), 1 + len(nodes)
    nearer = jax.tree.map(lambda each: each[:count], bundle)
    lights, opening = fitted_exit_light((lens,), wavelength, plane, incident, nearer)
    light, turned = lights[0], structure_light(lens, wavelength, bundle.rays.lens_place)[1]
    path = bundle.rays.path + turned
    away = bundle.rays.place - bundle.rays.place[0]
    error = light.path(away[count:, 0], away[count:, 1]) - (path[count:] - path[0])
    wanted = plane.radius * jnp.asarray(np.concatenate([np.zeros((1, 2)), nodes, between]))
    missed = jnp.linalg.norm(away - wanted, axis=-1)
    return light, opening, bundle.rays.fault, missed, bundle.light, jnp.sqrt(jnp.mean(jnp.square(error)))


def checked_exit_light(
    lens: Metalens, source: Source, wavelength: float, plane: ExitPlane, incident: jax.Array
) -> LitExit:
    """:func:`metalens.optics.refraction.exit_light.exit_light`; refused where rays make no wavefront. Outside jit.

    Args:
        lens: without surfaces in front, and with some behind, in light of one polarisation.
        source: of the light, in the plane of the stop.
        wavelength: in metres.
        plane: of :func:`choose_exit_plane`.
        incident: energy of the light through the stop in m², its amplitude 1 at the centre.

    Returns:
        The light, its opening, and the error of its wavefront in waves.

    Raises:
        InputError: a ray near the edge of the light does not come through, or the wavefront is no polynomial to a
            fiftieth of a wave.
    """
    light, opening, *found = _probe(lens, source, jnp.asarray(wavelength), plane, incident)
    fault, missed, density = (np.asarray(each) for each in found[:3])
    where, relative = _where(source, wavelength), density / density[0]
    arrives = missed <= ON_PLACE * plane.radius
    _check_faults(fault[arrives], where)
    if not arrives.all() or not LEAST_LIGHT < relative.min() <= relative.max() < MOST_LIGHT:
        raise InputError(
            f"lens.surfaces: {where} rays beside the opening do not come through, or cross each other in the exit "
            "pupil; use gentler surfaces or a gentler phase."
        )
    waves = float(found[3]) / wavelength
    if not waves <= LARGEST_ERROR:
        raise InputError(
            f"lens.surfaces: {where} the wavefront in the exit pupil differs from a polynomial of degree {DEGREE} by "
            f"{waves:.2g} waves, at most {LARGEST_ERROR:g} was expected; {_GENTLER}"
        )
    return LitExit(light, opening, waves)


def _check_faults(fault: np.ndarray, where: str) -> None:
    if not fault.any():
        return
    number, cause = divmod(int(fault[fault > 0].min()), 4)
    surface = f"surface {number} behind the metasurface" if number else "the metasurface"
    what = {
        MISSES: f"misses {surface}, which has no point there",
        REFLECTS: f"is totally reflected at {surface}",
        OVERLAPS: f"meets what lies behind {surface} before it: they overlap",
    }[cause]
    raise InputError(f"lens.surfaces: {where} a ray from the stop {what}; {_GENTLER}")
