"""All figures of merit of a stack of point spread functions."""

from __future__ import annotations

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.psf.figures import PsfFigures
from metalens.psf.measures.direction import tangential_direction
from metalens.psf.measures.energy import energy_radius
from metalens.psf.measures.gaussian_fit import full_width_half_maximum
from metalens.psf.measures.half_maximum import half_maximum_widths
from metalens.psf.measures.modulation import fourier_modulus
from metalens.psf.measures.moments import centroid, rms_width
from metalens.psf.measures.peak import find_peak

FREQUENCIES = 33
"""Frequencies of the modulation transfer function, from 0 to the samples' own Nyquist frequency."""


def psf_figures(
    intensity: np.ndarray,
    pixel_pitch: float,
    position: np.ndarray,
    *,
    sensor_pitch: float | None = None,
    unaberrated_peak: np.ndarray | None = None,
    light: np.ndarray | None = None,
) -> PsfFigures:
    """Measure point spread functions.

    Args:
        intensity: ``[..., y, x]`` energy per sample, each sample integrated over its pixel or sub-pixel; the chief
            ray lies on sample (ny // 2, nx // 2).
        pixel_pitch: sample spacing in metres.
        position: ``[..., (y, x)]`` of the chief ray on the sensor in metres; broadcast to the leading axes.
        sensor_pitch: spacing of the sensor's pixels in metres, if it is not the samples'.
        unaberrated_peak: ``[...]`` from :func:`metalens.psf.measures.unaberrated_peak`, broadcast to the leading axes;
            without it there is no Strehl ratio.
        light: ``[...]`` all light that goes into the image, inside the window and outside, to which modulation
            refers, in the unit of the intensity and broadcast to the leading axes. Without it, as for captured
            functions, of which no more is known, modulation refers to the light in the window.

    Returns:
        Figures with the intensity's leading axes.

    Raises:
        InputError: the intensity is not finite, negative, or all dark somewhere.
    """
    _check(intensity)
    # Once, not by every figure.
    intensity = np.asarray(intensity, dtype=np.float64)
    leading = intensity.shape[:-2]
    tangential = np.broadcast_to(tangential_direction(position), (*leading, 2))
    nyquist = 0.5 / (pixel_pitch if sensor_pitch is None else sensor_pitch)
    frequency = np.linspace(0, 0.5 / pixel_pitch, FREQUENCIES)
    inside = np.sum(intensity, axis=(-2, -1), dtype=np.float64)
    whole = np.asarray(inside if light is None else np.maximum(light, inside))
    modulation = fourier_modulus(intensity, pixel_pitch, np.append(frequency, nyquist), tangential)
    modulation /= whole[..., None, None]
    widths = half_maximum_widths(intensity, pixel_pitch, tangential)
    radii = energy_radius(intensity, pixel_pitch, (0.5, 0.8), integrated=True)
    strehl = None
    if unaberrated_peak is not None:
        strehl = np.asarray(find_peak(intensity, integrated=True)[1] / pixel_pitch**2 / unaberrated_peak)
    return PsfFigures(
        full_width_half_maximum=np.asarray(full_width_half_maximum(intensity, pixel_pitch)),
        tangential_width=widths[..., 0],
        sagittal_width=widths[..., 1],
        rms_width=np.asarray(rms_width(intensity, pixel_pitch)),
        half_energy_radius=radii[..., 0],
        eighty_percent_energy_radius=radii[..., 1],
        centroid=centroid(intensity, pixel_pitch),
        window_share=np.asarray(inside),
        frequency=frequency,
        modulation=modulation[..., :-1],
        nyquist_modulation=modulation[..., -1],
        strehl_ratio=strehl,
    )


def _check(intensity: np.ndarray) -> None:
    if intensity.ndim < 2 or 0 in intensity.shape:
        raise InputError(f"psf figures: found an array of shape {intensity.shape}, expected [..., y, x] with samples.")
    if not np.isfinite(intensity).all():
        raise InputError("psf figures: a point spread function holds NaN or infinity; compute or capture it again.")
    if (intensity < 0).any():
        raise InputError(
            f"psf figures: found an intensity of {intensity.min():.3g}, expected none below zero; subtract less "
            "background and clip."
        )
    if (intensity.max(axis=(-2, -1)) <= 0).any():
        raise InputError("psf figures: a point spread function holds no light; leave it out.")
