"""Checks of the light behind refractive surfaces: whether rays come through, and make one wavefront."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Scalar
from metalens.optics.refraction.aimed_rays import Surfaces, aimed_bundle, ray_from
from metalens.optics.refraction.disc_polynomial import DEGREE, SPOKES, disc_fit
from metalens.optics.refraction.refracted_light import (
    LEAST_LIGHT,
    MARGIN,
    RefractedLight,
    fitted_light,
    fitted_radius,
    without_surfaces,
)
from metalens.optics.refraction.surfaces import MISSES, OVERLAPS, REFLECTS
from metalens.optics.source import Source

ON_PLACE = 1e-4
"""Largest distance of a ray from its node, relative to the radius of the disc."""

LARGEST_ERROR = 0.02
"""Largest error of a wavefront that is accepted, in waves."""

OTHER_WAVEFRONT = 0.5
"""Waves by which the path of a ray differs from the wavefront if it belongs to another one."""

MOST_LIGHT = 100.0
"""Light per area, relative to the centre's, beyond which rays are near a caustic."""


class Refraction(NamedTuple):
    """Light behind refractive surfaces whose rays are checked.

    Attributes:
        lens: the flat lens without them, as of :func:`behind_surfaces`.
        light: that they throw on it.
        error: root mean square error of its wavefront in waves, at rays between those that it was fitted to.
    """

    lens: Metalens
    light: Source
    error: float


class _Probe(NamedTuple):
    """The light; and of rays to nodes and places between them: ``[ray]`` faults, distances from the places that were
    aimed at in metres, and light per area relative to the centre's; the wavefront's error in metres; and the largest
    difference from it of the path of any ray through the surfaces and the stop, in metres.
    """

    light: RefractedLight
    excess: jax.Array
    fault: jax.Array
    missed: jax.Array
    density: jax.Array
    error: jax.Array
    other: jax.Array


@jax.jit
def _probe(surfaces: Surfaces, disc: Scalar, source: Source, wavelength: jax.Array) -> _Probe:
    turn, nodes = np.pi / SPOKES, disc_fit().place
    between = 0.97 * nodes @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    place = disc * jnp.asarray(np.concatenate([np.zeros((1, 2)), nodes, between]))
    bundle = aimed_bundle(surfaces, source, wavelength, place)
    rays, count = bundle.rays, 1 + len(nodes)
    light, excess = fitted_light(surfaces, disc, jax.tree.map(lambda each: each[:count], bundle))
    error = light.path(place[count:, 0], place[count:, 1]) - (rays.path[count:] - rays.path[0])
    missed, density = jnp.linalg.norm(rays.place - place, axis=-1), bundle.light / bundle.light[0]
    # Rays over the whole first surface: where several meet one place of the stop, they belong to other wavefronts.
    clear = jnp.stack([jnp.square(0.5 * jnp.asarray(each.clear_diameter)) for each in surfaces])
    every = jax.vmap(partial(ray_from, surfaces, source, wavelength))(1.2 * jnp.sqrt(clear[0]) * jnp.asarray(nodes))
    passes = (every.fault == 0) & (every.squared_height <= clear).all(axis=-1)
    passes &= jnp.linalg.norm(every.place, axis=-1) <= disc / MARGIN
    away = jnp.abs(light.path(every.place[:, 0], every.place[:, 1]) - (every.path - rays.path[0]))
    return _Probe(
        light,
        excess,
        rays.fault,
        missed,
        density,
        jnp.sqrt(jnp.mean(jnp.square(error))),
        jnp.max(jnp.where(passes, away, 0.0)),
    )


def checked_behind_surfaces(lens: Metalens, source: Source, wavelength: float) -> Refraction:
    """:func:`behind_surfaces`; light is refused whose rays do not come through, or make no wavefront. Outside jit.

    Args:
        lens: the metalens.
        source: in air, in the plane of the first vertex.
        wavelength: in metres.

    Returns:
        The flat lens, the light that falls on it, and the error of its wavefront in waves.

    Raises:
        InputError: a ray to the stop misses a surface, is totally reflected, meets the next surface first or crosses
            its neighbour, or the wavefront is no polynomial to a fiftieth of a wave.
    """
    if not lens.surfaces:
        return Refraction(lens, source, 0.0)
    disc = fitted_radius(lens)
    found = _probe(lens.surfaces, disc, source, jnp.asarray(wavelength))
    fault, missed, density = (np.asarray(each) for each in (found.fault, found.missed, found.density))
    angle = np.degrees(np.arcsin(min(1.0, float(np.hypot(*np.asarray(source.direction, dtype=float))))))
    field = f"at a field angle of {angle:.1f}° and {1e9 * wavelength:.0f} nm"
    gentler = "use a smaller field angle, a smaller aperture or stop, or a gentler curvature."
    arrives = missed <= ON_PLACE * float(disc)
    # A ray that arrives is the one to blame; where there is none, Newton's method has come to other ones.
    if (arrives & (fault > 0)).any() or not arrives.all():
        meets = bool((arrives & (fault > 0)).any())
        whose = fault[arrives & (fault > 0)] if meets else fault[~arrives]
        ray = "a ray to the stop" if meets else "no ray meets a part of the stop, and one near to it"
        raise InputError(f"lens.surfaces: {field} {ray} {_told(int(whose.max()))}; {gentler}")
    folded = float(found.other) > OTHER_WAVEFRONT * wavelength
    if folded or not LEAST_LIGHT < density.min() <= density.max() < MOST_LIGHT:
        raise InputError(
            f"lens.surfaces: {field} rays cross each other in front of the stop; move the stop away from the focus of "
            "the surfaces, or use a gentler curvature."
        )
    waves = float(found.error) / wavelength
    if not waves <= LARGEST_ERROR:
        raise InputError(
            f"lens.surfaces: {field} the wavefront differs from a polynomial of degree {DEGREE} by {waves:.2g} waves, "
            f"at most {LARGEST_ERROR:g} was expected; {gentler}"
        )
    return Refraction(*without_surfaces(lens, found.light, found.excess), waves)


def _told(fault: int) -> str:
    """A fault of a ray in words."""
    number, cause = divmod(fault, 4)
    return {
        0: "crosses its neighbours in front of it",
        MISSES: f"misses surface {number + 1}, which has no point there",
        REFLECTS: f"is totally reflected at surface {number + 1}",
        OVERLAPS: f"meets what lies behind surface {number + 1} before it: they overlap",
    }[cause]
