"""Families with lengths in metres and the areas of their cross-sections in closed form."""

import numpy as np

from metalens.formats.meta_atoms.shapes import Family

NANO = 1e-9
L_SHAPE = ((0, 0), (3, 0), (3, 1), (1, 1), (1, 2), (0, 2))
"""Of the area 4; the longer side of its box is 3."""

EXAMPLES = {
    "ellipse": (Family("elliptical_pillar"), [120, 240], np.pi / 4 * 120 * 240),
    "ellipse at an angle": (Family("elliptical_pillar", 0.6), [120, 240], np.pi / 4 * 120 * 240),
    "cross": (Family("cross_pillar"), [250, 80], 2 * 250 * 80 - 80**2),
    "cross at an angle": (Family("cross_pillar", 0.3), [250, 80], 2 * 250 * 80 - 80**2),
    "H": (Family("h_pillar"), [240, 200, 70, 50], 2 * 70 * 200 + 100 * 50),
    "H at an angle": (Family("h_pillar", -0.2), [240, 200, 70, 50], 2 * 70 * 200 + 100 * 50),
    "polygon": (Family("polygonal_pillar", 0.0, L_SHAPE), [210], 4 * 70**2),
    "polygon at an angle": (Family("polygonal_pillar", 0.5, L_SHAPE), [210], 4 * 70**2),
}
"""Family, lengths in nm, and area in nm²."""
