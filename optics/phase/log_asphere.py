"""The logarithmic asphere: an extended depth of focus by zones that focus at different distances."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import RadialPhase, Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class LogAsphere(RadialPhase):
    """φ(r) = −k ∫₀ʳ r′dr′/√(r′² + z²), z = s₁ + (s₂ − s₁) r′²/R²: rings of equal area focus at equal steps.

    The centre focuses at s₁, the rim at s₂, and the ray through the radius r crosses the axis at z(r). With
    β = (s₂ − s₁)/R² the integral is

        φ(r) = −k/(2|β|) · ln[(2|β|√(r² + z²) + 2β²r² + 1 + 2βs₁) / (2|β|s₁ + 1 + 2βs₁)],

    the logarithm that gives the lens its name; for s₁ = s₂ it is the hyperbolic profile. The design is that of
    Chi and George (doi:10.1364/OL.26.000875); as a metalens for colour: Huang et al. (doi:10.1364/PRJ.396839).

    Attributes:
        centre_focus: s₁ in metres, positive.
        rim_focus: s₂ in metres, positive; on either side of s₁.
        radius: R in metres, of the lens' rim.
        wavelength: design wavelength in metres.
    """

    centre_focus: Scalar
    rim_focus: Scalar
    radius: Scalar
    wavelength: Scalar

    def of_squared_radius(self, squared_radius: jax.Array) -> jax.Array:
        """Phase in radians at r² in m²."""
        start = jnp.asarray(self.centre_focus)
        slope = (self.rim_focus - start) / self.radius**2
        # The hyperbolic limit is reached from one side, where every expression below keeps its derivative.
        slope = slope + jnp.where(slope == 0, 1e-7 / start, 0.0)
        steepness = jnp.abs(slope)
        axial = start + slope * squared_radius
        reach = jnp.sqrt(squared_radius + axial**2)
        # 1 + β(z + s₁) + |β|(√(r² + z²) + s₁), each sign of β without its cancellation.
        lengths = jnp.where(slope > 0, reach + axial + 2 * start, squared_radius / (reach + axial))
        growth = 2 * (1 + steepness * lengths) / (reach + start) / (1 + 2 * start * (slope + steepness))
        return -jnp.pi / self.wavelength * squared_radius * growth * _log_ratio(steepness * squared_radius * growth)


def _log_ratio(argument: jax.Array) -> jax.Array:
    """ln(1 + u)/u for u ≥ 0, with its derivative also at 0."""
    small = argument < 0.03
    safe = jnp.where(small, 1.0, argument)
    series = 1 - argument * (1 / 2 - argument * (1 / 3 - argument * (1 / 4 - argument * (1 / 5 - argument / 6))))
    return jnp.where(small, series, jnp.log1p(safe) / safe)
