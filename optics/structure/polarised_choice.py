"""From two phases to rectangles: lenses of turned nanofins, and lenses that do different things to two polarisations.

Linear polarisations: upright rectangles with phases φ_x and φ_y along their axes, chosen for both at each site (Arbabi
et al., Nature Nanotechnology 10, 937, 2015). Circular ones: rectangles that are nearly half-wave plates of the phase
ψ = (φ_L + φ_R)/2, turned by α = (φ_L − φ_R)/4 from x towards y, so that left circular light is converted with the
phase ψ + 2α = φ_L, right with ψ − 2α = φ_R (Balthasar Mueller et al., Physical Review Letters 118, 113901, 2017). With
φ_R = −φ_L they are nanofins of one size, turned by half of the phase.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library
from metalens.formats.meta_atoms.shapes import parameters_of
from metalens.optics.geometric_phase import jones_axes
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase
from metalens.optics.structure.candidates import LARGEST_TABLE, best_candidate, best_pistons, candidates_of
from metalens.optics.structure.choice import LARGEST_PHASE_ERROR, SAMPLES, check_size, fill_sites
from metalens.optics.structure.fit import check_pitch, fit_of_products, opening_points
from metalens.optics.structure.jones_sites import Basis
from metalens.optics.structure.options import StructureOptions, Wanted

ANGLES = 128
"""Angles of turned meta-atoms, half a turn together: phases are π/128 off at most, which costs 2·10⁻⁴ of the light."""

PLATES = 256
"""Phases ψ for which a plate is sought; with the angles, as many meta-atoms as a structure may hold."""


@dataclass(frozen=True)
class Targets:
    """What a lens does to two polarisations.

    Attributes:
        basis: of the polarisations.
        second: phase of y, or of right circular light; that of the lens is of x, or of left circular light. None is
            the negative of the lens' phase, of circular light alone.
    """

    basis: Basis
    second: Phase | None = None


def choose_polarised_structure(
    lens: Metalens,
    library: str | os.PathLike[str] | AtomLibrary,
    options: StructureOptions,
    targets: Targets,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Structure:
    """Choose a rectangle for each site of a lens, and turn it.

    Args:
        lens: gives the first phase.
        library: of rectangular pillars with both polarisations, its name or file, or as it was computed.
        options: pitch, lattice and the design wavelength, one; other criteria of the choice do not apply.
        targets: the second phase.
        progress: called with the number of rows done and their total.

    Returns:
        The structure; its ``provenance`` holds the design wavelength, and efficiency and phase error of both
        polarisations.

    Raises:
        InputError: the library is of another shape or has one polarisation, does not reach both phases, or the pitch
            is too large for them.
    """
    found, wavelength = check_polarised_choice(lens, library, options, targets)
    kind = candidates_of(library, options.pitch).kind
    nearest = int(np.abs(found.wavelength - wavelength).argmin())
    along, across = (table[:, nearest] for table in jones_axes(found))
    if targets.basis == "linear":
        offered, phases = np.stack([along, across], axis=1), (lens.phase, _second(targets))
    else:
        offered, phases = 0.5 * (along - across)[:, None], (lens.phase, targets.second or lens.phase)
    wanted = Wanted(phases, np.full(2, wavelength), np.full(2, 0.5))
    choose = _linear(lens, wanted, offered) if targets.basis == "linear" else _circular(lens, wanted, offered, targets)
    symmetric = all(each.rotationally_symmetric for each in phases)
    codes = fill_sites(lens, options.pitch, options.lattice, choose, progress, symmetric=symmetric)
    used = np.unique(codes[codes != EMPTY])
    numbers = np.full(EMPTY + 1, EMPTY, dtype=np.uint16)
    numbers[used] = np.arange(len(used))
    turned = targets.basis == "circular"
    made = Structure(
        lattice=options.lattice,
        pitch=options.pitch,
        site_index=numbers[codes],
        geometry=np.ascontiguousarray(found.geometry[choose.atom_of(used)]),
        rotation=np.pi * (used % ANGLES) / ANGLES if turned else None,
        parameter_names=parameters_of(kind.shape),
        name=options.name,
        **vars(kind),
    )
    return replace(made, provenance=_provenance(lens, wanted, choose, targets))


def check_polarised_choice(
    lens: Metalens, library: str | os.PathLike[str] | AtomLibrary, options: StructureOptions, targets: Targets
) -> tuple[AtomLibrary, float]:
    """Check what :func:`choose_polarised_structure` is asked for, before the sites are gone through.

    Args:
        lens: as there.
        library: as there.
        options: as there.
        targets: as there.

    Returns:
        The library and the design wavelength in metres.

    Raises:
        InputError: as there.
    """
    found = library if isinstance(library, AtomLibrary) else read_atom_library(library_path(library))
    jones_axes(found)
    if len(found.geometry) > LARGEST_TABLE:
        raise InputError(
            f"structure: the library {found.name} has {len(found.geometry)} meta-atoms, at most {LARGEST_TABLE} are "
            "chosen from; build one of fewer."
        )
    if len(options.wavelengths) != 1:
        raise InputError(
            f"structure: {len(options.wavelengths)} design wavelengths, and rectangles for two polarisations are "
            "chosen at one; give one."
        )
    wavelength = float(options.wavelengths[0])
    if not found.wavelength[0] * (1 - 1e-6) <= wavelength <= found.wavelength[-1] * (1 + 1e-6):
        raise InputError(
            f"structure: the design wavelength {1e9 * wavelength:.5g} nm lies outside the library {found.name}, "
            f"{1e9 * found.wavelength[0]:.5g} to {1e9 * found.wavelength[-1]:.5g} nm; build it with more wavelengths."
        )
    candidates_of(found, options.pitch)
    check_size(lens, options.pitch, options.lattice)
    for phase in (lens.phase, *(() if targets.second is None else (targets.second,))):
        check_pitch(replace(lens, phase=phase), options.pitch, options.lattice, np.array([wavelength]))
    return found, wavelength


def _second(targets: Targets) -> Phase:
    if targets.second is None:
        raise InputError("structure: two linear polarisations need two phases; give the second one.")
    return targets.second


@dataclass(frozen=True)
class _Pairs:
    """Upright rectangles for two phases: a number is that of the meta-atom."""

    wanted: Wanted
    offered: np.ndarray
    piston: np.ndarray

    def __call__(self, y: np.ndarray, x: np.ndarray, inside: np.ndarray) -> np.ndarray:
        return best_candidate(self.wanted.at(y, x)[inside], self.offered, self.wanted.weights, self.piston)

    def atom_of(self, number: np.ndarray) -> np.ndarray:
        return number

    def products(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """``[place, polarisation]`` t exp(−iφ) of what is chosen at places."""
        phase = self.wanted.at(y, x)
        chosen = best_candidate(phase, self.offered, self.wanted.weights, self.piston)
        return np.asarray(self.offered[chosen] * np.exp(-1j * phase.astype(float)))


@dataclass(frozen=True)
class _Plates:
    """Turned plates: a number is that of the plate times :data:`ANGLES`, and the angle's."""

    wanted: Wanted
    opposite: bool
    offered: np.ndarray
    plates: np.ndarray
    """``[plate]`` meta-atom for the phases ψ = 2πi/:data:`PLATES`; one for all where the phases are opposite."""

    def _phases(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = np.moveaxis(self.wanted.at(y, x).astype(float), -1, 0)
        return first, -first if self.opposite else second

    def __call__(self, y: np.ndarray, x: np.ndarray, inside: np.ndarray) -> np.ndarray:
        first, second = (each[inside] for each in self._phases(y, x))
        return self._numbers(first, second)

    def _numbers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        place = np.rint(0.5 * (first + second) / (2 * np.pi) * len(self.plates)).astype(np.int64) % len(self.plates)
        turn = np.rint(0.25 * (first - second) / np.pi * ANGLES).astype(np.int64) % ANGLES
        return place * ANGLES + turn

    def atom_of(self, number: np.ndarray) -> np.ndarray:
        return np.asarray(self.plates[number // ANGLES])

    def products(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """``[place, handedness]`` t exp(−iφ) of what is chosen at places."""
        first, second = self._phases(y, x)
        number = self._numbers(first, second)
        plate, turn = self.offered[self.atom_of(number), 0], np.exp(2j * np.pi * (number % ANGLES) / ANGLES)
        return np.stack([plate * turn * np.exp(-1j * first), plate / turn * np.exp(-1j * second)], axis=-1)


def _linear(lens: Metalens, wanted: Wanted, offered: np.ndarray) -> _Pairs:
    piston = best_pistons(wanted.at(*opening_points(lens, SAMPLES)), offered, wanted.weights)
    return _Pairs(wanted, offered, piston)


def _circular(lens: Metalens, wanted: Wanted, offered: np.ndarray, targets: Targets) -> _Plates:
    opposite = targets.second is None
    if opposite:
        return _Plates(wanted, opposite, offered, np.array([np.abs(offered[:, 0]).argmax()]))
    phase = wanted.at(*opening_points(lens, SAMPLES)).astype(float).mean(axis=-1, keepdims=True)
    piston = best_pistons(phase, offered, np.ones(1))
    grid = 2 * np.pi * np.arange(PLATES)[:, None] / PLATES
    return _Plates(wanted, opposite, offered, best_candidate(grid, offered, np.ones(1), piston))


def _provenance(lens: Metalens, wanted: Wanted, choose: _Pairs | _Plates, targets: Targets) -> dict[str, str]:
    fit = fit_of_products(choose.products(*opening_points(lens, 2**14)))
    error = math.sqrt(float(np.mean(fit.phase_error**2)))
    names = "x y" if targets.basis == "linear" else "left right"
    if error > LARGEST_PHASE_ERROR:
        raise InputError(
            f"structure: the library does not reach both phases: the best choice errs by {error:.2f} rad root mean "
            f"square, at most {LARGEST_PHASE_ERROR:g} rad was expected; take higher meta-atoms or more of them."
        )
    return {
        "design_wavelengths_nm": f"{1e9 * wanted.wavelengths[0]:.6g}",
        "design_polarisations": names,
        "design_efficiency": " ".join(f"{each:.4f}" for each in fit.efficiency),
        "design_phase_error_rad": " ".join(f"{each:.4f}" for each in fit.phase_error),
        "model": "local periodic approximation",
    }
