"""Made-up libraries of circles, rings, crosses and polygons together, with transmissions from a formula."""

import numpy as np

from metalens.formats.meta_atoms.families import joined_geometry
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.formats.meta_atoms.shapes import MIXED, MIXED_PARAMETERS, Family
from tests.formats.meta_atoms.shape_examples import L_SHAPE

PITCH = 300e-9
WAVELENGTHS = np.array([500e-9, 532e-9, 600e-9])

FAMILIES = (
    Family("round_pillar"),
    Family("square_pillar"),
    Family("annular_pillar"),
    Family("cross_pillar", 0.3),
    Family("polygonal_pillar", 0.0, L_SHAPE),
)
PARTS = (
    [[100], [160], [220]],
    [[100], [161]],
    [[200, 80], [240, 100]],
    [[160, 60], [220, 80], [240, 70]],
    [[150], [180], [210]],
)
"""Lengths in nm of each."""


def mixed(families=FAMILIES, parts=PARTS, **changes):
    """Phases spread evenly over the meta-atoms, with the dispersion of their family; amplitudes of 0.95 to 1."""
    geometry, family = joined_geometry([1e-9 * np.array(each, dtype=float) for each in parts])
    number = np.arange(len(geometry))
    phase = 2 * np.pi * (number * 0.382)[:, None] * (1 + 0.3 * family[:, None] * (532e-9 / WAVELENGTHS - 1))
    table = (0.95 + 0.025 * (number % 3)[:, None]) * np.exp(1j * phase)
    known = {
        "name": "mixed", "shape": MIXED, "material": "TiO2", "substrate": "SiO2", "surrounding": "air",
        "lattice": "square", "light_from": "substrate", "pitch": PITCH, "height": 600e-9,
        "parameter_names": MIXED_PARAMETERS, "geometry": geometry, "families": tuple(families), "family": family,
        "wavelength": WAVELENGTHS, "angle": np.zeros(1), "polarisations": ("s",), "transmission": table[None, None],
        "empty": np.ones((1, 1, 3)),
    }  # fmt: skip
    return AtomLibrary(**known | changes)
