"""What a phase profile is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import jax
import jax.numpy as jnp

Scalar = float | jax.Array
"""A number that may be traced."""


class Phase(ABC):
    """What a metalens adds to the phase of a wave, as a function of the place on it.

    A family is a frozen record and a JAX pytree, so that its numbers can be traced, differentiated and optimised.
    """

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether the phase depends on the distance from the centre alone; known before anything is traced."""

    @abstractmethod
    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians at the positions (y, x) in metres from the lens' centre; shapes broadcast."""


class RadialPhase(Phase):
    """A rotationally symmetric profile, as a function of the squared distance from the centre."""

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    @abstractmethod
    def of_squared_radius(self, squared_radius: jax.Array) -> jax.Array:
        """Phase in radians at the squared distances r² (m², any shape) from the lens' centre."""

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians at the positions (y, x) in metres from the lens' centre; shapes broadcast."""
        return self.of_squared_radius(jnp.square(y) + jnp.square(x))
