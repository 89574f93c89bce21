"""A phase profile with an error of its lateral scale."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Phase, Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class Stretched(Phase):
    """A profile scaled laterally by a factor: φ(r / factor).

    Attributes:
        phase: the nominal profile.
        factor: ratio of actual to nominal lengths in the plane of the lens.
    """

    phase: Phase
    factor: Scalar

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether the nominal profile is."""
        return self.phase.rotationally_symmetric

    @property
    def flat_pixel(self) -> Scalar | None:
        """That of the nominal profile in metres, times the factor."""
        side = self.phase.flat_pixel
        return None if side is None else side * self.factor

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians. See :class:`Phase`."""
        return self.phase.at(jnp.asarray(y) / self.factor, jnp.asarray(x) / self.factor)

    def sampled_phasor(self, y: jax.Array, x: jax.Array, order: int, step: Scalar, samples: int = 2) -> jax.Array:
        """Phasor of the scaled profile, ``[m, n]``. See :class:`Phase`."""
        return self.phase.sampled_phasor(
            jnp.asarray(y) / self.factor, jnp.asarray(x) / self.factor, order, step / self.factor, samples
        )
