"""Light in the orders that do not form the image: a veil over the point spread function, by geometrical optics.

An order m of a lens with the focal length f has the focal length f/m. A bundle of rays that its first order brings to a
point X₁ of the sensor arrives in the order m at

    X = (1 − m)(y + W) + m X₁,

y the place on the lens and W what a ray that is not deflected goes sideways from there to the sensor. So the light of
an order is a picture of the opening, |1 − m| times as large: of the order 0, which is not deflected, in its own size.
That holds for small angles; orders of larger ones are spread more widely.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.meta_atoms.verification import ORDERS
from metalens.optics.metalens import Metalens
from metalens.optics.phase.gradient import phase_slope
from metalens.optics.sharp_edge import smooth_step
from metalens.optics.source import Source
from metalens.psf.engines.image_window import ImageWindow
from metalens.psf.rays import chief_ray, layers_behind, walk

RINGS, SPOKES = 24, 48
"""Points of equal area over which the power of the wanted order is averaged."""


def corrected_share(lens: Metalens, source: Source, wavelength: jax.Array) -> jax.Array:
    """Factor by which neighbours change the power of the wanted order; differentiable.

    Args:
        lens: with or without a correction.
        source: the light of one field point, from infinity.
        wavelength: ``[wavelength]`` in metres.

    Returns:
        ``[wavelength]``; ones without a correction.
    """
    values = jnp.asarray(wavelength)
    neighbours = lens.neighbours
    if neighbours is None:
        return jnp.ones(values.shape)
    diameter = lens.aperture_diameter if lens.stop is None else lens.stop.diameter
    radius = 0.5 * diameter * np.sqrt((np.arange(RINGS) + 0.5) / RINGS)[:, None]
    turn = 2 * np.pi * (np.arange(SPOKES) + 0.5) / SPOKES
    y, x = radius * np.sin(turn), radius * np.cos(turn)

    def at(value: jax.Array) -> jax.Array:
        chief = chief_ray(lens, value, source.direction)
        slope = phase_slope(lens.phase, chief.lens_point[0] + y, chief.lens_point[1] + x)
        return jnp.mean(neighbours.power(slope, source.direction, value))

    return jax.lax.map(at, values)


def veil_intensity(
    lens: Metalens, source: Source, wavelength: jax.Array, centre: jax.Array | None, window: ImageWindow
) -> jax.Array:
    """Stray light of one field point in its window.

    Args:
        lens: with a correction, at the distance of the sensor.
        source: the light, from infinity.
        wavelength: ``[wavelength]`` in metres.
        centre: ``[2]`` (y, x) on the sensor of the window's middle; by default where the chief ray lands.
        window: its samples.

    Returns:
        ``[wavelength, y, x]`` share of the incident light in each sample.
    """
    neighbours, pitch = lens.neighbours, window.pixel_pitch
    assert neighbours is not None
    along_y, along_x = (pitch * (np.arange(length) - length // 2) for length in window.shape)
    direction = jnp.asarray(source.direction)
    straight = walk(layers_behind(lens), direction)

    def at(value: jax.Array) -> jax.Array:
        chief = chief_ray(lens, value, direction)
        middle = chief.landing if centre is None else centre
        place_y, place_x = middle[0] + along_y[:, None], middle[1] + along_x[None, :]

        # A loop, as the same written out for each order takes six times as long to compile.
        def add(total: jax.Array, order: jax.Array) -> tuple[jax.Array, None]:
            scale = 1 - order
            y = (place_y - order * chief.landing[0]) / scale - straight[0]
            x = (place_x - order * chief.landing[1]) / scale - straight[1]
            step = pitch / jnp.abs(scale)
            lit = _lit(lens, chief.lens_point, y, x, step)
            reach = 0.5 * lens.aperture_diameter
            slope = phase_slope(lens.phase, jnp.clip(y, -reach, reach), jnp.clip(x, -reach, reach))
            share = neighbours.stray_share(slope, direction, value, order)
            return total + lit * share * step**2, None

        others = jnp.asarray([order for order in ORDERS if order != 1])
        return jax.lax.scan(add, jnp.zeros(window.shape), others)[0] / lens.aperture_area

    return jax.lax.map(at, jnp.asarray(wavelength))


def _lit(lens: Metalens, centre: jax.Array, y: jax.Array, x: jax.Array, step: jax.Array) -> jax.Array:
    """Share of each sample that light reaches, the stop's shadow inside the lens' opening."""
    inside = smooth_step(lens.aperture.edge_distance(y, x, 0.5 * lens.aperture_diameter) / step)
    if lens.stop is not None:
        shadow = lens.stop.aperture.edge_distance(y - centre[0], x - centre[1], 0.5 * lens.stop.diameter)
        inside = inside * smooth_step(shadow / step)
    return jnp.clip(inside, 0.0, 1.0)
