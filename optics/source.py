"""Incident light: a plane wave, or a spherical wave from a point at a finite distance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass


class Source(ABC):
    """An incident wave in the plane of the lens; a frozen record and a JAX pytree.

    Attributes:
        direction: ``[2]`` direction cosines (y, x) of the chief ray, which passes the lens' centre.
    """

    direction: jax.Array

    @abstractmethod
    def path(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Optical path to points of the lens' plane, relative to its centre.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` in metres.
        """

    @abstractmethod
    def amplitude(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Amplitude at points of the lens' plane, relative to its centre.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` complex, 1 at the centre.
        """


@register_dataclass
@dataclass(frozen=True)
class PlaneWave(Source):
    """Light from infinity.

    Attributes:
        direction: ``[2]`` direction cosines (y, x).
    """

    direction: jax.Array

    def path(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Optical path q y + p x. See :class:`Source`."""
        return self.direction[0] * y + self.direction[1] * x

    def amplitude(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Amplitude: 1 everywhere. See :class:`Source`."""
        return jnp.ones(jnp.broadcast_shapes(jnp.shape(y), jnp.shape(x)))


@register_dataclass
@dataclass(frozen=True)
class PointSource(Source):
    """Light from a point in front of the lens, a spherical wave.

    Attributes:
        direction: ``[2]`` direction cosines (y, x) of the ray from the point through the lens' centre.
        distance: from the plane of the point to the plane of the lens, in metres.
    """

    direction: jax.Array
    distance: Scalar

    @property
    def place(self) -> tuple[jax.Array, jax.Array]:
        """Place (y, x) of the point in metres from the optical axis."""
        place_y, place_x, _ = self._place()
        return place_y, place_x

    def _place(self) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Place (y, x) of the point and its distance to the lens' centre, in metres."""
        direction = jnp.asarray(self.direction)
        reach = self.distance / jnp.sqrt(1 - jnp.sum(direction**2))
        return -reach * direction[0], -reach * direction[1], reach

    def _distance_to(self, y: jax.Array, x: jax.Array) -> jax.Array:
        place_y, place_x, _ = self._place()
        return jnp.sqrt(jnp.square(y - place_y) + jnp.square(x - place_x) + jnp.square(self.distance))

    def path(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Optical path R − R₀, with R the distance from the point. See :class:`Source`."""
        place_y, place_x, reach = self._place()
        # (R² − R₀²)/(R + R₀): R − R₀ without cancellation.
        squares = jnp.square(y) + jnp.square(x) - 2 * (y * place_y + x * place_x)
        return squares / (self._distance_to(y, x) + reach)

    def amplitude(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Amplitude R₀/R, with R the distance from the point. See :class:`Source`."""
        return self._place()[2] / self._distance_to(y, x)
