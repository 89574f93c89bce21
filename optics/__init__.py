"""Phase profiles, the metalens, and scalar propagation; and the conventions that every stage keeps.

Files, in reading order:

- ``pytree``       records as JAX pytrees
- ``sharp_edge``   hard edges sampled on a uniform grid
- ``flat_pixels``  a map of flat pixels sampled on a uniform grid
- ``phase``        phase profiles, one family per file
- ``aperture``     the shape of the opening
- ``response``     diffraction orders of the structure at each wavelength
- ``meta_atoms``   meta-atoms: their library, and the response computed from it
- ``rcwa``         computation of libraries by rigorous coupled-wave analysis
- ``structure``    structures: a meta-atom at each site
- ``verification``  zones of a lens as supercells, with all neighbours
- ``layout``       files for fabrication and ray tracing
- ``modulated``   a lens times a factor at each place
- ``neighbours``   correction of the local periodic approximation, from a verification
- ``corrected``    a lens with it
- ``built``        transmission of a lens that consists of given meta-atoms
- ``refraction``   refractive surfaces in front of the lens and behind it, and the light behind them
- ``metalens``     the complete lens: phase, response, aperture, distance to the sensor
- ``fabrication``  fabrication errors
- ``geometric_phase``  rotated half-wave plates in circular light
- ``incidence``    angle and polarisation at each place of a lens
- ``polarised``    a lens in the light of one field point: fields whose intensities add
- ``from_lens_toml``  a lens from the tables of a ``lens.toml``
- ``source``       incident light: plane waves and point sources
- ``richards_wolf``  the vector field in an ideal focus, in closed form
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
from metalens.optics.refraction.dispersion import Cauchy, Dispersion, Sellmeier, TabulatedIndex, cauchy_of_abbe
from metalens.optics.refraction.surfaces import Surface
from metalens.optics.response import IdealPhase, Kinoform, Response
from metalens.optics.source import PlaneWave, PointSource, Source
from metalens.runners.compilation_cache import keep_compilations

__all__ = [
    "Annulus",
    "Aperture",
    "Cauchy",
    "Circle",
    "Cubic",
    "Dispersion",
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
    "Sellmeier",
    "Source",
    "Stop",
    "Sum",
    "Surface",
    "TabulatedIndex",
    "Zernike",
    "angular_spectrum",
    "cauchy_of_abbe",
    "check_range",
    "library_named",
    "meta_atom_library",
    "metalens_of",
    "nano_optics_proxy",
    "rayleigh_sommerfeld",
    "regular_polygon",
    "scalar_library",
]

# Before anything is compiled: every simulation imports this package.
keep_compilations()
