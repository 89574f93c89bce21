"""Incident energy: the light through the aperture stop, to which PSFs are normalised."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.refraction.exit_light import ExitLight
from metalens.optics.source import PlaneWave, Source

RINGS = 48
SPOKES = 64
"""Points of equal area over which the irradiance of a near point source is averaged."""


def incoming_light(lens: Metalens, source: Source) -> jax.Array:
    """∬|amplitude|² over the opening in m², the amplitude 1 at its centre.

    For a plane wave it is the area of the opening. A near point source illuminates the rim less than the centre: on the
    axis of a disc, at the distance R₀, the integral is ∬R₀²/(R₀² + r²) = πR₀² ln(1 + a²/R₀²).

    Args:
        lens: the metalens; its stop limits the light if there is one.
        source: the light.

    Returns:
        A scalar in m².
    """
    if isinstance(source, ExitLight):
        return jnp.asarray(source.energy)
    area = jnp.asarray(lens.aperture_area)
    if isinstance(source, PlaneWave):
        return area
    diameter, shape = lens.aperture_diameter, lens.aperture
    if lens.stop is not None:
        diameter, shape = lens.stop.diameter, lens.stop.aperture
    radius = 0.5 * diameter * np.sqrt((np.arange(RINGS) + 0.5) / RINGS)[:, None]
    angle = 2 * np.pi * (np.arange(SPOKES) + 0.5) / SPOKES
    y, x = jnp.asarray(radius * np.sin(angle)), jnp.asarray(radius * np.cos(angle))
    inside = shape.edge_distance(y, x, 0.5 * diameter) <= 0
    return area * jnp.mean(jnp.square(source.amplitude(y, x)), where=inside)
