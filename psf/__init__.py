"""Point spread functions over field and wavelength, and the figures that describe them.

Files, in reading order:

- ``rays``        geometrical optics: landing points of rays, from which windows and samplings are chosen
- ``engines``     propagation methods: angular spectrum, direction cosines, Rayleigh–Sommerfeld; their choice
- ``conjugates``  distance of the object, place of the sensor
- ``validation``  checks of the arguments
- ``known_plans``  plans of earlier requests
- ``wave_plane``  the plane from which light goes to the sensor as waves, and the flat lens there
- ``simulator``   a batch of PSFs by any engine, as one compiled function of the lens
- ``simulate``    one PSF
- ``refinement``  numerical error of a PSF, by comparison with a finer sampling
- ``measures``    figures of merit: widths, energy radii, Strehl ratio, modulation transfer
- ``restoration_error``  expected error of a picture, captured and after a Wiener filter
- ``spectra``     wavelengths and their weights in the colour channels
- ``camera_fields``  chief rays and geometry of field points on the sensor
- ``distortion``  distortion of a camera, and pictures without it
- ``window``      choice of the window size
- ``field_symmetry``  nodes of a grid, and their mirror symmetry
- ``bank_request``  field points, window and wavelengths of a bank
- ``bank_plan``     window and engine of a bank, chosen before the first field
- ``bank_fields``  simulation of its field points
- ``interpolation``  functions of a bank between its nodes, and the error of that
- ``node_count``  number of nodes that holds this error
- ``bank``        all PSFs of a camera
- ``external_bank``  a bank of point spread functions from another source
- ``through_focus``  one place of the sensor, in and out of focus
- ``captured``    measured PSFs: a bank from captures, and a lens fitted to it
- ``pictures``    figures of a bank, for a paper
- ``design``      inverse design
- ``tolerance``   tolerancing
"""

from metalens.psf.bank import simulate_bank
from metalens.psf.refinement import estimate_error
from metalens.psf.simulate import simulate_psf
from metalens.psf.simulator import PsfSimulator, psf_simulator

__all__ = ["PsfSimulator", "estimate_error", "psf_simulator", "simulate_bank", "simulate_psf"]
