"""Strehl ratio: the peak against that of an unaberrated lens."""

from __future__ import annotations

import numpy as np


def unaberrated_peak(wavelength: np.ndarray | float, focal_length: float, aperture_area: float) -> np.ndarray:
    """Peak energy density A/(λf)² in 1/m² of an unaberrated lens, small-angle convention.

    Args:
        wavelength: in metres.
        focal_length: in metres.
        aperture_area: in m².

    Returns:
        ``[...]`` in 1/m².
    """
    return aperture_area / (np.asarray(wavelength) * focal_length) ** 2


def strehl_ratio(
    peak_density: np.ndarray | float, wavelength: np.ndarray | float, focal_length: float, aperture_area: float
) -> np.ndarray:
    """Peak against that of an unaberrated lens of equal aperture and focal length, small-angle convention.

    Args:
        peak_density: highest energy density in 1/m² of a point spread function whose sum is the share of the light
            through the aperture; see :func:`metalens.psf.measures.find_peak`.
        wavelength: in metres.
        focal_length: in metres.
        aperture_area: in m².

    Returns:
        peak × (λf)²/A. A perfect lens of numerical aperture 0.24 reads 0.94: the reference leaves out obliquity.
    """
    return np.asarray(peak_density) / unaberrated_peak(wavelength, focal_length, aperture_area)
