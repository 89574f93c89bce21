"""Which wavelengths a bank is made of, and what each is worth to a colour channel.

Files, in reading order:

- ``spectral_density``  how much of each wavelength every colour channel sees
- ``spectrum``          wavelengths and weights of the colour channels
- ``wavelength_count``  how many wavelengths are enough for a stated tolerance
"""
