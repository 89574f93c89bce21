"""Shapes of an aperture: which part of a disc lets light through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass

_Nearest = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


class Aperture(ABC):
    """An opening inside a disc of a given radius; a frozen record and a JAX pytree."""

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether the opening is rotationally symmetric."""

    @abstractmethod
    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge: negative inside the opening, positive outside.

        Args:
            y: positions in metres from the disc's centre.
            x: positions in metres from the disc's centre; shapes broadcast.
            radius: of the disc in metres.

        Returns:
            ``[...]`` in metres; the opening's smooth edge follows from it.
        """

    @abstractmethod
    def area(self, radius: Scalar) -> Scalar:
        """Area of the opening in m²."""


@register_dataclass
@dataclass(frozen=True)
class Circle(Aperture):
    """The whole disc."""

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the circle. See :class:`Aperture`."""
        return _distance(y, x, radius) - radius

    def area(self, radius: Scalar) -> Scalar:
        """πa² in m²."""
        return np.pi * radius**2


@register_dataclass
@dataclass(frozen=True)
class Annulus(Aperture):
    """A ring: the disc without a smaller one at its centre.

    Attributes:
        inner_diameter: of the central obscuration, in metres; less than that of the disc.
    """

    inner_diameter: Scalar

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearer one of the two circles. See :class:`Aperture`."""
        distance = _distance(y, x, radius)
        return jnp.maximum(distance - radius, 0.5 * self.inner_diameter - distance)

    def area(self, radius: Scalar) -> Scalar:
        """π(a² − b²) in m²."""
        return np.pi * (radius**2 - (0.5 * self.inner_diameter) ** 2)


@register_dataclass
@dataclass(frozen=True)
class Polygon(Aperture):
    """An opening with straight edges that do not cross each other; it lies within the disc.

    Attributes:
        vertices: ``[vertex, 2]`` (y, x) in metres from the disc's centre, in their order around the opening, either
            way; three or more.
    """

    vertices: np.ndarray | jax.Array

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    def edge_distance(self, y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
        """Signed distance in metres to the nearest edge. See :class:`Aperture`.

        Where the nearest point is not a corner, the distance is linear in the position and its gradient is the
        edge's normal, on the edge itself too.
        """
        vertices = jnp.asarray(self.vertices)
        orientation = jnp.sign(_signed_area(vertices))
        shape = jnp.broadcast_shapes(jnp.shape(y), jnp.shape(x))

        def nearer(found: _Nearest, edge: jax.Array) -> tuple[_Nearest, None]:
            nearest, signed, beside, inside = found
            squared, outward, along = _from_edge(y, x, edge[0], edge[1], orientation)
            closer = squared < nearest
            return (
                jnp.where(closer, squared, nearest),
                jnp.where(closer, outward, signed),
                jnp.where(closer, (along > 0) & (along < 1), beside),
                inside ^ _crosses(y, x, edge[0], edge[1]),
            ), None

        start = jnp.full(shape, jnp.inf), jnp.zeros(shape), jnp.zeros(shape, bool), jnp.zeros(shape, bool)
        edges = jnp.stack([vertices, jnp.roll(vertices, -1, axis=0)], axis=1)
        (nearest, signed, beside, inside), _ = jax.lax.scan(nearer, start, edges)
        # The square root is never taken at 0, where its gradient is infinite.
        to_corner = jnp.sqrt(nearest + 1e-12 * jnp.square(radius))
        return jnp.where(beside, signed, jnp.where(inside, -to_corner, to_corner))

    def area(self, radius: Scalar) -> Scalar:  # noqa: ARG002
        """Area in m², by the shoelace formula; whatever the disc's radius."""
        return jnp.abs(_signed_area(jnp.asarray(self.vertices)))


def regular_polygon(sides: int, diameter: Scalar, rotation: Scalar = 0.0) -> Polygon:
    """A regular polygon around the centre.

    Args:
        sides: number of its sides, 3 or more.
        diameter: of the circle through its corners, in metres.
        rotation: angle in radians from +x towards +y of the first corner.

    Returns:
        The polygon with its corners ``[sides, (y, x)]`` in metres.

    Raises:
        InputError: it has fewer than three sides.
    """
    if sides < 3:
        raise InputError(f"regular_polygon: {sides} sides enclose nothing; give 3 or more.")
    angle = rotation + 2 * np.pi * np.arange(sides) / sides
    return Polygon(0.5 * diameter * jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=1))


def _distance(y: jax.Array, x: jax.Array, radius: Scalar) -> jax.Array:
    # The square root is never taken at 0, where its gradient is infinite.
    return jnp.sqrt(jnp.square(y) + jnp.square(x) + 1e-12 * jnp.square(radius))


def _signed_area(vertices: jax.Array) -> jax.Array:
    """Positive if the vertices run from +x towards +y."""
    following = jnp.roll(vertices, -1, axis=0)
    return 0.5 * jnp.sum(vertices[:, 1] * following[:, 0] - following[:, 1] * vertices[:, 0])


def _from_edge(
    y: jax.Array, x: jax.Array, start: jax.Array, end: jax.Array, orientation: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Squared distance to an edge, signed distance to its line, and the place along it from 0 to 1 (unclipped)."""
    edge_y, edge_x = end[0] - start[0], end[1] - start[1]
    length = jnp.sqrt(edge_y**2 + edge_x**2)
    from_y, from_x = y - start[0], x - start[1]
    along = (from_y * edge_y + from_x * edge_x) / length**2
    place = jnp.clip(along, 0, 1)
    squared = jnp.square(from_y - place * edge_y) + jnp.square(from_x - place * edge_x)
    return squared, orientation * (from_x * edge_y - from_y * edge_x) / length, along


def _crosses(y: jax.Array, x: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """Whether the ray from (y, x) towards +x crosses the edge; an odd number of crossings means inside."""
    between = (start[0] > y) != (end[0] > y)
    rise = jnp.where(end[0] == start[0], 1.0, end[0] - start[0])
    return between & (x < start[1] + (y - start[0]) * (end[1] - start[1]) / rise)
