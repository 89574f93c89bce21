"""
How wide the blur is, and where
===============================

The full width at half maximum of a fitted Gaussian, over the field and in each channel. This map is one half of what
the restorer is told about the camera.
"""

import metalens
from metalens.formats.drawing.field_map import width_figure

camera = metalens.read_camera("metacamera")
bank = metalens.simulate_bank(camera, fields=(5, 5), wavelengths_per_channel=1)
figure = width_figure(bank)
