"""The response of a lens that consists of meta-atoms.

The pillar at a place is chosen by the wanted phase alone, so that the lens' transmission is a periodic function of the
phase at every wavelength, and its Fourier coefficients are the diffraction orders.

Independent fabrication errors of the meta-atoms are described by their statistics. The ensemble mean of the
field forms the image, as if every meta-atom had the transmission t̄ = (1 − p) E[t(g + δ)] + p tₑ; the remaining energy,
E|t|² − |t̄|², is scattered diffusely (Goodman, Statistical Optics, 2nd ed., Wiley, 2015,
ch. 8: the mean of a randomly perturbed pupil).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range, check_width_error
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.response import Response, checked_orders

PHASES = 512
"""Wanted phases in one turn at which pillars are chosen: the order m is blurred with m ± 512, less than 10⁻³."""

CHOICES = 1024
"""Geometries that are tried for each of them: half a step is less than 1/2000 of the library's range."""

NODES = 9
"""Gauss–Hermite nodes of the errors of width: they reach to 4.5 σ, and are exact for polynomials of degree 17."""


@register_dataclass
@dataclass(frozen=True)
class MetaAtoms(Response):
    """For each design phase, the meta-atom that is nearest in phase at the design wavelength.

    If the library covers less than 2π at the design wavelength, phases in the gap get the nearest meta-atom.

    Attributes:
        library: the meta-atoms to choose from.
        design_wavelength: in metres.
        orders: the diffraction orders that are simulated, ascending; static under tracing.
        width_error: added to the geometry of every meta-atom after the choice, in the library's unit;
            differentiable. Outside the table the values at its border are used.
        width_spread: standard deviation of a further, independent, normally distributed error of each
            meta-atom's geometry, in the library's unit; None or 0 for none.
        height_error: added to the height of all meta-atoms, in metres, to first order by the library's
            derivative of ln t; None or 0 for none.
        index_error: added to their refractive index, likewise.
        missing_share: share p of the meta-atoms that are not there, independently of each other; None or 0 for none.
        incident: the library at the incidence of the light, by which the chosen meta-atoms transmit; None is the
            library itself. They are chosen at normal incidence.
    """

    library: MetaAtomLibrary
    design_wavelength: Scalar
    orders: tuple[int, ...] = field(default=(1,), metadata={"static": True})
    width_error: Scalar = 0.0
    width_spread: Scalar | None = None
    height_error: Scalar | None = None
    index_error: Scalar | None = None
    missing_share: Scalar | None = None
    incident: MetaAtomLibrary | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "orders", checked_orders(self.orders))

    @property
    def achromatic(self) -> bool:
        """False."""
        return False

    def chosen_geometry(self, phase: jax.Array) -> jax.Array:
        """The geometry that is nearest in phase at the design wavelength, to wanted phases in radians."""
        return _chosen(self.library, jnp.asarray(self.design_wavelength), jnp.asarray(phase))

    def periodic_transmission(self, phase: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Mean transmission with all diffraction orders.

        Args:
            phase: ``[...]`` wanted, in radians.
            wavelength: ``[...]`` in metres; shapes broadcast.

        Returns:
            ``[...]`` complex.
        """
        return self.moments(self.chosen_geometry(phase), wavelength)[0]

    def diffuse_share(self, wavelength: jax.Array) -> jax.Array:
        """Share ``[...]`` of the light that differences between meta-atoms scatter diffusely, at ``[...]`` in metres.

        It is E|t|² − |t̄|², mean over all wanted phases. If the library has no transmission of an
        empty site, 1 is assumed.
        """
        return _diffuse_share(self, jnp.asarray(wavelength))

    def moments(self, geometry: jax.Array, wavelength: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Means of t and of |t|² over the errors of each meta-atom by itself.

        Args:
            geometry: as chosen, without errors, in the library's unit.
            wavelength: in metres; broadcasts with the geometry.

        Returns:
            ``[...]`` complex, and ``[...]`` from 0 to 1, which without errors is the squared magnitude of the first.
        """
        if self.width_spread is None:
            transmission = self._with_errors(geometry, wavelength)
            mean, energy = transmission, jnp.square(jnp.abs(transmission))
        else:
            node, weight = np.polynomial.hermite_e.hermegauss(NODES)
            spread = jnp.asarray(geometry)[..., None] + jnp.asarray(node, dtype=float) * self.width_spread
            transmission = self._with_errors(spread, jnp.asarray(wavelength)[..., None])
            share = jnp.asarray(weight / weight.sum(), dtype=float)
            mean, energy = transmission @ share.astype(transmission.dtype), jnp.square(jnp.abs(transmission)) @ share
        if self.missing_share is None:
            return mean, energy
        # A constant contributes to the zeroth order only: an unknown empty site does not affect the others.
        empty, through = jnp.zeros(()), jnp.ones(())
        library = self.library if self.incident is None else self.incident
        if library.empty is not None:
            empty = _row_at(library, jnp.asarray(library.empty), wavelength)
            through = jnp.square(jnp.abs(empty))
        there = 1 - self.missing_share
        return there * mean + self.missing_share * empty, there * energy + self.missing_share * through

    def _with_errors(self, geometry: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Transmission with the errors common to all meta-atoms."""
        library, real = self.library if self.incident is None else self.incident, geometry + self.width_error
        transmission = library.at(real, wavelength)
        for error, slope in ((self.height_error, library.height_slope), (self.index_error, library.index_slope)):
            if error is not None:
                assert slope is not None  # ``check`` has refused it
                transmission = transmission * jnp.exp(error * _table_at(library, jnp.asarray(slope), real, wavelength))
        return transmission

    def coefficients(self, wavelength: jax.Array) -> jax.Array:
        """Fourier coefficients over the wanted phase, ``[..., order]``, at the wavelengths ``[...]`` in metres."""
        return _coefficients(self, jnp.asarray(wavelength))

    def check(self, wavelength: object) -> None:
        """Make sure that the table holds these wavelengths (m) and the geometries with their error.

        Raises:
            InputError: a wavelength lies outside the table, the error of the geometry reaches half across it, a share
                or a spread cannot be, or the library does not know what height, index or an empty site do.
        """
        check_range(self.library, wavelength=self.design_wavelength)
        check_range(self.library, wavelength=wavelength)
        check_width_error(self.library, float(self.width_error))
        self._check_errors(float(self.library.geometry[-1] - self.library.geometry[0]))

    def _check_errors(self, span: float) -> None:
        spread, missing = float(self.width_spread or 0.0), float(self.missing_share or 0.0)
        if not 0 <= spread < 0.25 * span:
            raise InputError(
                f"meta-atoms: width_spread {spread:g} was expected between 0 and a quarter of the library's range of "
                f"geometries, {span:g}; give it in the library's unit."
            )
        if not 0 <= missing < 1:
            raise InputError(f"meta-atoms: missing_share {missing:g} was expected from 0 to less than 1.")
        if missing and 0 in self.orders and self.library.empty is None:
            raise InputError(
                "meta-atoms: missing_share changes the zeroth order by what an empty site lets through, which this "
                "library does not know; leave 0 out of the orders, or choose a library with empty sites."
            )
        for name, slope in (("height", self.library.height_slope), ("index", self.library.index_slope)):
            if getattr(self, f"{name}_error") is not None and slope is None:
                raise InputError(
                    f"meta-atoms: {name}_error is given, but this library has no slopes of the transmission in the "
                    f"{name}; leave it out, or take a library that `metalens library build` made."
                )


# Outside of another compiled function dozens of small ones would be compiled for each shape.
@jax.jit
def _chosen(library: MetaAtomLibrary, design_wavelength: jax.Array, phase: jax.Array) -> jax.Array:
    """See :meth:`MetaAtoms.chosen_geometry`."""
    axis = jnp.asarray(library.geometry)
    candidates = jnp.linspace(axis[0], axis[-1], CHOICES)
    offered = jnp.angle(library.at(candidates, design_wavelength))
    closeness = jnp.cos(offered - phase[..., None])
    return jax.lax.stop_gradient(candidates[jnp.argmax(closeness, axis=-1)])


@jax.jit
def _diffuse_share(response: MetaAtoms, wavelength: jax.Array) -> jax.Array:
    """See :meth:`MetaAtoms.diffuse_share`."""
    phase = 2 * jnp.pi * (jnp.arange(PHASES) + 0.5) / PHASES
    mean, energy = response.moments(response.chosen_geometry(phase), wavelength[..., None])
    scattered = energy - jnp.square(jnp.real(mean)) - jnp.square(jnp.imag(mean))
    # For equal meta-atoms the difference is zero and may become negative by rounding.
    return jnp.maximum(jnp.mean(scattered, axis=-1), 0.0)


@jax.jit
def _coefficients(response: MetaAtoms, wavelength: jax.Array) -> jax.Array:
    """See :meth:`MetaAtoms.coefficients`."""
    phase = 2 * jnp.pi * (jnp.arange(PHASES) + 0.5) / PHASES
    transmission = response.periodic_transmission(phase, wavelength[..., None])
    turn = -jnp.asarray(response.orders) * phase[:, None]
    return transmission @ jax.lax.complex(jnp.cos(turn), jnp.sin(turn)) / PHASES


def _row_at(library: MetaAtomLibrary, row: jax.Array, wavelength: jax.Array) -> jax.Array:
    """A row ``[wavelength]`` of complex numbers between its samples, linearly."""
    axis = jnp.asarray(library.wavelength)
    return jax.lax.complex(*(jnp.interp(wavelength, axis, part) for part in (jnp.real(row), jnp.imag(row))))


def _table_at(library: MetaAtomLibrary, table: jax.Array, geometry: jax.Array, wavelength: jax.Array) -> jax.Array:
    """A table ``[geometry, wavelength]`` between its samples, linearly."""
    places = []
    for axis, value in ((library.geometry, geometry), (library.wavelength, wavelength)):
        number = jnp.interp(value, jnp.asarray(axis), jnp.arange(len(axis), dtype=float))
        cell = jnp.clip(jnp.floor(jax.lax.stop_gradient(number)), 0, len(axis) - 2)
        places.append((cell.astype(int), number - cell))
    (row, down), (column, right) = places
    upper = (1 - right) * table[row, column] + right * table[row, column + 1]
    lower = (1 - right) * table[row + 1, column] + right * table[row + 1, column + 1]
    return (1 - down) * upper + down * lower
