"""What a lens is built of, in the place of a phase and a response to it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import jax

from metalens.optics.phase.profile import Scalar


class Built(ABC):
    """The complex transmission of a lens by the meta-atoms that it consists of; a frozen record and a JAX pytree.

    The transmission at a place is that of a periodic array of the meta-atom there: the local periodic approximation.
    It holds where neighbours are alike, which they are not where the wanted phase jumps back by a turn.
    """

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether it looks the same from every side; known before anything is traced."""

    @property
    @abstractmethod
    def flat_pixel(self) -> Scalar:
        """Distance in metres within which the transmission may change altogether; it gets two samples."""

    @abstractmethod
    def transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
        """Complex transmission at places of the lens.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.
            wavelength: in metres, one number.
        """

    def sampled_transmission(self, y: jax.Array, x: jax.Array, wavelength: jax.Array, step: Scalar) -> jax.Array:  # noqa: ARG002
        """The same as a uniform grid holds it.

        Args:
            y: ``[m, 1]`` positions of the samples in metres from the lens' centre.
            x: ``[n]`` or ``[1, n]``, the same along x.
            wavelength: in metres, one number.
            step: distance between samples in metres.
        """
        return self.transmission(y, x, wavelength)

    @abstractmethod
    def check(self, wavelength: object) -> None:
        """Make sure that the transmission is known at these wavelengths in metres; outside jit.

        Raises:
            InputError: a wavelength or a geometry lies outside the library's table.
        """
