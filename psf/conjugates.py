"""The conjugates of an image: the distance of the object, and where the sensor lies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp

from metalens.optics.metalens import Metalens
from metalens.optics.phase import Scalar
from metalens.optics.source import PlaneWave, PointSource, Source


@dataclass(frozen=True)
class Conjugates:
    """Object and sensor.

    Attributes:
        object_distance: from the point of light to the first refractive surface, or else the stop, or else the lens, in
            metres.
        defocus: sensor displacement away from the lens, in metres.
        sensor_tilt: slopes (dz/dy, dz/dx) of the sensor.
    """

    object_distance: float = math.inf
    defocus: float = 0.0
    sensor_tilt: tuple[float, float] = (0.0, 0.0)

    @property
    def finite_distance(self) -> float | None:
        """Distance of the object in metres; None for a plane wave."""
        return None if math.isinf(self.object_distance) else self.object_distance

    @property
    def moved(self) -> tuple[float, float, float]:
        """Defocus in metres and slopes (dz/dy, dz/dx) of the sensor."""
        return self.defocus, *self.sensor_tilt


INFINITY = Conjugates()
"""An object at infinity, and the sensor at the lens' focal length."""


def source_at(direction: jax.Array, distance: jax.Array | float | None) -> Source:
    """The light of one field point.

    Args:
        direction: ``[2]`` direction cosines (y, x) of the chief ray.
        distance: of the object in metres; None for a plane wave.

    Returns:
        A plane wave, or a point at the camera's distance.
    """
    return PlaneWave(direction) if distance is None else PointSource(direction, distance)


def at_sensor(lens: Metalens, direction: jax.Array, moved: tuple[Scalar, Scalar, Scalar] | jax.Array) -> Metalens:
    """The lens at the distance where the chief ray meets the moved and tilted sensor.

    Args:
        lens: the metalens.
        direction: ``[2]`` direction cosines (y, x) of the chief ray.
        moved: defocus in metres and slopes (dz/dy, dz/dx) of the sensor.

    Returns:
        The lens with that distance as its focal length.
    """
    slopes = jnp.asarray(direction) / jnp.sqrt(1 - jnp.sum(jnp.square(jnp.asarray(direction))))
    distance = lens.focal_length + moved[0]
    return replace(lens, focal_length=distance / (1 - moved[1] * slopes[0] - moved[2] * slopes[1]))
