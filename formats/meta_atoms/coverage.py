"""Coverage of a library of meta-atoms at each wavelength: range of phase, and lowest amplitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.meta_atoms.library import AtomLibrary


@dataclass(frozen=True)
class Coverage:
    """One incidence of a library, by wavelength.

    Attributes:
        wavelength: ``[wavelength]`` in metres.
        phase_range: ``[wavelength]`` radians, largest less smallest phase along the geometry, unwrapped; of two
            parameters along the first path through the table, which says little.
        covered: ``[wavelength]`` radians of a turn, less the largest gap between neighbouring phases.
        lowest_amplitude: ``[wavelength]`` of |t| over the geometry.
        mean_power: ``[wavelength]`` of |t|² over the geometry.
        largest_step: ``[wavelength]`` radians, the largest change of phase from one geometry to the next.
    """

    wavelength: np.ndarray
    phase_range: np.ndarray
    covered: np.ndarray
    lowest_amplitude: np.ndarray
    mean_power: np.ndarray
    largest_step: np.ndarray


def coverage_of(library: AtomLibrary) -> Coverage:
    """Coverage of the first polarisation at the first angle; select others with ``library.at_incidence``."""
    table = library.transmission[0, 0]
    phase = np.unwrap(np.angle(table), axis=0)
    around = np.sort(np.angle(table), axis=0)
    gaps = np.diff(np.concatenate([around, around[:1] + 2 * np.pi]), axis=0)
    single = len(table) == 1
    return Coverage(
        library.wavelength,
        phase.max(axis=0) - phase.min(axis=0),
        2 * np.pi - gaps.max(axis=0),
        np.abs(table).min(axis=0),
        (np.abs(table) ** 2).mean(axis=0),
        np.zeros(table.shape[1]) if single else np.abs(np.diff(phase, axis=0)).max(axis=0),
    )
