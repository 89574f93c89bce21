"""Meta-atoms: their complex transmission, and the response of a lens that consists of them.

Files, in reading order:

- ``oblique``   tables over polarisation and angle of incidence
- ``library``   complex transmission against geometry and wavelength
- ``response``  the meta-atom nearest in phase at each place: diffraction orders
- ``proxy``     the published fit of neural nano-optics as a library
- ``named``     a library by its name or from its ``library.h5``
- ``of_camera``  the library of a camera's meta-atoms, as it was computed
"""

from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range, meta_atom_library
from metalens.optics.meta_atoms.named import library_named, scalar_library
from metalens.optics.meta_atoms.proxy import nano_optics_proxy
from metalens.optics.meta_atoms.response import MetaAtoms

__all__ = [
    "MetaAtomLibrary",
    "MetaAtoms",
    "check_range",
    "library_named",
    "meta_atom_library",
    "nano_optics_proxy",
    "scalar_library",
]
