"""A lens that is built of meta-atoms.

The pillar at a place is chosen by the wanted phase alone, so that the lens' transmission is a periodic function of the
phase at every wavelength, and its Fourier coefficients are the diffraction orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from metalens.formats.errors import InputError
from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range
from metalens.optics.phase.profile import Scalar
from metalens.optics.response import Response, checked_orders

PHASES = 512
"""Wanted phases in one turn at which pillars are chosen: the order m is blurred with m ± 512, less than 10⁻³."""

CHOICES = 1024
"""Geometries that are tried for each of them: half a step is less than 1/2000 of the library's range."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MetaAtoms(Response):
    """A structure that takes, for each wanted phase, the meta-atom that comes closest at the design wavelength.

    Where the library's phases at the design wavelength cover less than a turn, the gap gets what is nearest.

    Attributes:
        library: the meta-atoms to choose from.
        design_wavelength: in metres.
        orders: the diffraction orders that are kept, ascending; fixed, never traced.
        width_error: what fabrication adds to the geometry of every meta-atom, in the library's unit. The choice
            does not know of it; gradients go through.
    """

    library: MetaAtomLibrary
    design_wavelength: Scalar
    orders: tuple[int, ...] = field(default=(1,), metadata={"static": True})
    width_error: Scalar = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(self.orders))

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def chosen_geometry(self, phase: jax.Array) -> jax.Array:
        """The geometry that is nearest in phase at the design wavelength, to wanted phases in radians."""
        axis = jnp.asarray(self.library.geometry)
        candidates = jnp.linspace(axis[0], axis[-1], CHOICES)
        offered = jnp.angle(self.library.at(candidates, jnp.asarray(self.design_wavelength)))
        closeness = jnp.cos(offered - jnp.asarray(phase)[..., None])
        return jax.lax.stop_gradient(candidates[jnp.argmax(closeness, axis=-1)])

    def periodic_transmission(self, phase: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission with all orders, at wanted phases in radians and wavelengths in metres (broadcast)."""
        return self.library.at(self.chosen_geometry(phase) + self.width_error, wavelength)

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Fourier coefficients over the wanted phase, ``[..., order]``, at the wavelengths ``[...]`` in metres."""
        phase = 2 * jnp.pi * (jnp.arange(PHASES) + 0.5) / PHASES
        transmission = self.periodic_transmission(phase, jnp.asarray(wavelength)[..., None])
        turn = -jnp.asarray(self.orders) * phase[:, None]
        return transmission @ jax.lax.complex(jnp.cos(turn), jnp.sin(turn)) / PHASES

    def check(self, wavelength: object) -> None:
        """Make sure that the table holds these wavelengths (m) and the geometries with their error.

        Raises:
            InputError: a wavelength lies outside the table, or the error of the geometry reaches half across it.
        """
        check_range(self.library, wavelength=self.design_wavelength)
        check_range(self.library, wavelength=wavelength)
        span = float(self.library.geometry[-1] - self.library.geometry[0])
        if not abs(float(self.width_error)) < 0.5 * span:
            raise InputError(
                f"meta-atoms: width_error {float(self.width_error):g} is more than half of the library's range of "
                f"geometries, {span:g}; give it in the library's unit."
            )
