"""Geometric phase: rotated anisotropic meta-atoms, such as nanofins, in circularly polarised light.

A meta-atom that multiplies the field along its axes by t_x and t_y, turned by α, has the Jones matrix
R(α) diag(t_x, t_y) R(−α). Of circular light e_σ = (1, iσ)/√2 it makes

    (t_x + t_y)/2 e_σ + (t_x − t_y)/2 e^{2iσα} e_−σ

(Pancharatnam 1956; Berry, J. Mod. Opt. 34, 1401, 1987; Bomzon et al., Opt. Lett. 27, 1141, 2002). Turned by α = φ/2,
the converted light gains the lens' phase φ for one handedness and −φ for the other: a lens that focuses left circular
light makes right circular light diverge. What is not converted passes as through a window, the zeroth order; it has the
other polarisation and does not interfere with the converted light. With exp(−iωt), x to the right, y down and light
along +z, σ = 1 turns from x to y: left circular, as the receiver sees it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import TURNABLE
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import family_of, told_shapes
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.response import Response

Handedness = Literal["left", "right", "unpolarised"]

_Own = TypeVar("_Own", bound="CircularResponse")


@register_dataclass
@dataclass(frozen=True, kw_only=True)
class CircularResponse(Response):
    """Meta-atoms turned by half of the lens' phase, in circular light.

    Attributes:
        light: incident polarisation; of unpolarised light half is left and half right circular, and their intensities
            add; static under tracing.
        only: the order that is simulated; None is all of them, whose intensities add; static under tracing.
    """

    light: Handedness = field(metadata={"static": True})
    only: int | None = field(default=None, metadata={"static": True})

    @abstractmethod
    def amplitudes(self, wavelength: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Amplitudes ``[...]`` of the light that is converted, and of that which is not, of circular light.

        Args:
            wavelength: ``[...]`` in metres.
        """

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
        converted, plain = self.amplitudes(jnp.asarray(wavelength))
        share = 0.5 if self.light == "unpolarised" else 1.0
        converted = jnp.sqrt(share) * converted
        parts = {0: plain, 1: converted, -1: converted}
        return jnp.stack([parts[order] for order in self.orders], axis=-1)

    def separate(self: _Own) -> tuple[_Own, ...]:
        """A response for each order: their polarisations are orthogonal or incoherent, so that intensities add."""
        return tuple(replace(self, only=order) for order in self.orders)


@register_dataclass
@dataclass(frozen=True, kw_only=True)
class GeometricPhase(CircularResponse):
    """Ideal plates: half-wave plates of zeroth order.

    The retardance is δ = πλ₀/λ, t_x = e^{iδ/2} and t_y = e^{−iδ/2}: the birefringence does not depend on the
    wavelength. Nor does the phase.

    Attributes:
        wavelength: λ₀ in metres, at which all light is converted.
        transmittance: of the plates, both axes alike.
    """

    wavelength: Scalar
    transmittance: Scalar = 1.0

    def amplitudes(self, wavelength: jax.Array) -> tuple[jax.Array, jax.Array]:
        """i sin(δ/2) and cos(δ/2), times the root of the transmittance. See :class:`CircularResponse`."""
        half = 0.5 * jnp.pi * self.wavelength / wavelength
        through = jnp.sqrt(jnp.asarray(self.transmittance, dtype=float))
        return 1j * through * jnp.sin(half), through * jnp.cos(half) + 0j


@register_dataclass
@dataclass(frozen=True, kw_only=True)
class Nanofins(CircularResponse):
    """One rectangular pillar at every site, turned, with the transmissions of its array at normal incidence.

    The array of the pillar as it stands upright stands for that of the turned one on the same lattice: the local
    periodic approximation for the angle, too.

    Attributes:
        along: ``[wavelength]`` t_x of the field along the pillar's width_x.
        across: ``[wavelength]`` t_y of the field along its width_y.
        nodes: ``[wavelength]`` in metres, ascending.
    """

    along: np.ndarray | jax.Array
    across: np.ndarray | jax.Array
    nodes: np.ndarray | jax.Array

    def amplitudes(self, wavelength: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(t_x − t_y)/2 and (t_x + t_y)/2, linear between wavelengths. See :class:`CircularResponse`."""
        difference, mean = (0.5 * (jnp.asarray(self.along) + sign * jnp.asarray(self.across)) for sign in (-1, 1))
        at, nodes = jnp.asarray(wavelength), jnp.asarray(self.nodes)
        converted, plain = (
            jax.lax.complex(jnp.interp(at, nodes, jnp.real(each)), jnp.interp(at, nodes, jnp.imag(each)))
            for each in (difference, mean)
        )
        return converted, plain

    def check(self, wavelength: object) -> None:
        """Make sure that the library holds these wavelengths in metres. See :class:`Response`."""
        values, nodes = np.atleast_1d(np.asarray(wavelength, dtype=float)), np.asarray(self.nodes, dtype=float)
        outside = values[(values < nodes[0] * (1 - 1e-6)) | (values > nodes[-1] * (1 + 1e-6))]
        if outside.size:
            raise InputError(
                f"response: wavelength {1e9 * outside[0]:.5g} nm lies outside the library of nanofins, "
                f"{1e9 * nodes[0]:.5g} to {1e9 * nodes[-1]:.5g} nm; build it with more wavelengths."
            )


def nanofins_of(library: AtomLibrary, wavelength: float, light: Handedness) -> Nanofins:
    """The pillar of a library that converts the most light.

    Args:
        library: of rectangular pillars, both polarisations at normal incidence.
        wavelength: in metres, at which the conversion is compared; the nearest of the library's.
        light: incident polarisation.

    Returns:
        The nanofin with its transmission along and across at the library's wavelengths.

    Raises:
        InputError: the library is of another shape, or lacks a polarisation.
    """
    along, across = jones_axes(library)
    colour = int(np.abs(library.wavelength - wavelength).argmin())
    best = int(np.abs(along - across)[:, colour].argmax())
    return Nanofins(light=light, along=along[best], across=across[best], nodes=library.wavelength)


def jones_axes(library: AtomLibrary) -> tuple[np.ndarray, np.ndarray]:
    """Transmissions of rectangles, ellipses or H shapes for fields along their two axes.

    Args:
        library: of these, both polarisations at normal incidence.

    Returns:
        t_x and t_y, each ``[atom, wavelength]``, of fields along x and along y.

    Raises:
        InputError: the library is of another shape, or lacks a polarisation or normal incidence.
    """
    if library.shape not in TURNABLE or not family_of(library, 0).mirrored:
        raise InputError(
            f"library {library.name}: holds {told_shapes(library)}, and only upright rectangles, ellipses and H shapes "
            "convert circular light or do different things to two polarisations; build a library of these."
        )
    if set(library.polarisations) != {"s", "p"}:
        raise InputError(
            f"library {library.name}: holds the polarisation {library.polarisations[0]} alone, and nanofins need their "
            'transmission along both axes; build it with polarisations = ["s", "p"].'
        )
    if abs(library.angle[0]) > 1e-6:
        raise InputError(
            f"library {library.name}: begins at {np.degrees(library.angle[0]):g}°, and nanofins are taken at normal "
            "incidence; build it with angle_deg = [0]."
        )
    # At normal incidence p has its electric field along x and s along y.
    along, across = (library.transmission[library.polarisations.index(name), 0] for name in "ps")
    return along, across
