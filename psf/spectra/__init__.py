"""Wavelengths of a bank, and their weights in the colour channels.

Files, in reading order:

- ``spectral_density``  spectral response of each colour channel, including the source
- ``spectrum``          wavelengths and weights of the colour channels
- ``wavelength_count``  number of wavelengths for a given tolerance
"""
