"""
Wavefront coding
================

A cubic phase on top of a focusing one: the blur is large, and nearly the same at every distance of the sensor, so
that one filter takes it off everywhere.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import Cubic, Hyperbolic

DIAMETER, FOCUS, GREEN = 100e-6, 400e-6, 532e-9
figure, rows = plt.subplots(2, 3, figsize=(7, 4.8), layout="constrained")
for row, strength in zip(rows, (0.0, 40.0), strict=True):
    lens = metalens.Metalens(DIAMETER, FOCUS, Hyperbolic(FOCUS, GREEN) + Cubic(strength, DIAMETER / 2))
    for axes, defocus in zip(row, (-15e-6, 0.0, 15e-6), strict=True):
        psf = metalens.simulate_psf(lens, GREEN, 0.0, window=(81, 81), pixel_pitch=0.5e-6, defocus=defocus)
        axes.imshow(np.sqrt(psf), extent=(-20, 20, 20, -20), cmap="magma")
        axes.set_title(f"{strength:.0f} rad, {1e6 * defocus:+.0f} µm", fontsize=9)
        axes.label_outer()
plt.show()
