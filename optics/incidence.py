"""Angle at which light meets each place of a lens, and its polarisation relative to the local plane of incidence.

Light of a field point is a plane wave, or a spherical one at finite distance. The tangential direction cosines of a ray
are the same in air and in a plane substrate (Snell's law), so that sin θ in air, which libraries are tabulated over, is
their length. The light that a stop's edge diffracts is taken to have the direction of the ray.

A periodic array of upright, symmetric meta-atoms multiplies the two eigen-polarisations of the plane of incidence, s
and p, by t_s and t_p. Behind it the field along the lens is E = J E₀ with J = t_s ŝŝᵀ + t_p p̂p̂ᵀ, p̂ along the
tangential direction cosines and ŝ across (R. Clark Jones, J. Opt. Soc. Am. 31, 488, 1941). Unpolarised light is the
incoherent sum of two orthogonal polarisations of half the power each (Born & Wolf, Principles of Optics, 10.9), so that
the intensity is ½ Σ |J_ij|², each element propagated by itself. A plane wave has the same ŝ and p̂ everywhere: of its
elements only t_s and t_p are left. Longitudinal components are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import jax
import jax.numpy as jnp

from metalens.optics.meta_atoms.library import MetaAtomLibrary, at_each_angle
from metalens.optics.meta_atoms.oblique import between_angles
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass
from metalens.optics.refraction.refracted_light import RefractedLight
from metalens.optics.source import PlaneWave, PointSource, Source

Element = Literal["yy", "xx", "xy"]
"""Element of the Jones matrix; it is symmetric, so that xy is yx as well."""

_NEWTON_STEPS = 6


@register_dataclass
@dataclass(frozen=True)
class LocalIncidence:
    """Light whose direction varies over the lens, and the element of the Jones matrix that is computed.

    Attributes:
        source: of the light, in the plane of the stop or, where there is none, of the lens.
        gap: air from the stop to the substrate in metres; 0 without a stop.
        glass: thickness of the substrate behind the stop in metres; 0 without a stop.
        index: of the substrate.
        element: of the Jones matrix; static under tracing.
    """

    source: PointSource | RefractedLight
    gap: Scalar
    glass: Scalar
    index: Scalar
    element: Element = field(metadata={"static": True})

    def direction(self, y: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Tangential direction cosines (y, x) in air of the ray that meets a place of the lens.

        With u the tangent of its angle in air, a ray goes sideways by (z + gap)u + glass·u/√(n² + (n² − 1)u²). That is
        a concave function of u, so that Newton's method from below does not overshoot.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            Two arrays ``[...]`` (y, x), each from −1 to 1.
        """
        if isinstance(self.source, RefractedLight):
            return self.source.directions(y, x)
        place_y, place_x = self.source.place
        away_y, away_x = y - place_y, x - place_x
        aside = jnp.sqrt(jnp.square(away_y) + jnp.square(away_x) + 1e-30)
        air, square = self.source.distance + self.gap, jnp.square(jnp.asarray(self.index, dtype=float))
        tangent = aside / (air + self.glass / self.index)
        for _ in range(_NEWTON_STEPS):
            root = jnp.sqrt(square + (square - 1) * jnp.square(tangent))
            slope = air + self.glass * square / root**3
            tangent = tangent + (aside - air * tangent - self.glass * tangent / root) / slope
        sine = tangent / jnp.sqrt(1 + jnp.square(tangent))
        return sine * away_y / aside, sine * away_x / aside

    def squared_sine(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """sin² of the angle of incidence in air at places of the lens.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` from 0 to 1.
        """
        along_y, along_x = self.direction(y, x)
        return jnp.square(along_y) + jnp.square(along_x)

    def element_of(self, s: jax.Array, p: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
        """The element of J = t_s ŝŝᵀ + t_p p̂p̂ᵀ at places of the lens.

        Args:
            s: ``[...]`` t_s there.
            p: ``[...]`` t_p there.
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` complex.
        """
        along_y, along_x = self.direction(y, x)
        squared = jnp.square(along_y) + jnp.square(along_x) + 1e-20
        if self.element == "xy":
            return (p - s) * (along_y * along_x / squared)
        own = jnp.square(along_y if self.element == "yy" else along_x) / squared
        return s + (p - s) * own

    def at(
        self,
        library: MetaAtomLibrary,
        transmission: Callable[[MetaAtomLibrary], jax.Array],
        y: jax.Array,
        x: jax.Array,
    ) -> jax.Array:
        """A transmission that depends on the library, at the local incidence.

        Args:
            library: with tables over angles.
            transmission: complex ``[...]`` at the places, of a library without angles.
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` complex, an element of the Jones matrix.
        """
        assert library.oblique is not None
        nodes, squared = jnp.asarray(library.oblique.squared_sine), self.squared_sine(y, x)
        s, p = (between_angles(nodes, jax.vmap(transmission)(at_each_angle(library, each)), squared) for each in (0, 1))
        return self.element_of(s, p, y, x)


def local_incidence(lens: Metalens, source: PointSource | RefractedLight, element: Element) -> LocalIncidence:
    """The directions of a near source's light over a lens, or those of refracted light over a lens without a stop.

    Args:
        lens: with its stop and substrate. Without a stop, the distance of the source is to the meta-atoms.
        source: of the light.
        element: of the Jones matrix.

    Returns:
        The directions, to be asked for at places of the lens.
    """
    gap = 0.0 if lens.stop is None else lens.stop.distance
    if lens.stop is None or lens.substrate is None:
        return LocalIncidence(source, gap, 0.0, 1.0, element)
    return LocalIncidence(source, gap, lens.substrate.thickness, lens.substrate.index, element)


def largest_squared_sine(lens: Metalens, source: Source, y: jax.Array, x: jax.Array) -> float:
    """The largest sin² of the angle of incidence, for concrete numbers.

    Args:
        lens: the metalens.
        source: of the light.
        y: ``[...]`` places in the plane of the stop, or of the lens where there is none, in metres.
        x: the same along x.

    Returns:
        From 0 to 1; 0 for light along the axis.
    """
    if not isinstance(source, PlaneWave):
        assert isinstance(source, PointSource | RefractedLight)
        # Between stop and lens a ray's tangential direction cosines stay what they are.
        return float(local_incidence(replace(lens, stop=None), source, "yy").squared_sine(y, x).max())
    return float(jnp.sum(jnp.square(jnp.asarray(source.direction))))
