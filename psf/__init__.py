"""Point spread functions over field and wavelength, and the figures that describe them.

Files, in reading order:

- ``rays``              where rays land: the geometric picture from which windows and samplings are chosen
- ``sampling``          how finely to compute: grids, tiles, nodes inside a pixel
- ``aperture_edge``     the hard edge of the aperture on a uniform grid
- ``angular_spectrum``  the engine for whole banks: one transfer function and one FFT for a PSF
- ``direction_cosine``  the engine for small windows: two matrix products for a PSF
- ``simulate``          one PSF by any engine, with checks on the request
- ``measures``          widths, encircled energy, Strehl ratio, modulation transfer function
- ``spectral_density``  how much of each wavelength every colour channel sees
- ``spectrum``          wavelengths and weights of the colour channels
- ``wavelength_count``  how many wavelengths are enough for a stated tolerance
- ``window``            how large a window holds the light
- ``bank``              all PSFs of a camera
"""

from metalens.psf.bank import simulate_bank

__all__ = ["simulate_bank"]
