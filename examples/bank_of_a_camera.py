"""
All point spread functions of a camera
======================================

A *bank* has the functions of a whole camera: at nodes over the sensor, in its three colour channels. Each window is
the function at its place, on a logarithmic scale; coloured light is what each channel spreads differently.
"""

import metalens
from metalens.formats.drawing.psf_map import psf_figure

bank = metalens.simulate_bank(metalens.read_camera("metacamera"), fields=(3, 3), wavelengths_per_channel=1)
figure = psf_figure(bank)
