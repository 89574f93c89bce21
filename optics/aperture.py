"""Shapes of an aperture: which part of a disc lets light through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.phase.profile import Scalar


class Aperture(ABC):
    """An opening inside a disc of a given radius; a frozen record and a JAX pytree."""

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether the opening looks the same from every side."""

    @abstractmethod
    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge: negative inside the opening, positive outside.

        Args:
            y: positions in metres from the disc's centre.
            x: positions in metres from the disc's centre; shapes broadcast.
            radius: of the disc in metres.
        """

    @abstractmethod
    def area(self, radius: Scalar) -> Scalar:
        """Area of the opening in m²."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Circle(Aperture):
    """The whole disc."""

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the circle."""
        # The square root is never taken at 0, where its gradient is infinite.
        return jnp.sqrt(jnp.square(y) + jnp.square(x) + 1e-12 * jnp.square(radius)) - radius

    def area(self, radius: Scalar) -> Scalar:
        """πa² in m²."""
        return np.pi * radius**2
