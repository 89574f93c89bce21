"""Samples of a library that send on more power than they receive: Fourier orders that were too few for them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from metalens.formats.meta_atoms.library import AtomLibrary

LARGEST_EXCESS = 0.005
"""Largest sum of transmitted and reflected power above 1; less is usual with truncated Fourier series."""


class EnergyExcess(NamedTuple):
    """Samples above 1 + :data:`LARGEST_EXCESS`.

    Attributes:
        samples: how many.
        of: samples in all.
        largest: transmitted and reflected power where their sum is largest, 1 for the incident power.
        place: where that is, in words.
    """

    samples: int
    of: int
    largest: float
    place: str


def energy_excess(library: AtomLibrary) -> EnergyExcess | None:
    """Samples of a library whose transmitted and reflected power exceed the incident power; None without any.

    Args:
        library: whose transmittance and reflectance are compared; tables of other programs may lack them.
    """
    if library.transmittance is None or library.reflectance is None:
        return None
    power = library.transmittance + library.reflectance
    samples = int((power > 1 + LARGEST_EXCESS).sum())
    if samples == 0:
        return None
    polarisation, angle, atom, wavelength = np.unravel_index(power.argmax(), power.shape)
    place = (
        f"meta-atom {atom} at {1e9 * library.wavelength[wavelength]:.5g} nm, "
        f"{math.degrees(library.angle[angle]):.3g}°, {library.polarisations[int(polarisation)]}"
    )
    return EnergyExcess(samples, power.size, float(power.max()), place)
