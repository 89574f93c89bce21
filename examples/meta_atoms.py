"""
Pillars as phase
================

The phase and the light that pillars of silicon nitride let through, by rigorous coupled-wave analysis: one of the
libraries that come with the package.
"""

import matplotlib.pyplot as plt
import numpy as np

from metalens.optics import library_named

library = library_named("si3n4-on-sio2")
diameters = np.linspace(library.geometry[0], library.geometry[-1], 201)
figure, (phase, light) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharex=True)
for nanometres, colour in ((455, "tab:blue"), (530, "tab:green"), (620, "tab:red")):
    transmitted = np.asarray(library.at(diameters, nanometres * 1e-9))
    phase.plot(1e9 * diameters, np.unwrap(np.angle(transmitted)) / (2 * np.pi), color=colour, label=f"{nanometres} nm")
    light.plot(1e9 * diameters, np.abs(transmitted) ** 2, color=colour)
phase.set(xlabel="diameter (nm)", ylabel="phase (turns)")
light.set(xlabel="diameter (nm)", ylabel="light let through", ylim=(0, 1))
phase.legend()
plt.show()
