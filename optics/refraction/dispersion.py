"""Refractive index of a glass as a function of the wavelength."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.phase.profile import Scalar
from metalens.optics.pytree import register_dataclass

LINE_F, LINE_D, LINE_C = 486.1327e-9, 587.5618e-9, 656.2725e-9
"""Fraunhofer's lines in metres: blue and red of hydrogen, and yellow of helium between them."""

HIGHEST = 4.5
"""Refractive index above which no glass or crystal is transparent."""


class Dispersion(ABC):
    """A refractive index over wavelengths; a frozen record and a JAX pytree."""

    @abstractmethod
    def index(self, wavelength: jax.Array) -> jax.Array:
        """Refractive index ``[...]``, 1 or more.

        Args:
            wavelength: ``[...]`` in vacuum, in metres.
        """

    def check(self, wavelength: object) -> None:  # noqa: B027
        """Make sure that the index is known at these wavelengths in metres; outside jit.

        Raises:
            InputError: it is not known at one of them.
        """


@register_dataclass
@dataclass(frozen=True)
class Cauchy(Dispersion):
    """n = A + B/λ², two terms of Cauchy's formula (Born & Wolf, Principles of Optics, 2.3.3).

    Attributes:
        constant: A; the index at all wavelengths where B is 0.
        slope: B in m².
    """

    constant: Scalar
    slope: Scalar = 0.0

    def index(self, wavelength: jax.Array) -> jax.Array:
        """A + B/λ². See :class:`Dispersion`."""
        return self.constant + self.slope / jnp.square(wavelength)


def cauchy_of_abbe(index_d: Scalar, abbe_number: Scalar) -> Cauchy:
    """The glass of an index and an Abbe number V = (n_d − 1)/(n_F − n_C).

    Args:
        index_d: n_d, at 587.6 nm.
        abbe_number: V.

    Returns:
        n = A + B/λ² with that index at 587.6 nm.
    """
    slope = (index_d - 1) / abbe_number / (LINE_F**-2 - LINE_C**-2)
    return Cauchy(index_d - slope / LINE_D**2, slope)


@register_dataclass
@dataclass(frozen=True)
class Sellmeier(Dispersion):
    """n² = 1 + Σ Bλ²/(λ² − C) (Sellmeier, Annalen der Physik 219, 272, 1871).

    Attributes:
        strength: ``[term]`` B.
        resonance: ``[term]`` C in m².
    """

    strength: np.ndarray | jax.Array
    resonance: np.ndarray | jax.Array

    def index(self, wavelength: jax.Array) -> jax.Array:
        """The root of that sum. See :class:`Dispersion`."""
        # C/λ² is of the order of 1; λ² alone is near the smallest numbers of single precision.
        ratio = jnp.asarray(self.resonance) / jnp.square(jnp.asarray(wavelength))[..., None]
        return jnp.sqrt(1 + jnp.sum(jnp.asarray(self.strength) / (1 - ratio), axis=-1))

    def check(self, wavelength: object) -> None:
        """Make sure that the index is one of a glass at these wavelengths. See :class:`Dispersion`."""
        values = np.atleast_1d(np.asarray(wavelength, dtype=float))
        terms = np.asarray(self.strength) / (1 - np.asarray(self.resonance) / np.square(values)[:, None])
        squared = 1 + terms.sum(axis=-1)
        wrong = ~((squared >= 1) & (squared <= HIGHEST**2))
        if wrong.any():
            square = squared[wrong][0]
            found = f"the refractive index {np.sqrt(square):.3g}" if square >= 1 else "no refractive index of 1 or more"
            raise InputError(
                f"lens.surfaces: sellmeier_b and sellmeier_c_um2 give {found} at {1e9 * values[wrong][0]:.4g} nm, "
                f"expected 1 to {HIGHEST:g}; check both, and that each root of C lies outside the camera's wavelengths."
            )


@register_dataclass
@dataclass(frozen=True)
class TabulatedIndex(Dispersion):
    """Index between the samples of a table, linearly.

    Attributes:
        wavelength: ``[sample]`` ascending, in metres.
        samples: ``[sample]`` index.
    """

    wavelength: np.ndarray | jax.Array
    samples: np.ndarray | jax.Array

    def index(self, wavelength: jax.Array) -> jax.Array:
        """Interpolated linearly. See :class:`Dispersion`."""
        return jnp.interp(wavelength, jnp.asarray(self.wavelength), jnp.asarray(self.samples))

    def check(self, wavelength: object) -> None:
        """Make sure that the table holds these wavelengths. See :class:`Dispersion`."""
        values, table = np.atleast_1d(np.asarray(wavelength, dtype=float)), np.asarray(self.wavelength, dtype=float)
        outside = values[(values < table[0] * (1 - 1e-6)) | (values > table[-1] * (1 + 1e-6))]
        if outside.size:
            raise InputError(
                f"lens.surfaces: the index of a glass is known from {1e9 * table[0]:.4g} to {1e9 * table[-1]:.4g} nm, "
                f"and {1e9 * outside[0]:.4g} nm was asked for; take another page, or give index and abbe_number."
            )
