"""
A point spread function in two lines
====================================

The textbook profile focuses green light from straight ahead perfectly; 10° off the axis it has coma.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens

lens = metalens.Metalens(500e-6, 1e-3, metalens.optics.Hyperbolic(focal_length=1e-3, wavelength=532e-9))
psf = metalens.simulate_psf(lens, 532e-9, np.radians(10), window=(128, 128), pixel_pitch=0.5e-6)

plt.imshow(psf, norm="log", vmin=1e-4 * psf.max(), extent=(-32, 32, 32, -32), cmap="magma")
plt.xlabel("x (µm)")
plt.ylabel("y (µm)")
plt.title(f"532 nm, 10° off the axis: {psf.sum():.0%} of the light")
plt.show()
