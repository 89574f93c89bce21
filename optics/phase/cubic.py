"""The cubic phase of wavefront coding."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from metalens.optics.phase.profile import Phase, Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class Cubic(Phase):
    """α((x/R)³ + (y/R)³): a PSF that depends little on defocus (Dowski and Cathey, doi:10.1364/AO.34.001859).

    It does not focus by itself: add it to a profile that does, ``Hyperbolic(…) + Cubic(…)``.

    Attributes:
        strength: α in radians, the phase at x = R, y = 0; negative turns the blur by 180°.
        radius: normalisation radius R in metres.
    """

    strength: Scalar
    radius: Scalar

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    def at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """Phase in radians. See :class:`Phase`."""
        return self.strength * ((x / self.radius) ** 3 + (y / self.radius) ** 3)
