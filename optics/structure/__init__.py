"""From phase to structure: a meta-atom for each site, and the transmission of such a lens.

Files, in reading order:

- ``lattice``          sites of square and hexagonal lattices
- ``sites``            the fabricated lens: a meta-atom at each site
- ``radial_geometry``  a geometry over the distance from the centre, to be optimised
- ``candidates``       the available meta-atoms, and the best one for a phase
- ``fit``              phase error and efficiency of a structure; the pitch it needs
- ``group_delay``      what an achromatic lens asks for, and the bound of delay times bandwidth
- ``options``          options of the choice, and its target phases
- ``choice``           the structure of a lens
- ``jones_sites``      sites of rectangles, upright or turned, in polarised light
- ``polarised_choice`` rectangles for two phases of two polarisations, and turned nanofins
"""

from metalens.formats.camera.structure import AtomKind
from metalens.optics.built import Built
from metalens.optics.structure.candidates import Candidates, best_candidate, candidates_of
from metalens.optics.structure.choice import choose_structure, radial_geometry_of, with_structure
from metalens.optics.structure.fit import Fit, fit_of
from metalens.optics.structure.jones_sites import JonesSites, jones_sites
from metalens.optics.structure.options import StructureOptions
from metalens.optics.structure.polarised_choice import Targets, choose_polarised_structure
from metalens.optics.structure.radial_geometry import RadialGeometry, control_of, geometry_within
from metalens.optics.structure.sites import Sites, sites_of

__all__ = [
    "AtomKind",
    "Built",
    "Candidates",
    "Fit",
    "JonesSites",
    "RadialGeometry",
    "Sites",
    "StructureOptions",
    "Targets",
    "best_candidate",
    "candidates_of",
    "choose_polarised_structure",
    "choose_structure",
    "control_of",
    "fit_of",
    "geometry_within",
    "jones_sites",
    "radial_geometry_of",
    "sites_of",
    "with_structure",
]
