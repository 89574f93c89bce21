"""
Contrast of fine detail
=======================

The modulation transfer in each channel: the contrast that is left of a grating, at several places of the field.
"""

import warnings

import metalens
from metalens.formats.files.errors import InputWarning
from metalens.psf.pictures.modulation import channel_modulation_figure

bank = metalens.simulate_bank(metalens.read_camera("metacamera"), fields=(3, 3), wavelengths_per_channel=1)
warnings.simplefilter("ignore", InputWarning)  # the window holds 97 % of the light, which is enough for a drawing
figure = channel_modulation_figure(bank)
