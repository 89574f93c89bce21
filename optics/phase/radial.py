"""Rotationally symmetric phase profiles."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.phase.profile import RadialPhase, Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class Hyperbolic(RadialPhase):
    """−k(√(r² + f²) − f): focuses an axial plane wave of its design wavelength without aberration.

    Attributes:
        focal_length: f in metres.
        wavelength: design wavelength in metres.
    """

    focal_length: Scalar
    wavelength: Scalar

    def of_squared_radius(self, squared_radius: jax.Array) -> jax.Array:
        """Phase in radians at r² in m²."""
        # r²/(√(r² + f²) + f) is the difference √(r² + f²) − f without its cancellation in float32.
        path = squared_radius / (jnp.sqrt(squared_radius + self.focal_length**2) + self.focal_length)
        return -2 * jnp.pi / self.wavelength * path


@register_dataclass
@dataclass(frozen=True)
class Quadratic(RadialPhase):
    """−πr²/(λf): the wide-field profile, for which a tilt of the wave is a shift of the pupil.

    Attributes:
        focal_length: f in metres.
        wavelength: design wavelength in metres.
    """

    focal_length: Scalar
    wavelength: Scalar

    def of_squared_radius(self, squared_radius: jax.Array) -> jax.Array:
        """Phase in radians at r² in m²."""
        return -jnp.pi / (self.wavelength * self.focal_length) * squared_radius


@register_dataclass
@dataclass(frozen=True)
class EvenPolynomial(RadialPhase):
    """Σ aᵢ (r/R)^(2i), i = 1, 2, …: the form of neural nano-optics (doi:10.1038/s41467-021-26443-0).

    Attributes:
        coefficients: ``[order]`` a₁, a₂, … in radians; a converging lens has a negative a₁.
        radius: normalisation radius R in metres.
    """

    coefficients: np.ndarray | jax.Array
    radius: Scalar

    def of_squared_radius(self, squared_radius: jax.Array) -> jax.Array:
        """Phase in radians at r² in m²."""
        normalised = squared_radius / self.radius**2
        total = jnp.zeros_like(normalised)
        for coefficient in jnp.asarray(self.coefficients)[::-1]:
            total = (total + coefficient) * normalised
        return total
