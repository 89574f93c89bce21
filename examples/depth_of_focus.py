"""
A long depth of focus
=====================

The logarithmic asphere focuses its centre at one distance and its rim at another. It is never as sharp as the
hyperbolic lens in focus, and much less blurred out of it.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import Hyperbolic, LogAsphere

DIAMETER, FOCUS, GREEN = 200e-6, 400e-6, 532e-9
PROFILES = {
    "hyperbolic": Hyperbolic(FOCUS, GREEN),
    "logarithmic asphere": LogAsphere(0.96 * FOCUS, 1.04 * FOCUS, DIAMETER / 2, GREEN),
}

defocus = np.linspace(-20e-6, 20e-6, 9)
for name, phase in PROFILES.items():
    lens = metalens.Metalens(DIAMETER, FOCUS, phase)
    peaks = [
        metalens.simulate_psf(lens, GREEN, 0.0, window=(65, 65), pixel_pitch=0.5e-6, defocus=float(each)).max()
        for each in defocus
    ]
    plt.plot(1e6 * defocus, np.array(peaks) / max(peaks), "o-", label=f"{name}, peak {max(peaks):.3f}")
plt.xlabel("sensor farther from the lens (µm)")
plt.ylabel("brightest sample, of its largest")
plt.legend()
plt.show()
