"""Response of the structure: its transmission as a function of the phase profile, at each wavelength.

Meta-atoms are chosen at each place by the design phase φ alone, so that the complex transmission is a function of φ
with the period 2π, and a sum over diffraction orders: t(φ, λ) = Σ c_m(λ) exp(imφ). |c_m|² is the share of the light
in the order m; m = 1 forms the image, m = 0 is the undiffracted light.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from itertools import pairwise

import jax
import jax.numpy as jnp

from metalens.formats.files.errors import InputError
from metalens.optics.phase.profile import Scalar


class Response(ABC):
    """The complex transmission of the structure as diffraction orders; a frozen record and a JAX pytree."""

    @property
    @abstractmethod
    def orders(self) -> tuple[int, ...]:
        """The diffraction orders m that are simulated, ascending; known before tracing."""

    @property
    @abstractmethod
    def achromatic(self) -> bool:
        """Whether the coefficients are the same at every wavelength."""

    @abstractmethod
    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Complex amplitudes c_m ``[..., order]`` at the wavelengths ``[...]`` in metres."""

    def check(self, wavelength: object) -> None:  # noqa: B027 most responses hold at every wavelength
        """Make sure that the response is known at these wavelengths in metres.

        For concrete numbers, before anything is traced: inside jit nothing can be raised.

        Raises:
            InputError: a wavelength lies outside the table of the response.
        """

    def transmission(self, phase: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission for phases of the profile.

        Args:
            phase: ``[...]`` in radians.
            wavelength: in metres, one number.
        """
        amplitudes = self.coefficients(wavelength)
        total = jnp.zeros(jnp.shape(phase), dtype=amplitudes.dtype)
        for index, order in enumerate(self.orders):
            turn = order * phase
            total = total + amplitudes[index] * jax.lax.complex(jnp.cos(turn), jnp.sin(turn))
        return total


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IdealPhase(Response):
    """exp(iφ): the same phase at every wavelength, without loss."""

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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Kinoform(Response):
    """A blazed surface relief with the phase wrapped to 0..2π at its design wavelength λ₀.

    At λ the same relief turns the phase λ₀/λ times as far, so that c_m = exp(iπ(λ₀/λ − m)) sinc(λ₀/λ − m) with
    sinc u = sin πu/(πu), and the order m has the efficiency sinc²(λ₀/λ − m) (Swanson, MIT Lincoln Laboratory Technical
    Report 854, 1989; O'Shea et al., Diffractive Optics, SPIE, 2004, ch. 4). The dispersion of the material, which
    replaces λ₀/λ by λ₀(n(λ) − 1)/(λ(n(λ₀) − 1)), and shadowing by the steep flanks are neglected.

    Attributes:
        wavelength: λ₀ in metres.
        orders: the diffraction orders that are simulated, ascending; static under tracing.
    """

    wavelength: Scalar
    orders: tuple[int, ...] = field(default=(1,), metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(self.orders))

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """exp(iπ(λ₀/λ − m)) sinc(λ₀/λ − m), ``[..., order]``, at the wavelengths ``[...]`` in metres."""
        detour = self.wavelength / jnp.asarray(wavelength)[..., None] - jnp.asarray(self.orders)
        amplitude = jnp.sinc(detour)
        return jax.lax.complex(amplitude * jnp.cos(jnp.pi * detour), amplitude * jnp.sin(jnp.pi * detour))


def checked_orders(orders: tuple[int, ...]) -> tuple[int, ...]:
    """The diffraction orders as a tuple, which is hashable, as static fields must be.

    Raises:
        InputError: there are none, or they do not ascend.
    """
    numbers = tuple(int(order) for order in orders)
    if not numbers or any(later <= order for order, later in pairwise(numbers)):
        raise InputError(f"response: orders {list(numbers)} must be one or more whole numbers that ascend; sort them.")
    return numbers
