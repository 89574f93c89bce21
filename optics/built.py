"""The transmission of a lens that consists of given meta-atoms, instead of a phase and a response."""

from __future__ import annotations

from abc import ABC, abstractmethod

import jax
import jax.numpy as jnp

from metalens.optics.phase.profile import Scalar


class Built(ABC):
    """Complex transmission of a lens that consists of given meta-atoms; a frozen record and a JAX pytree.

    The transmission at a place is that of a periodic array of the meta-atom there: the local periodic approximation.
    It is valid where neighbours are similar, which is not the case where the phase is wrapped.
    """

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether it is rotationally symmetric; known before tracing."""

    @property
    @abstractmethod
    def flat_pixel(self) -> Scalar:
        """Smallest distance in metres over which the transmission changes; it is sampled twice."""

    def image_order(self, wavelength: jax.Array) -> jax.Array:
        """Diffraction order ``[...]`` of the lens' phase that forms the image at ``[...]`` in metres: the first."""
        return jnp.ones(jnp.shape(wavelength), dtype=int)

    @property
    def acts_on_polarisation(self) -> bool:
        """Whether what it transmits depends on the polarisation of the light, which it then is made for."""
        return False

    @property
    def has_flat_cells(self) -> bool:
        """Whether the transmission jumps where cells meet; if not, it is sampled as a continuous one."""
        return True

    @property
    def smoothed_along_y(self) -> bool:
        """Whether :meth:`sampled_transmission` smooths borders along y too, not along x alone."""
        return True

    @abstractmethod
    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
            wavelength: in metres, one number.

        Returns:
            ``[...]`` complex, without unit: 1 leaves the light as it is.
        """

    def sampled_transmission(
        self,
        y: jax.Array,
        x: jax.Array,
        wavelength: jax.Array,
        step: Scalar,  # noqa: ARG002
        samples: int = 2,  # noqa: ARG002
    ) -> jax.Array:
        """Complex transmission on the samples of a uniform grid.

        Args:
            y: ``[m, 1]`` positions of the samples in metres from the lens' centre.
            x: ``[n]`` or ``[1, n]``, the same along x.
            wavelength: in metres, one number.
            step: distance between samples in metres.
            samples: along a flat cell at least, 2 or more.

        Returns:
            ``[m, n]`` complex, the mean over each sample where it varies within one.
        """
        return self.transmission(y, x, wavelength)

    @abstractmethod
    def check(self, wavelength: object) -> None:
        """Make sure that the transmission is known at these wavelengths in metres; outside jit.

        Raises:
            InputError: a wavelength or a geometry lies outside the library's table.
        """
