"""Options of the choice of a structure, and its target: phases at the design wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import AtomKind
from metalens.formats.files.arguments import require_number
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Lattice
from metalens.optics.metalens import Metalens
from metalens.optics.phase.profile import Phase
from metalens.optics.structure.group_delay import frequency_factors

MOST_DISPERSION = 10.0


@dataclass(frozen=True)
class StructureOptions:
    """How a structure is chosen.

    Attributes:
        pitch: distance between neighbouring sites in metres.
        wavelengths: ``[wavelength]`` of the design in metres, 1 to 64.
        lattice: of the sites.
        weights: ``[wavelength]`` weight of each wavelength; by default equal.
        geometry: widths in metres to choose from; by default the library's own.
        step: in metres: choose from its multiples.
        phases: a target phase for each wavelength, instead of the lens' phase for all.
        dispersion: how the target follows the frequency ω: the lens' phase times 1 + dispersion (ω/ω₀ − 1), ω₀ that of
            the middle wavelength. 0 is the same phase for all wavelengths, whose focal length goes with ω; 1 a delay,
            whose focal length is the same (:mod:`metalens.optics.structure.group_delay`). Between −10 and 10.
        weigh_amplitude: prefer meta-atoms that transmit more; otherwise only the phase counts.
        allow_gaps: accept a library that does not cover the phase.
        kind: shape, height and materials of the meta-atoms, if a scalar library does not give them.
        name: of the structure.
    """

    pitch: float
    wavelengths: Sequence[float] | np.ndarray
    lattice: Lattice = "square"
    weights: Sequence[float] | np.ndarray | None = None
    geometry: Sequence[float] | np.ndarray | None = None
    step: float | None = None
    phases: Sequence[Phase] | None = None
    dispersion: float = 0.0
    weigh_amplitude: bool = True
    allow_gaps: bool = False
    kind: AtomKind | None = None
    name: str = "structure"


@dataclass(frozen=True)
class Wanted:
    """The target of the choice.

    Attributes:
        phases: one that all wavelengths share, or one for each.
        wavelengths: of the design in metres.
        weights: ``[wavelength]``; they sum to 1.
        weigh_amplitude: whether higher transmission is preferred; otherwise only the phase counts.
        dispersion: of the one phase that all share; see :class:`StructureOptions`.
    """

    phases: tuple[Phase, ...]
    wavelengths: np.ndarray
    weights: np.ndarray
    weigh_amplitude: bool = True
    dispersion: float = 0.0

    def at(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The target phases.

        Args:
            y: ``[...]`` positions in metres from the lens' centre.
            x: the same along x; shapes broadcast.

        Returns:
            ``[..., wavelength]`` in radians, or ``[..., 1]`` where all wavelengths share one phase.
        """
        phases = np.asarray(_phases_at(self.phases, y, x))
        if not self.dispersion:
            return phases
        return phases.astype(np.float64) * frequency_factors(self.wavelengths, self.dispersion)


@jax.jit
def _phases_at(phases: tuple[Phase, ...], y: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.stack([phase.at(y, x) for phase in phases], axis=-1)


def wanted_of(lens: Metalens, options: StructureOptions) -> Wanted:
    """The target of a choice, checked.

    Args:
        lens: gives the phase, unless the options do.
        options: design wavelengths, their weights and phases.

    Returns:
        Phases in radians, wavelengths in metres, and weights that sum to 1.

    Raises:
        InputError: weights, phases or dispersion do not fit the wavelengths.
    """
    weights, phases = options.weights, options.phases
    wavelength = np.atleast_1d(np.asarray(options.wavelengths, dtype=float))
    if wavelength.ndim != 1 or not 1 <= len(wavelength) <= 64 or not (wavelength > 0).all():
        raise InputError("structure: 1 to 64 design wavelengths were expected, in metres.")
    weight = np.ones(len(wavelength)) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != wavelength.shape or not np.isfinite(weight).all() or weight.min() < 0 or weight.sum() == 0:
        raise InputError(
            f"structure: weights {weight.tolist()} for {len(wavelength)} wavelengths; as many numbers from 0 on, not "
            "all 0, were expected."
        )
    asked = (lens.phase,) if phases is None else tuple(phases)
    if phases is not None and len(asked) != len(wavelength):
        raise InputError(
            f"structure: {len(asked)} phases for {len(wavelength)} wavelengths; give one for each, or leave them out."
        )
    if options.dispersion:
        _check_dispersion(options, wavelength)
    return Wanted(asked, wavelength, weight / weight.sum(), options.weigh_amplitude, options.dispersion)


def _check_dispersion(options: StructureOptions, wavelength: np.ndarray) -> None:
    require_number(options.dispersion, "structure: dispersion")
    if not abs(options.dispersion) <= MOST_DISPERSION:
        raise InputError(
            f"structure: dispersion {options.dispersion:g}, expected {-MOST_DISPERSION:g} to {MOST_DISPERSION:g}: 1 "
            "for one focal length, 0 for one phase."
        )
    if options.phases is not None:
        raise InputError(
            "structure: both phases and dispersion were given; a phase for each wavelength says how it follows the "
            "frequency, so leave out one of them."
        )
    if np.ptp(wavelength) == 0:
        raise InputError(
            "structure: dispersion needs two design wavelengths or more, such as 500, 532 and 565 nm; one was given."
        )
