"""
Light that meta-atoms lose off the axis
=======================================

Pillars are chosen at normal incidence. Light of a field point meets them at its own angle, and they transmit it
differently: a library that knows its angles tells by how much the corners darken. With ``incidence = "normal"`` they do
not.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens

ANGLES = np.radians([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0])
WINDOW = {"window": (161, 161), "pixel_pitch": 0.5e-6, "integrate_pixels": True}

figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for axes, nanometres in zip(panels, (460.0, 540.0), strict=True):
    response = {"kind": "library", "library": "si3n4-on-sio2", "wavelength_nm": nanometres}
    phase = {"family": "hyperbolic", "wavelength_nm": nanometres}
    table = {"aperture_um": 40, "focal_length_um": 150, "phase": phase, "response": response}
    for incidence in ("normal", "local"):
        camera = metalens.read_camera("hyperbolic").with_(lens={**table, "incidence": incidence})
        lens = metalens.optics.metalens_of(camera)
        light = [metalens.simulate_psf(lens, 1e-9 * nanometres, angle, **WINDOW).sum() for angle in ANGLES]
        axes.plot(np.degrees(ANGLES), light, "o-", label=f"{incidence} incidence")
        print(f"{nanometres:.0f} nm, {incidence:6}: " + ", ".join(f"{value:.2f}" for value in light))
    axes.set(title=f"{nanometres:.0f} nm", xlabel="field angle (°)", ylim=(0, 1))
panels[0].set_ylabel("share of the light in the image")
panels[0].legend()
plt.show()
