"""Phase profiles, the metalens, and scalar propagation; and the conventions that every stage keeps.

Files, in reading order:

- ``sharp_edge``   hard edges as a uniform grid holds them
- ``flat_pixels``  a map of flat pixels as a uniform grid holds it
- ``phase``        the folder of phase profiles, a family a file
- ``aperture``     the shape of the opening
- ``response``     what the structure makes of the phase at each wavelength: diffraction orders
- ``meta_atoms``   the folder of meta-atoms: their library, and a response from it
- ``rcwa``         the folder that computes libraries
- ``structure``    the folder of structures: a meta-atom at each site
- ``layout``       the folder of files for fabrication
- ``built``        the transmission of a lens by the meta-atoms that it consists of
- ``metalens``     all of it behind an aperture, at a distance from the sensor
- ``fabrication``  errors that a lens is made with
- ``from_lens_toml``  a lens from the tables of a ``lens.toml``
- ``source``       the light that falls on it: plane waves and point sources
- ``propagation``  Rayleigh–Sommerfeld and band-limited angular spectrum: the reference engines

Conventions:

- SI inside: metres and radians. Files for people carry the unit in the key and are converted on reading.
- Arrays are ``[..., y, x]``; row 0 is at the top, y points down, x points right, the origin lies on the optical
  axis. Light travels along +z, from the lens at z = 0 to the sensor at z = f.
- Time runs as exp(−iωt). A converging lens has the phase −k(√(r² + f²) − f), a plane wave that comes from the
  field angle (θ, φ) has the phase +k sin θ (x cos φ + y sin φ), and free space adds +kz.
- The chief ray, through the lens' centre, of the field angle (θ, φ) lands at
  (x, y) = (f tan θ cos φ, f tan θ sin φ).
- |U|² is the energy per area of a scalar field U. Propagation conserves its integral over a plane, so that a
  point spread function divided by the aperture's area sums to the share of the light through the aperture that
  reaches the window; the cosines of oblique incidence are left out at both ends.
- A phase profile is the same at every wavelength. Without a response it is an ideal diffractive element of unit
  amplitude; with one it is a sum of diffraction orders, t = Σ c_m(λ) exp(imφ).
"""

from metalens.optics.aperture import Annulus, Aperture, Circle, Polygon, regular_polygon
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.meta_atoms import (
    MetaAtomLibrary,
    MetaAtoms,
    check_range,
    library_named,
    meta_atom_library,
    nano_optics_proxy,
    scalar_library,
)
from metalens.optics.metalens import Metalens, Plate, Stop
from metalens.optics.phase import (
    Cubic,
    EvenPolynomial,
    Freeform,
    Hyperbolic,
    LogAsphere,
    Phase,
    Quadratic,
    RadialPhase,
    Sum,
    Zernike,
)
from metalens.optics.propagation import angular_spectrum, rayleigh_sommerfeld
from metalens.optics.response import IdealPhase, Kinoform, Response
from metalens.optics.source import PlaneWave, PointSource, Source

__all__ = [
    "Annulus",
    "Aperture",
    "Circle",
    "Cubic",
    "EvenPolynomial",
    "Freeform",
    "Hyperbolic",
    "IdealPhase",
    "Kinoform",
    "LogAsphere",
    "MetaAtomLibrary",
    "MetaAtoms",
    "Metalens",
    "Phase",
    "PlaneWave",
    "Plate",
    "PointSource",
    "Polygon",
    "Quadratic",
    "RadialPhase",
    "Response",
    "Source",
    "Stop",
    "Sum",
    "Zernike",
    "angular_spectrum",
    "check_range",
    "library_named",
    "meta_atom_library",
    "metalens_of",
    "nano_optics_proxy",
    "rayleigh_sommerfeld",
    "regular_polygon",
    "scalar_library",
]
