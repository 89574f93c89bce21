"""Interface of phase profiles, and sums of them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from metalens.optics.pytree import register_dataclass

Scalar = float | jax.Array
"""A number that may be traced."""


class Phase(ABC):
    """Phase that a metalens adds to a wave, as a function of position.

    A family is a frozen record and a JAX pytree, so that its numbers can be traced, differentiated and optimised.
    Profiles add up: ``hyperbolic + zernike`` is their :class:`Sum`.
    """

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether the phase depends on the radius only; known before tracing."""

    @property
    def flat_pixel(self) -> Scalar | None:
        """Side in metres of the flat pixels of the phase; None for a continuous phase."""
        return None

    @abstractmethod
    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` in radians, not wrapped.
        """

    def sampled_phasor(
        self,
        y: jax.Array,
        x: jax.Array,
        order: int,
        step: Scalar,  # noqa: ARG002
        samples: int = 2,  # noqa: ARG002
    ) -> jax.Array:
        """exp(imφ) on the samples of a uniform grid; jumps of φ are smoothed so that the grid resolves them.

        Args:
            y: ``[m, 1]`` positions of the samples in metres from the lens' centre.
            x: ``[n]`` or ``[1, n]``, the same along x.
            order: m.
            step: distance between samples in metres.
            samples: along a flat pixel at least, 2 or more.

        Returns:
            ``[m, n]`` complex.
        """
        return turned(order * self.at(y, x))

    def __add__(self, other: Phase) -> Sum:
        if not isinstance(other, Phase):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))


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
        """Phase in radians. See :class:`Phase`."""
        return self.of_squared_radius(jnp.square(y) + jnp.square(x))


@register_dataclass
@dataclass(frozen=True)
class Sum(Phase):
    """The sum of several profiles, such as a focusing one and a cubic one.

    Attributes:
        terms: the profiles, at least one.
    """

    terms: tuple[Phase, ...]

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether every term is."""
        return all(term.rotationally_symmetric for term in self.terms)

    @property
    def flat_pixel(self) -> Scalar | None:
        """The smallest of the terms' in metres, if any has flat pixels."""
        sides = [term.flat_pixel for term in self.terms if term.flat_pixel is not None]
        return functools.reduce(jnp.minimum, sides) if sides else None

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians. See :class:`Phase`."""
        total = self.terms[0].at(y, x)
        for term in self.terms[1:]:
            total = total + term.at(y, x)
        return total

    def sampled_phasor(self, y: jax.Array, x: jax.Array, order: int, step: Scalar, samples: int = 2) -> jax.Array:
        """The product of the terms' phasors, ``[m, n]``. See :class:`Phase`."""
        return functools.reduce(jnp.multiply, [term.sampled_phasor(y, x, order, step, samples) for term in self.terms])


def turned(phase: jax.Array) -> jax.Array:
    """exp(iφ) of phases ``[...]`` in radians."""
    return jax.lax.complex(jnp.cos(phase), jnp.sin(phase))


def _terms(phase: Phase) -> tuple[Phase, ...]:
    return phase.terms if isinstance(phase, Sum) else (phase,)
