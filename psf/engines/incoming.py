"""The light that passes the opening which limits it: what a point spread function is a share of."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.metalens import Metalens
from metalens.optics.source import PlaneWave, Source

RINGS = 48
SPOKES = 64
"""Points of equal area at which the brightness of a near point's light is averaged."""


def incoming_light(lens: Metalens, source: Source) -> jax.Array:
    """∬|amplitude|² over the opening in m², the amplitude 1 at its centre.

    A plane wave brings the opening's area. A near point lights the rim less than the middle: on the axis of a disc
    πR₀² ln(1 + a²/R₀²) at the distance R₀, the closed form of ∬R₀²/(R₀² + r²).

    Args:
        lens: the metalens; its stop limits the light if there is one.
        source: the light.
    """
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
