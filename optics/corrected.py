"""A lens whose meta-atoms respond with their neighbours, in the light of one direction and polarisation."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from metalens.optics.built import Built
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase, Scalar
from metalens.optics.pytree import register_dataclass


def phase_slope(phase: Phase, y: jax.Array, x: jax.Array) -> jax.Array:
    """Gradient of a phase.

    Args:
        phase: of a lens.
        y: ``[...]`` positions in metres from the lens' centre.
        x: the same along x; shapes broadcast.

    Returns:
        ``[..., (y, x)]`` in turns per metre.
    """
    y, x = jnp.broadcast_arrays(jnp.asarray(y, dtype=float), jnp.asarray(x, dtype=float))
    total, back = jax.vjp(phase.at, y, x)
    return jnp.stack(back(jnp.ones_like(total)), axis=-1) / (2 * jnp.pi)


@register_dataclass
@dataclass(frozen=True)
class CorrectedLens(Built):
    """The transmission of a lens times the correction of its zones.

    Attributes:
        lens: with :attr:`Metalens.neighbours`, its meta-atoms at the incidence of the light.
        direction: ``[2]`` direction cosines (y, x) of the light.
        polarisation: 0 for s and 1 for p; static under tracing.
    """

    lens: Metalens
    direction: jax.Array
    polarisation: int = field(metadata={"static": True})

    @property
    def rotationally_symmetric(self) -> bool:
        """As of the lens."""
        return self.lens.rotationally_symmetric

    @property
    def flat_pixel(self) -> Scalar:
        """Of the lens; 0 of one without flat cells, whose grid is chosen for the lens itself."""
        return 0.0 if self.lens.flat_pixel is None else self.lens.flat_pixel

    @property
    def smoothed_along_y(self) -> bool:
        """As of the lens."""
        return self.lens.structure is None or self.lens.structure.smoothed_along_y

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """That of the lens."""
        return self.lens.image_order(wavelength)

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens. See :class:`Built`."""
        return self.lens.transmission(y, x, wavelength) * self._factor(y, x, wavelength)

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid. See :class:`Built`."""
        return self.lens.sampled_transmission(y, x, wavelength, step, samples) * self._factor(y, x, wavelength)

    def _factor(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        assert self.lens.neighbours is not None
        slope = phase_slope(self.lens.phase, y, x)
        return self.lens.neighbours.factor(slope, self.direction, wavelength, self.polarisation)

    def check(self, wavelength: object) -> None:
        """Make sure that the transmission is known at these wavelengths in metres. See :class:`Built`."""
        self.lens.check(wavelength)
