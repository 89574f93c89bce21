"""Phase profiles: what a metalens adds to the phase of a wave.

Files, in reading order:

- ``profile``      interface of phase profiles (frozen records, differentiable by JAX); sums
- ``radial``       rotationally symmetric profiles: hyperbolic, quadratic, even polynomial
- ``log_asphere``  extended depth of focus: concentric zones focus at different distances
- ``cubic``        wavefront coding: a PSF that depends little on defocus
- ``zernike``      aberrations: Zernike polynomials by their OSA/ANSI index
- ``freeform``     a map of samples
- ``gradient``     gradient of a profile
- ``stretched``    a profile on a lens whose lateral scale is wrong
- ``from_lens_toml``  a ``[lens.phase]`` table to its profile

A profile is the same at every wavelength: a design wavelength only fixes its shape. The ``response`` of the lens
describes the structure at other wavelengths.
"""

from metalens.optics.phase.cubic import Cubic
from metalens.optics.phase.freeform import Freeform
from metalens.optics.phase.log_asphere import LogAsphere
from metalens.optics.phase.profile import Phase, RadialPhase, Scalar, Sum
from metalens.optics.phase.radial import EvenPolynomial, Hyperbolic, Quadratic
from metalens.optics.phase.stretched import Stretched
from metalens.optics.phase.zernike import Zernike

__all__ = [
    "Cubic",
    "EvenPolynomial",
    "Freeform",
    "Hyperbolic",
    "LogAsphere",
    "Phase",
    "Quadratic",
    "RadialPhase",
    "Scalar",
    "Stretched",
    "Sum",
    "Zernike",
]
