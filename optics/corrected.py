"""A lens whose meta-atoms respond with their neighbours, in the light of one direction and polarisation."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax

from metalens.optics.modulated import ModulatedLens
from metalens.optics.phase.gradient import phase_slope
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class CorrectedLens(ModulatedLens):
    """The transmission of a lens times the correction of its zones.

    Attributes:
        lens: with :attr:`Metalens.neighbours`, its meta-atoms at the incidence of the light.
        direction: ``[2]`` direction cosines (y, x) of the light.
        polarisation: 0 for s and 1 for p; static under tracing.
    """

    direction: jax.Array
    polarisation: int = field(metadata={"static": True})

    def factor(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """The correction by neighbours. See :class:`ModulatedLens`."""
        assert self.lens.neighbours is not None
        slope = phase_slope(self.lens.phase, y, x)
        return self.lens.neighbours.factor(slope, self.direction, wavelength, self.polarisation)
