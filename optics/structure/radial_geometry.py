"""A lens whose meta-atoms depend on the radius only: the geometry as variables of an optimisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from metalens.optics.built import Built
from metalens.optics.flat_pixels import sampled_rings
from metalens.optics.incidence import LocalIncidence
from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range, check_width_error
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass


@register_dataclass
@dataclass(frozen=True)
class RadialGeometry(Built):
    """The geometry g(r) from control points at r = 0, s, 2s, …; constant beyond the last one.

    ``nearest`` makes a flat ring, as wide as the spacing, of each. With a spacing of a pitch, as of
    :func:`metalens.optics.structure.radial_geometry_of`, that is a value for each ring of sites, and jumps from the
    largest meta-atom to the smallest where a zone ends. ``linear`` between few points is for lenses without zones.

    Attributes:
        geometry: ``[point]`` in the library's unit. :func:`geometry_within` keeps it in the library's range.
        spacing: s in metres.
        library: transmission of the meta-atoms.
        interpolation: ``nearest`` or ``linear``; static under tracing.
        width_error: added to the geometry of all meta-atoms, in the library's unit.
        incidence: of light whose direction varies over the lens; None is one incidence, that of the library.
    """

    geometry: np.ndarray | jax.Array
    spacing: Scalar
    library: MetaAtomLibrary
    interpolation: Literal["nearest", "linear"] = field(default="nearest", metadata={"static": True})
    width_error: Scalar = 0.0
    incidence: LocalIncidence | None = None

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    @property
    def flat_pixel(self) -> Scalar:
        """The spacing in metres."""
        return self.spacing

    @property
    def has_flat_cells(self) -> bool:
        """Whether cells are flat: those of the interpolation ``nearest`` are. See :class:`Built`."""
        return self.interpolation == "nearest"

    def geometry_at(self, y: jax.Array, x: jax.Array) -> jax.Array:
        """The geometry at places of the lens.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[...]`` in the library's unit.
        """
        points = jnp.asarray(self.geometry)
        # The square root is never taken at 0, where its gradient is infinite.
        squared = (jnp.square(y) + jnp.square(x)) / jnp.square(self.spacing)
        number = jnp.minimum(jnp.sqrt(squared + 1e-12), len(points) - 1)
        if self.interpolation == "nearest":
            return points[jnp.floor(number + 0.5).astype(jnp.int32)]
        ring = jnp.clip(jnp.floor(jax.lax.stop_gradient(number)), 0, len(points) - 2).astype(jnp.int32)
        return points[ring] + (number - ring) * (points[ring + 1] - points[ring])

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """The complex transmission at places of the lens. See :class:`Built`."""
        geometry = self.geometry_at(y, x) + self.width_error
        if self.incidence is None:
            return self.library.at(geometry, wavelength)
        return self.incidence.at(self.library, lambda library: library.at(geometry, wavelength), y, x)

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid, the borders of flat rings smoothed.

        See :class:`Built`.
        """
        if self.interpolation != "nearest":
            return self.transmission(y, x, wavelength)
        # The square root is never taken at 0, where its gradient is infinite.
        radius = self.spacing * jnp.sqrt((jnp.square(y) + jnp.square(x)) / jnp.square(self.spacing) + 1e-12)
        rings = jnp.asarray(self.geometry) + self.width_error

        def sampled(library: MetaAtomLibrary) -> jax.Array:
            return sampled_rings(library.at(rings, wavelength), self.spacing, radius, step, samples)

        return sampled(self.library) if self.incidence is None else self.incidence.at(self.library, sampled, y, x)

    def check(self, wavelength: object) -> None:
        """Make sure that the library's table holds these wavelengths (m) and the geometry as it was drawn.

        Raises:
            InputError: one of them lies outside the table, or the error of the geometry reaches half across it.
        """
        check_range(self.library, wavelength=wavelength, geometry=self.geometry)
        check_width_error(self.library, float(self.width_error))


def geometry_within(library: MetaAtomLibrary, control: jax.Array) -> jax.Array:
    """A geometry inside the library's range from numbers without bounds: smallest + range/(1 + exp(−control)).

    Args:
        library: whose range is meant.
        control: ``[...]`` real, such as the variables of an optimisation.

    Returns:
        Of the control's shape, in the library's unit of length.
    """
    axis = jnp.asarray(library.geometry)
    return axis[0] + (axis[-1] - axis[0]) * jax.nn.sigmoid(control)


def control_of(library: MetaAtomLibrary, geometry: jax.Array) -> jax.Array:
    """The inverse of :func:`geometry_within`.

    Within a thousandth of the range from its ends the result is that of the thousandth, where gradients do not
    vanish yet.

    Args:
        library: whose range holds the geometry.
        geometry: ``[...]`` in the library's unit.

    Returns:
        ``[...]`` without bounds, as an optimiser varies it.
    """
    axis = jnp.asarray(library.geometry)
    place = jnp.clip((jnp.asarray(geometry) - axis[0]) / (axis[-1] - axis[0]), 1e-3, 1 - 1e-3)
    return jnp.log(place / (1 - place))
