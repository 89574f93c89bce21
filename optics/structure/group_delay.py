"""Group delay: what an achromatic lens asks for, what meta-atoms have, and the bound that their height sets.

A phase in proportion to the frequency, φ(r, ω) = φ₀(r) ω/ω₀, is a delay φ₀/ω₀ for all colours, and such a lens has one
focal length. The meta-atom of each site then needs both the phase and its slope ∂φ/∂ω, the group delay. Of any
transparent structure of height h, delay times bandwidth is bounded (Tucker, Ku & Chang-Hasnain, J. Lightwave Technol.
23, 4046, 2005; for lenses Presutti & Monticone, Optica 7, 624, 2020):

    ΔT Δω ≤ ω₀ h (n − n₀) / c

with n the index of the meta-atoms and n₀ that of what surrounds them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.constants import c

from metalens.optics.structure.candidates import Candidates

_STEP = 5e-3
"""Relative step of the frequency, on either side, for the slope of the phase."""


@dataclass(frozen=True)
class GroupDelay:
    """Group delays of a lens and of the meta-atoms that it is made from.

    Attributes:
        asked: range over the aperture of the delay that the target has, in seconds.
        offered: range over the meta-atoms at the middle wavelength, in seconds.
        product: ``asked`` times the bandwidth, in radians.
        bound: of ``product`` for meta-atoms of this height; None if their refractive index is unknown.
    """

    asked: float
    offered: float
    product: float
    bound: float | None

    def told(self) -> str:
        """One clause: what is asked for, and what there is."""
        told = (
            f"the lens asks for group delays over {1e15 * self.asked:z.1f} fs, and the meta-atoms have "
            f"{1e15 * self.offered:z.1f} fs"
        )
        if self.bound is None:
            return told
        return f"{told}; delay times bandwidth is {self.product:.2f}, of at most {self.bound:.2f} for their height"

    @property
    def possible(self) -> bool:
        """Whether the bound allows what is asked for, as far as it is known."""
        return self.bound is None or self.product <= self.bound


def middle_wavelength(wavelengths: np.ndarray) -> float:
    """That of the design wavelengths, of an even number the shorter of both in the middle."""
    return float(np.sort(wavelengths)[(len(wavelengths) - 1) // 2])


def frequency_factors(wavelengths: np.ndarray, dispersion: float) -> np.ndarray:
    """Factors of the phase: 1 + dispersion (ω/ω₀ − 1), ω₀ that of the middle wavelength.

    Args:
        wavelengths: ``[wavelength]`` of the design in metres.
        dispersion: 1 for a delay, 0 for one phase.

    Returns:
        ``[wavelength]``.
    """
    return 1 + dispersion * (middle_wavelength(wavelengths) / wavelengths - 1)


def group_delay(
    phase: np.ndarray,
    wavelengths: np.ndarray,
    dispersion: float,
    candidates: Candidates,
) -> GroupDelay:
    """Compare what is asked for with what there is.

    Args:
        phase: ``[...]`` target phase at the middle wavelength in radians, over the aperture.
        wavelengths: ``[wavelength]`` of the design in metres, two or more.
        dispersion: see :func:`frequency_factors`.
        candidates: meta-atoms to choose from.

    Returns:
        Delays in seconds, their product with the bandwidth in radians, and its bound.
    """
    middle = middle_wavelength(wavelengths)
    frequency = 2 * np.pi * c / middle
    bandwidth = 2 * np.pi * c * float(np.ptp(1 / wavelengths))
    asked = abs(dispersion) * float(np.ptp(phase)) / frequency
    around = np.clip([middle * (1 - _STEP), middle * (1 + _STEP)], wavelengths.min(), wavelengths.max())
    fast, slow = candidates.offered(around).T
    delays = np.angle(fast * slow.conj()) / (2 * np.pi * c * (1 / around[0] - 1 / around[1]))
    contrast = candidates.contrast_at(middle)
    bound = None if contrast is None else frequency * candidates.kind.height * contrast / c
    return GroupDelay(asked, float(np.ptp(delays)), asked * bandwidth, bound)
