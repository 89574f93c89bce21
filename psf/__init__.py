"""Point spread functions over field and wavelength, and the figures that describe them.

Files, in reading order:

- ``rays``              where rays land: the geometric picture from which windows and samplings are chosen
- ``aperture_edge``     the hard edge of the aperture on a uniform grid
- ``phasor``            exp(2πic), fast
- ``grid``              uniform grids: how fine and how large
- ``angular_spectrum``  the engine for every lens: one transfer function and one FFT for a PSF
- ``sampling``          how finely the next one has to compute
- ``direction_cosine``  the engine for smooth phases: a few matrix products for a tile, however large the lens
- ``rayleigh_sommerfeld``  the reference engine, in float64
- ``engine``            which engine is taken, and why
- ``pixels``            from samples of an intensity to the energy of pixels
- ``request``           what can be asked, and how it is refused
- ``simulator``         a batch of PSFs by any engine, as one compiled function of the lens
- ``simulate``          one PSF
- ``refinement``        how far a PSF may be wrong: the engine against itself, made finer
- ``measures``          the folder of figures of merit: widths, energy radii, Strehl ratio, modulation transfer
- ``spectral_density``  how much of each wavelength every colour channel sees
- ``spectrum``          wavelengths and weights of the colour channels
- ``wavelength_count``  how many wavelengths are enough for a stated tolerance
- ``view``              how a camera sees the fields at places of its sensor
- ``window``            how large a window holds the light
- ``octant``            the nodes of a grid, and which of them are mirror images of others
- ``bank``              all PSFs of a camera
- ``given``             a bank around functions that come from elsewhere
- ``noise``             background, strength of noise, and negative samples
- ``registration``      shifts of a fraction of a sample
- ``captures``          a bank from captures of a pinhole
- ``fit_model``         a lens whose place and structure are a little wrong
- ``variable_projection``  least squares without the numbers of single images
- ``fit``               what the numbers of that lens are
- ``pictures``          the folder of pictures of a bank, for a paper
"""

from metalens.psf.bank import simulate_bank
from metalens.psf.refinement import estimate_error
from metalens.psf.simulate import simulate_psf
from metalens.psf.simulator import PsfSimulator, psf_simulator

__all__ = ["PsfSimulator", "estimate_error", "psf_simulator", "simulate_bank", "simulate_psf"]
