"""Phase profiles: what a metalens adds to the phase of a wave.

Files, in reading order:

- ``profile``      what a phase profile is: a frozen record of numbers that can be traced and differentiated; sums
- ``radial``       rotationally symmetric ones: hyperbolic, quadratic, even polynomial
- ``log_asphere``  a rotationally symmetric one for a long depth of focus: its rings focus one behind another
- ``cubic``        wavefront coding: a blur that depends little on the focus
- ``zernike``      aberrations: Zernike polynomials by their OSA/ANSI index
- ``freeform``     a map of samples
- ``stretched``    any of them on a lens that came out larger or smaller

A profile is the same at every wavelength: a design wavelength only fixes its shape. What the structure makes of it
at another wavelength is the lens' ``response``.
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
