"""Verification of a lens of meta-atoms: its zones as supercells, with all neighbours.

Files, in reading order:

- ``zones``  the zones of a lens that are a whole number of meta-atoms wide
- ``plan``   what is computed: zones, wavelengths, fields; checked before the first supercell
- ``zone``   one zone at one wavelength, with a converged number of Fourier orders
- ``run``    all of them, in parallel and resumable
- ``whole_row``  all meta-atoms along a diameter of a small lens together, against zones and library
"""

from metalens.optics.verification.plan import VerificationPlan, plan_verification
from metalens.optics.verification.run import verify_lens

__all__ = ["VerificationPlan", "plan_verification", "verify_lens"]
