"""The focus of an ideal lens of high numerical aperture, by the integrals of Richards and Wolf.

Proc. R. Soc. Lond. A 253, 358 (1959); Novotny and Hecht, Principles of Nano-Optics, 2006, ch. 3.5. Light along the
axis, linearly polarised along x; of circular or unpolarised light the mean over the turned foci.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import jv

Apodisation = Literal["aplanatic", "flat"]

NODES = 400
"""Gauss–Legendre nodes over the cone of light; the phase makes up to 50 turns over them."""


def focal_components(
    y: np.ndarray, x: np.ndarray, *, aperture: float, wavelength: float, apodisation: Apodisation, defocus: float = 0.0
) -> np.ndarray:
    """Electric field near the focus.

    Args:
        y: ``[...]`` from the focus in metres.
        x: the same along x, along which the light is polarised; shapes broadcast.
        aperture: numerical aperture in air, 0 to 1.
        wavelength: in metres.
        apodisation: ``"aplanatic"``, √cos θ, of lenses with the sine condition; ``"flat"``, cos^{-3/2} θ, of flat
            lenses that conserve the power of each ring.
        defocus: distance behind the focus in metres.

    Returns:
        ``[(x, y, z), ...]``, the square of whose norm is 1 at the focus.
    """
    node, weight = np.polynomial.legendre.leggauss(NODES)
    angle = 0.5 * np.arcsin(aperture) * (node + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    light = weight * sine * (np.sqrt(cosine) if apodisation == "aplanatic" else cosine**-1.5)
    number = 2 * np.pi / wavelength
    light = light * np.exp(1j * number * defocus * cosine)
    y, x = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(x, dtype=float))
    away, turn = np.hypot(y, x), np.arctan2(y, x)
    argument = number * away[..., None] * sine
    zero, one, two = (
        (jv(order, argument) * (light * factor)).sum(axis=-1)
        for order, factor in ((0, 1 + cosine), (1, sine), (2, 1 - cosine))
    )
    field = np.stack([zero + two * np.cos(2 * turn), two * np.sin(2 * turn), -2j * one * np.cos(turn)])
    return np.asarray(field / np.abs((light * (1 + cosine)).sum()))
