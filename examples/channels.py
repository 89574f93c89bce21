"""
What the channels see
=====================

Tables of a light source and of a sensor's channels, as a ``lens.toml`` names them: daylight, and a white LED.
"""

import matplotlib.pyplot as plt
import numpy as np

from metalens.formats.camera.spectrum import Spectrum, read_tables

wavelength = np.linspace(390e-9, 720e-9, 331)
figure, panels = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", sharey=True)
for axes, source in zip(panels, ("D65", "white_led"), strict=True):
    tables = read_tables(Spectrum(source=source, sensor="generic_rgb"))
    light = tables.source.at(wavelength)[0]
    for colour, efficiency in zip(("red", "green", "blue"), tables.sensor.at(wavelength), strict=True):
        axes.plot(1e9 * wavelength, light * efficiency / (light * tables.sensor.at(wavelength)).max(), f"tab:{colour}")
    axes.set(title=source, xlabel="wavelength (nm)")
panels[0].set_ylabel("light × quantum efficiency")
plt.show()
