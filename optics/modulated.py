"""A lens whose transmission is multiplied by a factor at each place."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import jax

from metalens.optics.built import Built
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Scalar


@dataclass(frozen=True)
class ModulatedLens(Built):
    """The transmission of a lens times :meth:`factor`; all else is the lens' own.

    Attributes:
        lens: the metalens.
    """

    lens: Metalens

    @property
    def rotationally_symmetric(self) -> bool:
        """As that of the lens."""
        return self.lens.rotationally_symmetric

    @property
    def flat_pixel(self) -> Scalar:
        """Flat pixel of the lens; 0 for a lens without flat cells, whose grid is chosen for the lens itself."""
        return 0.0 if self.lens.flat_pixel is None else self.lens.flat_pixel

    @property
    def smoothed_along_y(self) -> bool:
        """As that of the lens."""
        return self.lens.structure is None or self.lens.structure.smoothed_along_y

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """That of the lens."""
        return self.lens.image_order(wavelength)

    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens. See :class:`Built`."""
        return self.lens.transmission(y, x, wavelength) * self.factor(y, x, wavelength)

    def sampled_transmission(
        self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar, samples: int = 2
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid. See :class:`Built`."""
        return self.lens.sampled_transmission(y, x, wavelength, step, samples) * self.factor(y, x, wavelength)

    @abstractmethod
    def factor(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """The factor at places of the lens; it varies slowly over a sample.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
            wavelength: in metres, one number.

        Returns:
            ``[...]`` complex or real, by which the transmission is multiplied.
        """

    def check(self, wavelength: object) -> None:
        """Make sure that the transmission is known at these wavelengths in metres. See :class:`Built`."""
        self.lens.check(wavelength)
