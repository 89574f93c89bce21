"""What is free in a design: from a vector of numbers to a lens and back.

The numbers of a phase are of the order of radians, and the phase is linear in them: a step of one changes the lens
about as much as a step of another, as a gradient method needs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera import phase as lens_phase
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.input_file import real_path
from metalens.optics.metalens import Metalens
from metalens.optics.phase import EvenPolynomial, Freeform, Phase, Zernike
from metalens.optics.phase.zernike import degrees_of


class LensVariables(ABC):
    """The free numbers of a lens."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many numbers."""

    @property
    @abstractmethod
    def rotationally_symmetric(self) -> bool:
        """Whether every lens of the family is, if its opening is."""

    @abstractmethod
    def lens(self, drawn: Metalens, numbers: jax.Array) -> Metalens:
        """A lens with these free parameters, differentiable in them.

        Args:
            drawn: the camera's lens.
            numbers: ``[count]`` free parameters.

        Returns:
            A lens of the same kind as the specification's.
        """

    @abstractmethod
    def closest(self, lens: Metalens) -> np.ndarray:
        """Numbers ``[count]`` of the lens whose phase is closest to that of another one, but for a constant."""

    @abstractmethod
    def tables(self, numbers: np.ndarray, output: Path) -> dict[str, Any]:
        """Entries of ``[lens]`` that these variables set; referenced files are written next to the output.

        Args:
            numbers: ``[count]`` free parameters.
            output: of the ``lens.toml``.

        Returns:
            Key of ``[lens]`` → its table.
        """


class PhaseVariables(LensVariables):
    """The free numbers of a lens' phase."""

    @abstractmethod
    def phase(self, numbers: jax.Array) -> Phase:
        """The profile of numbers ``[count]``, differentiable."""

    @abstractmethod
    def record(self, numbers: np.ndarray, output: Path) -> lens_phase.Phase:
        """The table ``[lens.phase]``; referenced files are written next to the output.

        Args:
            numbers: ``[count]`` free parameters.
            output: of the ``lens.toml``.

        Returns:
            The table, checked.
        """

    def lens(self, drawn: Metalens, numbers: jax.Array) -> Metalens:
        """The lens with the phase of these parameters. See :class:`LensVariables`."""
        return replace(drawn, phase=self.phase(numbers))

    def tables(self, numbers: np.ndarray, output: Path) -> dict[str, Any]:
        """Entries of ``[lens]``: the phase. See :class:`LensVariables`."""
        return {"phase": self.record(numbers, output)}


@dataclass(frozen=True)
class PolynomialVariables(PhaseVariables):
    """An even polynomial as Σ bₙ (Pₙ(2ρ² − 1) − Pₙ(−1)), n = 1, 2, …: Legendre polynomials, orthogonal over the disc.

    Attributes:
        terms: how many.
        radius: of the lens in metres.
    """

    terms: int
    radius: float

    @property
    def count(self) -> int:
        """One number a term."""
        return self.terms

    @property
    def rotationally_symmetric(self) -> bool:
        """True."""
        return True

    @property
    def powers(self) -> np.ndarray:
        """``[power, term]`` coefficients of ρ², ρ⁴, … in each Legendre polynomial."""
        columns = np.zeros((self.terms, self.terms))
        for term in range(1, self.terms + 1):
            series = np.polynomial.Legendre.basis(term, domain=[0, 1]).convert(kind=np.polynomial.Polynomial)
            columns[:term, term - 1] = series.coef[1:]
        return columns

    def phase(self, numbers: jax.Array) -> Phase:
        """The profile of numbers ``[count]``."""
        return EvenPolynomial(jnp.asarray(self.powers) @ numbers, self.radius)

    def closest(self, lens: Metalens) -> np.ndarray:
        """Least squares over the disc."""
        return self.closest_to(lens.phase)

    def closest_to(self, phase: Phase) -> np.ndarray:
        """Numbers ``[count]`` by least squares over the disc."""
        node, weight = np.polynomial.legendre.leggauss(256)
        wanted = np.asarray(phase.at(jnp.zeros(256), jnp.asarray(self.radius * np.sqrt((node + 1) / 2))), dtype=float)
        basis = np.polynomial.legendre.legvander(node, self.terms)
        return _least_squares(basis, wanted, weight)[1:]

    def record(self, numbers: np.ndarray, output: Path) -> lens_phase.Phase:
        """Record of an even polynomial phase. See :class:`LensVariables`."""
        del output
        coefficients = tuple(round(float(each), 4) for each in self.powers @ np.asarray(numbers, dtype=float))
        return lens_phase.EvenPolynomialPhase(
            family="even_polynomial", coefficients_rad=coefficients, radius_um=round(1e6 * self.radius, 9)
        )


@dataclass(frozen=True)
class ZernikeVariables(PhaseVariables):
    """Coefficients of Zernike polynomials, orthonormal over the disc.

    Attributes:
        indices: OSA/ANSI.
        radius: of the lens in metres.
    """

    indices: tuple[int, ...]
    radius: float

    @property
    def count(self) -> int:
        """One number a polynomial."""
        return len(self.indices)

    @property
    def rotationally_symmetric(self) -> bool:
        """Whether every polynomial is."""
        return all(degrees_of(index)[1] == 0 for index in self.indices)

    def phase(self, numbers: jax.Array) -> Phase:
        """The profile of numbers ``[count]``."""
        return Zernike(self.indices, numbers, self.radius)

    def closest(self, lens: Metalens) -> np.ndarray:
        """Least squares over the disc."""
        node, weight = np.polynomial.legendre.leggauss(48)
        turn = 2 * np.pi * (np.arange(96) + 0.5) / 96
        reach = self.radius * np.sqrt((node[:, None] + 1) / 2)
        y, x = jnp.asarray(reach * np.sin(turn)), jnp.asarray(reach * np.cos(turn))
        wanted = np.asarray(lens.phase.at(y, x), dtype=float).ravel()
        basis = np.stack(
            [np.asarray(Zernike((index,), jnp.ones(1), self.radius).at(y, x)).ravel() for index in (0, *self.indices)],
            axis=1,
        )
        return _least_squares(basis, wanted, np.repeat(weight, 96))[1:]

    def record(self, numbers: np.ndarray, output: Path) -> lens_phase.Phase:
        """Record of a Zernike phase. See :class:`LensVariables`."""
        del output
        return lens_phase.ZernikePhase(
            family="zernike",
            indices=self.indices,
            coefficients_rad=tuple(round(float(each), 5) for each in numbers),
            radius_um=round(1e6 * self.radius, 9),
        )


@dataclass(frozen=True)
class FreeformVariables(PhaseVariables):
    """Samples of a map over the square around the lens, between which the phase is cubic.

    Attributes:
        samples: along each side.
        radius: of the lens in metres.
    """

    samples: int
    radius: float

    @property
    def count(self) -> int:
        """One number a sample."""
        return self.samples**2

    @property
    def rotationally_symmetric(self) -> bool:
        """False."""
        return False

    @property
    def pitch(self) -> float:
        """Distance between samples in metres."""
        return 2 * self.radius / (self.samples - 1)

    def phase(self, numbers: jax.Array) -> Phase:
        """The profile of numbers ``[count]``."""
        return Freeform(jnp.reshape(numbers, (self.samples, self.samples)), self.pitch)

    def closest(self, lens: Metalens) -> np.ndarray:
        """The phase at the samples."""
        place = jnp.asarray(np.linspace(-self.radius, self.radius, self.samples))
        return np.asarray(lens.phase.at(place[:, None], place[None, :]), dtype=float).ravel()

    def record(self, numbers: np.ndarray, output: Path) -> lens_phase.Phase:
        """Record of a phase map, written to ``NAME-phase.npy`` beside ``NAME.toml``. See :class:`LensVariables`."""
        place = output.with_name(f"{output.stem}-phase.npy")
        with atomic_file(place) as part, part.open("wb") as file:
            np.save(file, np.reshape(numbers, (self.samples, self.samples)), allow_pickle=False)
        return lens_phase.FreeformPhase(
            family="freeform",
            file=place.name,
            # A map may end where the aperture does, but not before.
            pitch_um=1e6 * self.pitch,
        ).in_folder(real_path(place).parent)


def zernike_indices(order: int, symmetry: str) -> tuple[int, ...]:
    """OSA/ANSI indices from radial order 2: piston has no effect, and tilt only shifts the picture.

    Args:
        order: largest radial order.
        symmetry: ``"none"``, ``"mirror"`` or ``"rotation"``.

    Returns:
        Ascending indices.
    """
    keep = {"none": lambda m: True, "mirror": lambda m: m >= 0, "rotation": lambda m: m == 0}[symmetry]
    last = order * (order + 3) // 2
    return tuple(index for index in range(3, last + 1) if keep(degrees_of(index)[1]))


def _least_squares(basis: np.ndarray, wanted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    root = np.sqrt(weight)
    return np.linalg.lstsq(root[:, None] * basis, root * wanted, rcond=None)[0]
