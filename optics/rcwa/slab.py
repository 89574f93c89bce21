"""A uniform slab between two half-spaces, in closed form: the empty cell, and a test of the solver."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def slab_transmission(
    *,
    before: complex,
    slab: complex,
    behind: complex,
    height: float,
    wavelength: float,
    angle: float,
    polarisation: str,
) -> complex:
    """Transmitted amplitude of a slab, |t|² the transmittance, by Airy's formula.

    Args:
        before: refractive index where light comes from, real.
        slab: refractive index of the slab, with a positive imaginary part where it absorbs.
        behind: refractive index on the other side.
        height: of the slab in metres.
        wavelength: in vacuum, in metres.
        angle: of incidence in air, in radians.
        polarisation: ``"s"`` or ``"p"``.

    Returns:
        t from one side of the slab to the other, for exp(−iωt) (Born & Wolf, Principles of Optics, 1.6.4).
    """
    transverse = np.sin(angle)
    along = [_root(index**2 - transverse**2) for index in (before, slab, behind)]
    # Ratio of the magnetic to the electric field along the slab.
    admittance = [
        root if polarisation == "s" else index**2 / root
        for index, root in zip((before, slab, behind), along, strict=True)
    ]
    phase = 2 * np.pi / wavelength * height * along[1]
    (r_front, t_front), (r_back, t_back) = (
        ((one - two) / (one + two), 2 * one / (one + two)) for one, two in pairwise(admittance)
    )
    through = t_front * t_back * np.exp(1j * phase) / (1 + r_front * r_back * np.exp(2j * phase))
    return complex(through * np.sqrt(admittance[2].real / admittance[0].real))


def _root(square: complex) -> complex:
    root = np.sqrt(complex(square))
    return complex(-root if root.imag < 0 else root)
