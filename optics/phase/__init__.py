"""Phase profiles: what a metalens adds to the phase of a wave.

Files, in reading order:

- ``profile``  what a phase profile is: a frozen record of numbers that can be traced and differentiated
- ``radial``   rotationally symmetric ones: hyperbolic, quadratic, even polynomial

A profile is the same at every wavelength: a design wavelength only fixes its shape. What the structure makes of it
at another wavelength is the lens' ``response``.
"""

from metalens.optics.phase.profile import Phase, RadialPhase, Scalar
from metalens.optics.phase.radial import EvenPolynomial, Hyperbolic, Quadratic

__all__ = ["EvenPolynomial", "Hyperbolic", "Phase", "Quadratic", "RadialPhase", "Scalar"]
