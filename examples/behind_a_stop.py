"""
A wide field behind a stop
==========================

A quadratic profile with a stop in front: light from each direction crosses another part of the lens, and the spot
stays the same over 30°.
"""

import matplotlib.pyplot as plt
import numpy as np

import metalens
from metalens.optics import metalens_of
from metalens.psf import psf_simulator

DEGREES = (0, 15, 30)
lens = metalens_of(metalens.read_camera("wide-field"))
simulator = psf_simulator(
    lens, [532e-9], np.radians(DEGREES).tolist(), window=(33, 33), pixel_pitch=1e-6, integrate_pixels=True
)
figure, panels = plt.subplots(1, len(DEGREES), figsize=(7, 2.6), layout="constrained")
for axes, degrees, psf in zip(panels, DEGREES, np.asarray(simulator(lens))[:, 0], strict=True):
    axes.imshow(psf, extent=(-16.5, 16.5, 16.5, -16.5), cmap="magma")
    axes.set_title(f"{degrees}°")
    axes.set_xlabel("x (µm)")
plt.show()
