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
from metalens.optics.pytree import register_dataclass


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

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """The order ``[...]`` that forms the image: 1 if it is simulated, else the strongest at each wavelength.

        Args:
            wavelength: ``[...]`` in metres.
        """
        if 1 in self.orders:
            return jnp.ones(jnp.shape(wavelength), dtype=int)
        return jnp.asarray(self.orders)[jnp.argmax(jnp.abs(self.coefficients(wavelength)), axis=-1)]

    def image_efficiency(self, wavelength: jax.Array) -> jax.Array:
        """Share ``[...]`` of the light in that order, at the wavelengths ``[...]`` in metres."""
        efficiency = jnp.square(jnp.abs(self.coefficients(wavelength)))
        return efficiency[..., self.orders.index(1)] if 1 in self.orders else efficiency.max(axis=-1)

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

        Returns:
            ``[...]`` complex, the sum over the response's orders.
        """
        amplitudes = self.coefficients(wavelength)
        total = jnp.zeros(jnp.shape(phase), dtype=amplitudes.dtype)
        for index, order in enumerate(self.orders):
            turn = order * phase
            total = total + amplitudes[index] * jax.lax.complex(jnp.cos(turn), jnp.sin(turn))
        return total


@register_dataclass
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
        """1 for the one order that there is. See :class:`Response`."""
        return jnp.ones((*jnp.shape(wavelength), 1), dtype=jnp.complex64)


@register_dataclass
@dataclass(frozen=True)
class Kinoform(Response):
    """A blazed surface relief with the phase wrapped to 0..2π at its design wavelength λ₀.

    At λ the same relief turns the phase λ₀/λ times as far, so that c_m = exp(iπ(λ₀/λ − m)) sinc(λ₀/λ − m) with
    sinc u = sin πu/(πu), and the order m has the efficiency sinc²(λ₀/λ − m) (Swanson, MIT Lincoln Laboratory Technical
    Report 854, 1989; O'Shea et al., Diffractive Optics, SPIE, 2004, ch. 4). The dispersion of the material, which
    replaces λ₀/λ by λ₀(n(λ) − 1)/(λ(n(λ₀) − 1)), and shadowing by the steep flanks are neglected.

    With λ₀ a multiple of the light's wavelength the relief is a multi-order lens (Faklis and Morris, Applied Optics 34,
    2462, 1995, doi:10.1364/AO.34.002462): the order m bends λ₀/m as every other order bends its own wavelength, and all
    of its light goes there.

    Attributes:
        wavelength: λ₀ in metres.
        orders: the diffraction orders that are simulated, ascending; static under tracing.
        levels: N steps of equal height in the place of the blaze; None is a continuous relief. At λ₀ the order m then
            has sinc²(m/N) of the blaze's efficiency (Swanson's report); static under tracing.
    """

    wavelength: Scalar
    orders: tuple[int, ...] = field(default=(1,), metadata={"static": True})
    levels: int | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(self.orders))

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Fourier coefficients c_m ``[..., order]`` of the relief, at the wavelengths ``[...]`` in metres."""
        return _of_relief(self, jnp.asarray(wavelength))


# Outside of another compiled function each of its operations would be compiled for each shape.
@jax.jit
def _of_relief(relief: Kinoform, wavelength: jax.Array) -> jax.Array:
    """See :meth:`Kinoform.coefficients`."""
    orders = jnp.asarray(relief.orders)
    detour = relief.wavelength / wavelength[..., None] - orders
    if relief.levels is None:
        return jnp.sinc(detour) * _turned(detour / 2)
    # The step q holds the phase 2πqλ₀/(Nλ) over the N-th part of a turn from 2πq/N on.
    step = jnp.arange(relief.levels) / relief.levels
    steps = _turned(step * detour[..., None]).mean(axis=-1)
    return steps * jnp.sinc(orders / relief.levels) * _turned(-0.5 * orders / relief.levels)


def _turned(turns: jax.Array) -> jax.Array:
    """exp(2πi · turns)."""
    return jax.lax.complex(jnp.cos(2 * jnp.pi * turns), jnp.sin(2 * jnp.pi * turns))


def checked_orders(orders: tuple[int, ...]) -> tuple[int, ...]:
    """The diffraction orders as a tuple, which is hashable, as static fields must be.

    Raises:
        InputError: there are none, or they do not ascend.
    """
    numbers = tuple(int(order) for order in orders)
    if not numbers or any(later <= order for order, later in pairwise(numbers)):
        raise InputError(f"response: orders {list(numbers)} must be one or more whole numbers that ascend; sort them.")
    return numbers
