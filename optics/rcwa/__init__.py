"""Rigorous coupled-wave analysis: libraries of meta-atoms from their shape and their materials.

Files, in reading order:

- ``materials``  refractive indices, from refractiveindex.info's pages or constant
- ``unit_cell``  the cell of one meta-atom as samples of a density
- ``layer``      Fourier matrices of its layer, by fmmax
- ``solve``      scattering of a plane wave by the layer: zeroth order and powers
- ``supercell``  a row of different meta-atoms: the wanted order with all neighbours
- ``slab``       the same for a uniform slab, in closed form
- ``plan``       a specification with its materials, checked
- ``atom``       one meta-atom at all wavelengths and angles, with converged orders
- ``build``      a library from all meta-atoms, in parallel processes
"""

from metalens.optics.rcwa.build import build_library
from metalens.optics.rcwa.plan import plan_library

__all__ = ["build_library", "plan_library"]
