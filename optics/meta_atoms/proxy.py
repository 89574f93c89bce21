"""The published structure-to-phase fit of neural nano-optics, as a library."""

from __future__ import annotations

import numpy as np

from metalens.optics.meta_atoms.library import MetaAtomLibrary, meta_atom_library


def nano_optics_proxy() -> MetaAtomLibrary:
    """The published fit for Si₃N₄ pillars, 705 nm high at a pitch of 350 nm, over their duty cycle of 0.3 to 0.82.

    φ/2π = 6.051 − 0.02033 λ + 2.26 d + 1.371·10⁻⁵ λ² − 0.002947 λd + 0.797 d² with λ in nm and d the duty cycle, at
    amplitude 1: the structure-to-phase proxy of neural nano-optics (Tseng et al., doi:10.1038/s41467-021-26443-0),
    made for 462, 511 and 606 nm. The table goes from 400 to 700 nm.
    """
    duty, nanometres = np.linspace(0.3, 0.82, 105)[:, None], np.arange(400.0, 701.0, 2.0)
    turns = 6.051 - 0.02033 * nanometres + 2.26 * duty + 1.371e-5 * nanometres**2
    turns = turns - 0.002947 * nanometres * duty + 0.797 * duty**2
    return meta_atom_library(duty[:, 0], nanometres * 1e-9, np.exp(2j * np.pi * turns))
