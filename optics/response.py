"""What the structure of a lens makes of its phase profile, at each wavelength.

Meta-atoms are chosen at each place by the wanted phase φ alone, so that the complex transmission is a function of φ
with the period 2π, and a sum over diffraction orders: t(φ, λ) = Σ c_m(λ) exp(imφ). |c_m|² is the share of the light
in the order m; m = 1 is the one that makes the image, m = 0 goes straight through.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp


class Response(ABC):
    """The complex transmission of the structure as diffraction orders; a frozen record and a JAX pytree."""

    @property
    @abstractmethod
    def orders(self) -> tuple[int, ...]:
        """The diffraction orders m that are kept, ascending; known before anything is traced."""

    @property
    @abstractmethod
    def achromatic(self) -> bool:
        """Whether the coefficients are the same at every wavelength."""

    @abstractmethod
    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Complex amplitudes c_m ``[..., order]`` at the wavelengths ``[...]`` in metres."""

    def transmission(self, phase: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at a scalar wavelength in metres where the profile asks for a phase in radians."""
        amplitudes = self.coefficients(wavelength)
        total = jnp.zeros(jnp.shape(phase), dtype=amplitudes.dtype)
        for index, order in enumerate(self.orders):
            turn = order * phase
            total = total + amplitudes[index] * jax.lax.complex(jnp.cos(turn), jnp.sin(turn))
        return total


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IdealPhase(Response):
    """exp(iφ): the wanted phase at every wavelength, and no loss."""

    @property
    def orders(self) -> tuple[int, ...]:
        """The first order alone."""
        return (1,)

    @property
    def achromatic(self) -> bool:
        """True."""
        return True

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """1."""
        return jnp.ones((*jnp.shape(wavelength), 1), dtype=jnp.complex64)
