"""Point spread functions over field and wavelength, and the figures that describe them.

Files, in reading order:

- ``rays``        where rays land: the geometric picture from which windows and samplings are chosen
- ``engines``     the folder of engines: angular spectrum, direction cosines, Rayleigh–Sommerfeld; which is taken
- ``validation``  what can be asked, and how it is refused
- ``simulator``   a batch of PSFs by any engine, as one compiled function of the lens
- ``simulate``    one PSF
- ``refinement``  how far a PSF may be wrong: the engine against itself, made finer
- ``measures``    the folder of figures of merit: widths, energy radii, Strehl ratio, modulation transfer
- ``spectra``     the folder of wavelengths and what each is worth to a colour channel
- ``camera_fields``  how a camera sees the fields at places of its sensor
- ``window``      how large a window holds the light
- ``field_symmetry``  the nodes of a grid, and which of them are mirror images of others
- ``bank``        all PSFs of a camera
- ``external_bank``  a bank around functions that come from elsewhere
- ``captured``    the folder of measured PSFs: a bank from captures, and a lens fitted to it
- ``pictures``    the folder of pictures of a bank, for a paper
- ``design``      the folder of inverse design
- ``tolerance``   the folder of tolerancing
"""

from metalens.psf.bank import simulate_bank
from metalens.psf.refinement import estimate_error
from metalens.psf.simulate import simulate_psf
from metalens.psf.simulator import PsfSimulator, psf_simulator

__all__ = ["PsfSimulator", "estimate_error", "psf_simulator", "simulate_bank", "simulate_psf"]
