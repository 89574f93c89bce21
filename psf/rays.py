"""Geometrical optics: landing points of rays, from which windows and samplings are chosen."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens, Plate
from metalens.optics.phase.gradient import phase_gradient, phase_slope
from metalens.optics.refraction.rear_rays import cover_thickness, exit_pupil, through_rear
from metalens.optics.refraction.refracted_light import chief_direction
from metalens.optics.source import Source
from metalens.psf.conjugates import source_at

ON_PLACE = 2e-6
"""Tolerance of a chief ray's landing point, relative to the focal length; float32 resolves 1e-7."""

LARGEST_TURN = 0.05
"""Largest change of direction cosines in one step; a larger step could jump to another branch."""

NEWTON_STEPS, LEAST_STEP = 12, 2.0**-10


class ChiefRay(NamedTuple):
    """The ray through the centre of the aperture stop.

    Attributes:
        lens_point: ``[2]`` where it meets the lens, (y, x) in metres.
        direction: ``[2]`` its direction cosines (y, x) in the air behind the lens.
        landing: ``[2]`` where it meets the sensor, (y, x) in metres.
        front: ``[2]`` its direction cosines (y, x) in air between the stop and the lens.
    """

    lens_point: jax.Array
    direction: jax.Array
    landing: jax.Array
    front: jax.Array


def bend_in_stop(lens: Metalens, wavelength: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    """Change of a ray's tangential direction cosines by a metasurface in the stop.

    Args:
        lens: with or without one.
        wavelength: scalar, in metres.
        y: ``[...]`` positions in the stop in metres.
        x: the same along x; shapes broadcast.

    Returns:
        ``[..., (y, x)]``; zeros without one.
    """
    if lens.stop is None or lens.stop.phase is None:
        return jnp.zeros((*jnp.broadcast_shapes(jnp.shape(y), jnp.shape(x)), 2))
    return wavelength * phase_slope(lens.stop.phase, y, x)


def layers_in_front(lens: Metalens) -> tuple[Plate, ...]:
    """Air and glass between the stop and the meta-atoms; nothing when the lens is its own stop."""
    if lens.stop is None:
        return ()
    gap = Plate(lens.stop.distance, 1.0)
    return (gap,) if lens.substrate is None else (gap, lens.substrate)


def layers_behind(lens: Metalens) -> tuple[Plate, ...]:
    """Air and glass between the meta-atoms and the sensor."""
    glass = lens.cover_glass
    if glass is None:
        return (Plate(lens.focal_length, 1.0),)
    return (Plate(lens.focal_length - glass.thickness, 1.0), glass)


def walk(layers: tuple[Plate, ...], direction: jax.Array) -> jax.Array:
    """How far sideways a ray goes through layers.

    Args:
        layers: in the order of the light.
        direction: ``[..., 2]`` tangential direction cosines (y, x) in air; they are the same in every layer, by
            Snell's law, when multiplied with its index.

    Returns:
        ``[..., 2]`` in metres; infinite where the ray cannot travel.
    """
    squared = jnp.sum(jnp.square(direction), axis=-1, keepdims=True)
    total = jnp.zeros_like(direction)
    for layer in layers:
        cosine = jnp.square(layer.index) - squared
        reach = layer.thickness / jnp.sqrt(jnp.where(cosine > 1e-6, cosine, 1.0))
        total = total + jnp.where(cosine > 1e-6, reach * direction, jnp.inf)
    return total


def _at_sensor(
    lens: Metalens, wavelength: jax.Array, point: jax.Array, bent: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Places on the sensor and directions in air ``[..., 2]`` of rays from the metasurface.

    Args:
        lens: the metalens.
        wavelength: scalar, in metres.
        point: ``[..., 2]`` (y, x) on the metasurface in metres.
        bent: ``[..., 2]`` direction cosines (y, x) behind it, times the index.

    Returns:
        Places, infinite where a ray cannot travel; directions; and ``[...]`` whether it passes the openings of the
        surfaces behind.
    """
    if not lens.rear_surfaces:
        return point + walk(layers_behind(lens), bent), bent, jnp.ones(bent.shape[:-1], dtype=bool)
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in lens.rear_surfaces[1:]])

    def follow(place: jax.Array, direction: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        ray = through_rear(lens, wavelength, place, direction)
        end = ray.place + walk((Plate(cover_thickness(lens), 1.0 if glass is None else glass.index),), ray.direction)
        passes = (ray.fault == 0) & (ray.squared_height[1:] <= clear).all()
        return jnp.where(ray.fault == 0, end, jnp.inf), ray.direction, passes

    glass = lens.cover_glass
    place, direction, passes = jax.vmap(follow)(*(each.reshape(-1, 2) for each in jnp.broadcast_arrays(point, bent)))
    return place.reshape(bent.shape), direction.reshape(bent.shape), passes.reshape(bent.shape[:-1])


def seen_cone(lens: Metalens, wavelength: float) -> Metalens:
    """A lens without surfaces behind the metasurface, from whose sensor the stop is seen under the same angle.

    It serves estimates of a cone of light alone: of samplings, and of the limit by diffraction.

    Args:
        lens: the metalens; without such surfaces it is returned as it is.
        wavelength: in metres.

    Returns:
        A lens of an effective focal length.
    """
    if not lens.rear_surfaces:
        return lens
    return replace(lens, focal_length=exit_pupil(lens, wavelength).cone, surfaces=(), rear_surfaces=())


@jax.jit
def chief_ray(lens: Metalens, wavelength: jax.Array, direction: jax.Array) -> ChiefRay:
    """Follow the ray through the stop's centre.

    A lens that is its own stop does not bend it: that is the convention of ``metalens.optics``, also where the
    phase has a slope at the centre. Behind a stop, or in front of refractive surfaces, the lens bends it by its phase's
    slope at the place it meets, times the order that forms the image.

    Args:
        lens: the metalens, without refractive surfaces.
        wavelength: scalar, in metres.
        direction: ``[2]`` direction cosines (y, x) of the ray in air.

    Returns:
        Place in the stop, direction behind the lens and landing on the sensor, lengths in metres.
    """
    assert not lens.surfaces, "the light behind them is that of behind_surfaces"
    direction = jnp.asarray(direction)
    if lens.stop is None and not lens.rear_surfaces:
        return ChiefRay(jnp.zeros(2), direction, walk(layers_behind(lens), direction), direction)
    front = direction + bend_in_stop(lens, wavelength, jnp.zeros(()), jnp.zeros(()))
    point = walk(layers_in_front(lens), front)
    turns = lens.image_order(wavelength) * phase_gradient(lens.phase, point[0], point[1]) / (2 * np.pi)
    bent = front + wavelength * turns
    landing, behind, _ = _at_sensor(lens, wavelength, point, bent)
    return ChiefRay(point, behind, landing, front)


@partial(jax.jit, static_argnames=("order",))
def ray_landing(
    lens: Metalens, source: Source, wavelength: jax.Array, y: jax.Array, x: jax.Array, order: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """Landing points on the sensor of rays through points of the stop, relative to the chief ray.

    Args:
        lens: the metalens.
        source: the light.
        wavelength: scalar, in metres.
        y: positions ``[...]`` in metres in the plane of the stop, or of the lens where there is none.
        x: the same along x.
        order: diffraction order of the lens; None is the one that forms the image.

    Returns:
        ``[..., 2]`` (y, x) in metres, infinity where a ray cannot travel; and ``[...]`` whether the ray meets the
        lens, and surfaces behind it, inside their openings.
    """
    y, x = jnp.broadcast_arrays(jnp.asarray(y, dtype=float), jnp.asarray(x, dtype=float))
    total, back = jax.vjp(source.path, y, x)
    direction = jnp.stack(back(jnp.ones_like(total)), axis=-1) + bend_in_stop(lens, wavelength, y, x)
    point = jnp.stack([y, x], axis=-1) + walk(layers_in_front(lens), direction)
    number = lens.image_order(wavelength) if order is None else order
    bent = direction + number * wavelength / (2 * np.pi) * phase_gradient(lens.phase, point[..., 0], point[..., 1])
    landing, _, passes = _at_sensor(lens, wavelength, point, bent)
    edge = lens.aperture.edge_distance(point[..., 0], point[..., 1], 0.5 * lens.aperture_diameter)
    return landing - chief_ray(lens, wavelength, source.direction).landing, (edge <= 0) & passes


def pupil_points(lens: Metalens, rings: int = 16, spokes: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Points of equal area on the disc of the stop, its rim included as a last ring of zero weight.

    Args:
        lens: its stop, or the lens' own opening.
        rings: of equal area.
        spokes: points a ring.

    Returns:
        (y, x), each ``[rings + 1, spokes]`` in metres.
    """
    diameter = lens.aperture_diameter if lens.stop is None else lens.stop.diameter
    radius = 0.5 * float(diameter) * np.append(np.sqrt((np.arange(rings) + 0.5) / rings), 1.0)
    # Half a step off the axes, so that no two rings line up with the meridian's mirror.
    angle = 2 * np.pi * (np.arange(spokes) + 0.5) / spokes
    return radius[:, None] * np.sin(angle), radius[:, None] * np.cos(angle)


def direction_to(
    lens: Metalens, wavelength: float, y: float, x: float, object_distance: float | None = None
) -> tuple[float, float]:
    """Direction cosines (y, x) in air of the light whose chief ray lands at (y, x) on the sensor.

    Args:
        lens: the metalens.
        wavelength: in metres; it matters only behind a stop or refractive surfaces.
        y: in metres.
        x: in metres.
        object_distance: in metres; None is infinity. It matters only in front of refractive surfaces.

    Returns:
        (y, x), each from −1 to 1.

    Raises:
        InputError: no chief ray reaches the point.
    """
    length = math.sqrt(float(lens.focal_length) ** 2 + y**2 + x**2)
    if lens.stop is None and lens.cover_glass is None and not lens.surfaces and not lens.rear_surfaces:
        return y / length, x / length
    direction = _followed(lens, wavelength, np.array([y, x]), object_distance)
    return float(direction[0]), float(direction[1])


@jax.jit
def _landing_and_slope(
    lens: Metalens, wavelength: jax.Array, direction: jax.Array, object_distance: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """Where the chief ray lands ``[2]``, and its derivative ``[2, 2]`` by the direction; both over the focal length."""
    flat = replace(lens, surfaces=())

    def landing(cosines: jax.Array) -> tuple[jax.Array, jax.Array]:
        front = chief_direction(lens, source_at(cosines, object_distance), wavelength)
        found = chief_ray(flat, wavelength, front).landing / lens.focal_length
        return found, found

    slope, landed = jax.jacfwd(landing, has_aux=True)(direction)
    return landed, slope


def _followed(lens: Metalens, wavelength: float, place: np.ndarray, distance: float | None) -> np.ndarray:
    """Follow the chief ray from the axis to a place of the sensor, step by step by Newton's method.

    The landing point need not be a monotone function of the direction. The image of the camera is the branch that
    starts at the axis; a direct root search could find another branch.

    Raises:
        InputError: the branch ends before the place, as the image folds over or the ray cannot leave the glass.
    """
    direction, goal = np.zeros(2), place / float(lens.focal_length)
    landed, slope = _as_arrays(_landing_and_slope(lens, jnp.asarray(wavelength), jnp.asarray(direction), distance))
    orientation = np.sign(np.linalg.det(slope))
    step, done = 1.0, 0.0
    start = landed
    while done < 1:
        target = start + min(1.0, done + step) * (goal - start)
        found = _newton(lens, wavelength, direction, target, orientation, distance)
        if found is None:
            step /= 2
            if step < LEAST_STEP:
                y, x = 1e6 * place
                reached = 1e6 * float(lens.focal_length) * (start + done * (goal - start))
                raise InputError(
                    f"psf: no chief ray through the stop reaches ({y:z.0f}, {x:z.0f}) µm on the sensor; the image ends "
                    f"at ({reached[0]:z.0f}, {reached[1]:z.0f}) µm, where it folds over or its rays cannot leave the "
                    "glass; use a smaller sensor, a stop nearer to the lens or a gentler phase."
                )
        else:
            direction, done = found, min(1.0, done + step)
            step *= 2
    return direction


def _newton(
    lens: Metalens,
    wavelength: float,
    direction: np.ndarray,
    target: np.ndarray,
    orientation: float,
    distance: float | None,
) -> np.ndarray | None:
    """Newton's method for the direction that lands at a target; None if it leaves the branch."""
    found = direction
    for _ in range(NEWTON_STEPS):
        landed, slope = _as_arrays(_landing_and_slope(lens, jnp.asarray(wavelength), jnp.asarray(found), distance))
        determinant = float(np.linalg.det(slope)) if np.isfinite(slope).all() else 0.0
        if not np.isfinite(landed).all() or determinant * orientation <= 0:
            return None
        missing = target - landed
        if np.hypot(*missing) <= ON_PLACE:
            return found
        change = np.linalg.solve(slope, missing)
        if np.hypot(*change) > LARGEST_TURN:
            return None
        found = found + change
    return None


def _as_arrays(values: tuple[jax.Array, jax.Array]) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(each, dtype=float) for each in values)
    return first, second


def check_chief_ray(lens: Metalens, wavelength: float, source: Source) -> None:
    """Refuse a field angle whose chief ray cannot leave the lens or misses it.

    Args:
        lens: with stop and substrate.
        wavelength: in metres.
        source: the light.

    Raises:
        InputError: with the angle inside the substrate and its critical angle, or the place that the ray meets.
    """
    if lens.stop is None:
        return
    front = chief_direction(lens, source, jnp.asarray(wavelength))
    ray = chief_ray(replace(lens, surfaces=()), jnp.asarray(wavelength), front)
    angle = math.degrees(math.asin(min(1.0, float(np.hypot(*np.asarray(source.direction, dtype=float))))))
    sine = float(np.hypot(*np.asarray(ray.direction, dtype=float)))
    if sine >= 1 and not lens.rear_surfaces:
        index = 1.0 if lens.substrate is None else float(lens.substrate.index)
        inside = math.degrees(math.asin(min(1.0, sine / index)))
        raise InputError(
            f"psf: at a field angle of {angle:.1f}° the lens bends the chief ray to {inside:.1f}° inside its substrate "
            f"of index {index:.3g}, beyond the critical angle of {math.degrees(math.asin(1 / index)):.1f}°: it does "
            "not leave; use a smaller field angle, a stop nearer to the lens or a gentler phase."
        )
    edge = lens.aperture.edge_distance(ray.lens_point[0], ray.lens_point[1], 0.5 * lens.aperture_diameter)
    if float(edge) > 0:
        away = float(jnp.hypot(ray.lens_point[0], ray.lens_point[1]))
        raise InputError(
            f"psf: at a field angle of {angle:.1f}° the chief ray meets the lens' plane {1e6 * away:.0f} µm from the "
            f"axis, outside its opening of {1e6 * float(lens.aperture_diameter):.0f} µm; use a smaller field angle, a "
            "larger aperture_diameter or a stop nearer to the lens."
        )
