"""
A hybrid achromat
=================

A metasurface bends red light more than blue, glass blue more than red. On the plane side of a plano-convex lens of
N-BK7 a metasurface with a twentieth of the power makes both equal: the blur stays narrow over the visible spectrum.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import EvenPolynomial, Hyperbolic, Surface, cauchy_of_abbe
from metalens.psf import psf_simulator
from metalens.psf.measures import full_width_half_maximum

DIAMETER, FOCUS, YELLOW = 100e-6, 500e-6, 587.6e-9
INDEX, ABBE, DIFFRACTIVE_ABBE, THICKNESS = 1.5168, 64.17, -3.45, 60e-6

# Thin lenses in contact: powers in the ratio of the Abbe numbers, of opposite sign.
glass_power = ABBE / (ABBE - DIFFRACTIVE_ABBE) / FOCUS
phase_power = -DIFFRACTIVE_ABBE / (ABBE - DIFFRACTIVE_ABBE) / FOCUS
front = Surface(
    curvature=glass_power / (INDEX - 1), conic=0.0, coefficients=np.zeros(0), radius=1.0, clear_diameter=1.4 * DIAMETER,
    thickness=THICKNESS, medium=cauchy_of_abbe(INDEX, ABBE),
)  # fmt: skip
phase = EvenPolynomial(np.array([-np.pi * (DIAMETER / 2) ** 2 * phase_power / YELLOW]), DIAMETER / 2)
# Behind glass of a thickness the focus is nearer.
behind = 1 / (phase_power + 1 / (1 / glass_power - THICKNESS / INDEX))
lenses = {
    "metasurface alone": metalens.Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, YELLOW)),
    "metasurface behind glass": metalens.Metalens(DIAMETER, behind, phase, surfaces=(front,)),
}
wavelength, pitch = np.linspace(440e-9, 680e-9, 9), 0.5e-6
for name, lens in lenses.items():
    simulator = psf_simulator(lens, wavelength, [0.0], window=(97, 97), pixel_pitch=pitch)
    width = full_width_half_maximum(np.asarray(simulator(lens))[0], pitch)
    plt.plot(1e9 * wavelength, 1e6 * width, "o-", label=f"{name}, at most {1e6 * width.max():.1f} µm")
plt.xlabel("wavelength (nm)")
plt.ylabel("full width at half maximum (µm)")
plt.ylim(bottom=0)
plt.legend()
plt.show()
