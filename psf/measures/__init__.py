"""Figures of merit of point spread functions.

All take stacks ``[..., y, x]`` and compute in float64. Sample (ny // 2, nx // 2) is the origin.

Files, in reading order:

- ``moments``       centroid, second moments, rms width
- ``direction``     the tangential and the sagittal direction at a place of the sensor
- ``least_squares`` least-squares fit of a Gaussian from a given start
- ``gaussian_fit``  the full width at half maximum of DMDiff's Eq. 2
- ``interpolation`` a function between its samples
- ``peak``          peak position and value between the samples
- ``half_maximum``  the half-maximum contour's widths along the tangential and sagittal lines
- ``energy``        encircled energy, and radii that contain a given share
- ``modulation``    modulation transfer function of all light of the image
- ``strehl``        Strehl ratio
- ``figures``       all of them at once, as :class:`metalens.formats.psf.figures.PsfFigures`
"""

from metalens.psf.measures.direction import tangential_direction
from metalens.psf.measures.energy import encircled_energy, energy_radius, half_energy_radius
from metalens.psf.measures.figures import psf_figures
from metalens.psf.measures.gaussian_fit import DMDIFF_SIGMA_TO_WIDTH, fit_gaussian, full_width_half_maximum
from metalens.psf.measures.half_maximum import half_maximum_widths
from metalens.psf.measures.modulation import (
    SMALL_WINDOW_SHARE,
    fourier_modulus,
    modulation_transfer,
    warn_of_small_window,
)
from metalens.psf.measures.moments import centroid, rms_width, sample_positions, second_moments
from metalens.psf.measures.peak import find_peak
from metalens.psf.measures.strehl import strehl_ratio, unaberrated_peak

__all__ = [
    "DMDIFF_SIGMA_TO_WIDTH",
    "SMALL_WINDOW_SHARE",
    "centroid",
    "encircled_energy",
    "energy_radius",
    "find_peak",
    "fit_gaussian",
    "fourier_modulus",
    "full_width_half_maximum",
    "half_energy_radius",
    "half_maximum_widths",
    "modulation_transfer",
    "psf_figures",
    "rms_width",
    "sample_positions",
    "second_moments",
    "strehl_ratio",
    "tangential_direction",
    "unaberrated_peak",
    "warn_of_small_window",
]
