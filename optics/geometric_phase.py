"""Geometric phase: rotated half-wave plates, such as nanofins, in circularly polarised light.

A plate with the retardance δ between its axes, turned by α, has the Jones matrix R(α) diag(e^{iδ/2}, e^{−iδ/2}) R(−α).
Of circular light e_σ = (1, iσ)/√2 it makes

    cos(δ/2) e_σ + i sin(δ/2) e^{2iσα} e_−σ

(Pancharatnam 1956; Berry, J. Mod. Opt. 34, 1401, 1987; Bomzon et al., Opt. Lett. 27, 1141, 2002). Turned by α = φ/2,
the converted light gains the lens' phase φ for one handedness and −φ for the other: a lens that focuses left circular
light makes right circular light diverge. What is not converted passes as through a window, the zeroth order; it has the
other polarisation and does not interfere with the converted light. With exp(−iωt), x to the right, y down and light
along +z, σ = 1 turns from x to y: left circular, as the receiver sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.response import Response

Handedness = Literal["left", "right", "unpolarised"]


@register_dataclass
@dataclass(frozen=True)
class GeometricPhase(Response):
    """Half-wave plates of zeroth order, turned by half of the lens' phase.

    The retardance is δ = πλ₀/λ: the birefringence does not depend on the wavelength. Nor does the phase.

    Attributes:
        wavelength: λ₀ in metres, at which all light is converted.
        light: incident polarisation; of unpolarised light half is left and half right circular, and their intensities
            add; static under tracing.
        transmittance: of the plates, both axes alike.
        only: the order that is simulated; None is all of them, whose intensities add; static under tracing.
    """

    wavelength: Scalar
    light: Handedness = field(metadata={"static": True})
    transmittance: Scalar = 1.0
    only: int | None = field(default=None, metadata={"static": True})

    @property
    def orders(self) -> tuple[int, ...]:
        """The converted order, 1 of left and −1 of right circular light, and the zeroth."""
        return self._every if self.only is None else (self.only,)

    @property
    def _every(self) -> tuple[int, ...]:
        return {"left": (0, 1), "right": (-1, 0), "unpolarised": (-1, 0, 1)}[self.light]

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Amplitudes ``[..., order]`` at the wavelengths ``[...]`` in metres.

        Of unpolarised light each handedness has half of the power.
        """
        half = 0.5 * jnp.pi * self.wavelength / jnp.asarray(wavelength)
        through = jnp.sqrt(jnp.asarray(self.transmittance, dtype=float))
        share = 0.5 if self.light == "unpolarised" else 1.0
        converted = 1j * jnp.sqrt(share) * through * jnp.sin(half)
        parts = {0: through * jnp.cos(half) + 0j, 1: converted, -1: converted}
        return jnp.stack([parts[order] for order in self.orders], axis=-1)

    def separate(self) -> tuple[GeometricPhase, ...]:
        """A response for each order: their polarisations are orthogonal or incoherent, so that intensities add."""
        return tuple(replace(self, only=order) for order in self.orders)
