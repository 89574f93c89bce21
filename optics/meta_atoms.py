"""Meta-atoms: what pillars of each width do to light of each wavelength, and a lens that is built of them.

A library is computed elsewhere (rigorous coupled-wave analysis) or published; this is its record, and what a lens
makes of it. The pillar at a place is chosen by the wanted phase alone, so that the lens' transmission is a periodic
function of the phase at every wavelength, and its Fourier coefficients are the diffraction orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.errors import InputError
from metalens.optics.phase.profile import Scalar
from metalens.optics.response import Response, checked_orders

PHASES = 512
"""Wanted phases in one turn at which pillars are chosen: the order m is blurred with m ± 512, less than 10⁻³."""

CHOICES = 1024
"""Geometries that are tried for each of them: half a step is less than 1/2000 of the library's range."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MetaAtomLibrary:
    """Complex transmission of a periodic array of equal meta-atoms, against their geometry and the wavelength.

    Make one with :func:`meta_atom_library`, which checks it.

    Attributes:
        geometry: ``[geometry]`` ascending; a width in metres, or a duty cycle from 0 to 1.
        wavelength: ``[wavelength]`` ascending, in metres.
        transmission: ``[geometry, wavelength]`` complex amplitude behind the array over that before it.
    """

    geometry: np.ndarray | jax.Array
    wavelength: np.ndarray | jax.Array
    transmission: np.ndarray | jax.Array

    def at(self, geometry: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission; the shapes of geometry and wavelength (m) broadcast.

        Amplitude and phase are interpolated linearly each, so that pillars without loss stay so between the samples;
        neighbouring samples have to differ by less than a quarter of a turn. Outside the table its rim holds:
        nothing can be raised while JAX traces, so ask :func:`check_range` first.
        """
        table = jnp.asarray(self.transmission)
        row, down = _cell(jnp.asarray(self.geometry), geometry)
        column, right = _cell(jnp.asarray(self.wavelength), wavelength)
        corners = [table[row + i, column + j] for i in (0, 1) for j in (0, 1)]
        weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
        start = corners[0] / jnp.abs(corners[0])
        amplitude = sum(weight * jnp.abs(corner) for weight, corner in zip(weights, corners, strict=True))
        # Turns are taken from the first corner on, where they are small and not wrapped.
        turns = [jnp.angle(corner * jnp.conj(start)) for corner in corners]
        turn = sum(weight * turn for weight, turn in zip(weights, turns, strict=True))
        return start * jax.lax.complex(amplitude * jnp.cos(turn), amplitude * jnp.sin(turn))


def _cell(samples: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Number of the interval that holds the value, and the place in it from 0 to 1."""
    index = jnp.clip(jnp.searchsorted(samples, jnp.asarray(value), side="right") - 1, 0, len(samples) - 2)
    place = (value - samples[index]) / (samples[index + 1] - samples[index])
    return index, jnp.clip(place, 0, 1)


def meta_atom_library(geometry: np.ndarray, wavelength: np.ndarray, transmission: np.ndarray) -> MetaAtomLibrary:
    """A library of meta-atoms, checked.

    Args:
        geometry: ``[geometry]`` ascending; a width in metres, or a duty cycle.
        wavelength: ``[wavelength]`` ascending, in metres.
        transmission: ``[geometry, wavelength]`` complex.

    Raises:
        InputError: the axes do not ascend, the shapes do not fit, or a value is not finite, zero, or more than 1.
    """
    axes = {"geometry": np.asarray(geometry, dtype=float), "wavelength": np.asarray(wavelength, dtype=float)}
    for name, axis in axes.items():
        if axis.ndim != 1 or len(axis) < 2 or not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
            raise InputError(f"meta-atom library: {name} must be two or more finite numbers that ascend; sort them.")
        if axis[0] <= 0:
            raise InputError(f"meta-atom library: {name} begins with {axis[0]:g}, positive numbers were expected.")
    table = np.asarray(transmission, dtype=complex)
    expected = tuple(len(axis) for axis in axes.values())
    if table.shape != expected:
        raise InputError(
            f"meta-atom library: transmission has the shape {table.shape}, expected [geometry, wavelength] {expected}."
        )
    amplitude = np.abs(table)
    if not np.isfinite(table).all() or amplitude.min() == 0 or amplitude.max() > 1 + 1e-6:
        raise InputError(
            f"meta-atom library: amplitudes from {amplitude.min():.4g} to {amplitude.max():.4g}, expected more than 0 "
            "and at most 1; normalise them to the light that falls on the array."
        )
    return MetaAtomLibrary(axes["geometry"], axes["wavelength"], table.astype(np.complex64))


def check_range(library: MetaAtomLibrary, *, wavelength: object = (), geometry: object = ()) -> None:
    """Make sure that the library's table holds these wavelengths and geometries; for concrete numbers, outside jit.

    Args:
        library: the table.
        wavelength: one or more, in metres.
        geometry: one or more, in the library's own unit.

    Raises:
        InputError: one of them lies outside the table.
    """
    for name, wanted, axis, scale, unit in (
        ("wavelength", wavelength, library.wavelength, 1e9, " nm"),
        ("geometry", geometry, library.geometry, 1.0, ""),
    ):
        values, table = np.asarray(wanted, dtype=float).ravel(), np.asarray(axis, dtype=float)
        # A part in a million more, for numbers that have been through float32.
        outside = values[~((values >= table[0] * (1 - 1e-6)) & (values <= table[-1] * (1 + 1e-6)))]
        if outside.size:
            raise InputError(
                f"meta-atom library: {name} {scale * outside[0]:.6g}{unit} lies outside the table, which goes from "
                f"{scale * table[0]:.6g} to {scale * table[-1]:.6g}{unit}; stay inside, or extend the library."
            )


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


def nano_optics_proxy() -> MetaAtomLibrary:
    """The published fit for Si₃N₄ pillars, 705 nm high at a pitch of 350 nm, over their duty cycle of 0.3 to 0.82.

    φ/2π = 6.051 − 0.02033 λ + 2.26 d + 1.371·10⁻⁵ λ² − 0.002947 λd + 0.797 d² with λ in nm and d the duty cycle, at
    amplitude 1: the structure-to-phase proxy of neural nano-optics (Tseng et al., doi:10.1038/s41467-021-26443-0),
    made for 462, 511 and 606 nm. The table goes from 400 to 700 nm.
    """
    duty, nanometres = np.linspace(0.3, 0.82, 105)[:, None], np.arange(400.0, 701.0, 2.0)
    turns = 6.051 - 0.02033 * nanometres + 2.26 * duty + 1.371e-5 * nanometres**2
    turns = turns - 0.002947 * nanometres * duty + 0.797 * duty**2
    return meta_atom_library(duty[:, 0], nanometres * 1e-9, np.exp(2j * np.pi * turns))
