"""Figures that say how wide and how bright a point spread function is."""

from __future__ import annotations

import numpy as np
import scipy.optimize

DMDIFF_SIGMA_TO_WIDTH = 2.35
"""The factor between a Gaussian's σ and its full width at half maximum as DMDiff rounds it."""


def sample_positions(shape: tuple[int, ...], pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (y, x) in metres of the samples, ``[y, 1]`` and ``[1, x]``; sample (ny // 2, nx // 2) is 0."""
    y = pixel_pitch * (np.arange(shape[0]) - shape[0] // 2)
    x = pixel_pitch * (np.arange(shape[1]) - shape[1] // 2)
    return y[:, None], x[None, :]


def centroid(intensity: np.ndarray, pixel_pitch: float) -> tuple[float, float]:
    """Centre (y, x) of the intensity in metres from the middle sample."""
    y, x = sample_positions(intensity.shape, pixel_pitch)
    total = intensity.sum()
    return float((intensity * y).sum() / total), float((intensity * x).sum() / total)


def second_moments(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Covariance matrix ``[2, 2]`` of the intensity over (y, x), in m²."""
    y, x = sample_positions(intensity.shape, pixel_pitch)
    middle_y, middle_x = centroid(intensity, pixel_pitch)
    share = intensity / intensity.sum()
    away_y, away_x = y - middle_y, x - middle_x
    mixed = float((share * away_y * away_x).sum())
    return np.array(
        [[float((share * away_y**2).sum()), mixed], [mixed, float((share * away_x**2).sum())]],
    )


def rms_width(intensity: np.ndarray, pixel_pitch: float) -> float:
    """√(σ₁² + σ₂²) of the intensity about its centroid, in metres."""
    return float(np.sqrt(np.trace(second_moments(intensity, pixel_pitch))))


def full_width_half_maximum(intensity: np.ndarray, pixel_pitch: float) -> float:
    """Width of a point spread function by Eq. 2 of DMDiff (arXiv 2506.22753).

    A Gaussian is fitted along the principal axes of the intensity; the result is √((2.35 σ₁)² + (2.35 σ₂)²), so
    that a round spot reads √2 times its width along one axis. The fit starts at the brightest sample and may
    settle on a core that holds few percent of the light: read :func:`rms_width` and :func:`half_energy_radius`
    beside it.

    Args:
        intensity: ``[y, x]``, not negative.
        pixel_pitch: sample spacing in metres.

    Returns:
        Width in metres.
    """
    y, x = np.broadcast_arrays(*sample_positions(intensity.shape, 1.0))
    _, axes = np.linalg.eigh(second_moments(intensity, 1.0))
    along = np.stack([axes[0, axis] * y + axes[1, axis] * x for axis in (0, 1)]).reshape(2, -1)
    height = intensity.max()
    values = (intensity / height).ravel()
    brightest = int(values.argmax())
    # A Gaussian's area above half of its peak is 2π ln 2 σ².
    sigma = np.sqrt(max(1.0, float((values >= 0.5).sum())) / (2 * np.pi * np.log(2)))
    start = np.array([1.0, along[0, brightest], along[1, brightest], np.log(sigma), np.log(sigma)])

    def model(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        amplitude, first, second = parameters[:3]
        scaled = np.stack(
            [
                (along[0] - first) / np.exp(parameters[3]),
                (along[1] - second) / np.exp(parameters[4]),
            ]
        )
        gaussian = np.exp(-0.5 * (scaled**2).sum(axis=0))
        return amplitude * gaussian, gaussian, scaled

    def residual(parameters: np.ndarray) -> np.ndarray:
        return model(parameters)[0] - values

    def jacobian(parameters: np.ndarray) -> np.ndarray:
        fitted, gaussian, scaled = model(parameters)
        slopes = [fitted * scaled[axis] / np.exp(parameters[3 + axis]) for axis in (0, 1)]
        return np.stack([gaussian, *slopes, *(fitted * scaled**2)], axis=1)

    fit = scipy.optimize.least_squares(residual, start, jacobian, method="lm", max_nfev=200)
    widths = DMDIFF_SIGMA_TO_WIDTH * np.exp(fit.x[3:])
    return float(pixel_pitch * np.hypot(*widths))


def encircled_energy(
    intensity: np.ndarray,
    pixel_pitch: float,
    radius: float | np.ndarray,
    centre: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Sum of the intensity within a radius.

    Args:
        intensity: ``[y, x]`` energy per sample.
        pixel_pitch: sample spacing in metres.
        radius: any shape, in metres.
        centre: (y, x) in metres from the middle sample.

    Returns:
        Energy, of the radius' shape; samples on the rim count by the share of a pitch that lies inside.
    """
    y, x = sample_positions(intensity.shape, pixel_pitch)
    distance = np.hypot(y - centre[0], x - centre[1])
    radii = np.asarray(radius, dtype=float)
    found = [
        float((intensity * np.clip((limit - distance) / pixel_pitch + 0.5, 0, 1)).sum()) for limit in radii.ravel()
    ]
    return np.reshape(found, radii.shape)


def half_energy_radius(intensity: np.ndarray, pixel_pitch: float) -> float:
    """Radius about the centroid, in metres, that holds half of the window's energy."""
    middle = centroid(intensity, pixel_pitch)
    half = 0.5 * float(intensity.sum())
    widest = pixel_pitch * float(np.hypot(*intensity.shape))
    return float(
        scipy.optimize.brentq(
            lambda radius: float(encircled_energy(intensity, pixel_pitch, radius, middle)) - half,
            0.0,
            widest,
            xtol=1e-3 * pixel_pitch,
        )
    )


def strehl_ratio(
    peak_density: np.ndarray, wavelength: np.ndarray, focal_length: float, aperture_area: float
) -> np.ndarray:
    """Peak against that of an unaberrated lens of equal aperture and focal length, small-angle convention.

    Args:
        peak_density: highest energy density in 1/m² of a point spread function that sums to 1.
        wavelength: in metres.
        focal_length: in metres.
        aperture_area: in m².

    Returns:
        peak × (λf)²/A. A perfect lens of numerical aperture 0.24 reads 0.94: the reference leaves out obliquity.
    """
    return np.asarray(peak_density) * (np.asarray(wavelength) * focal_length) ** 2 / aperture_area


def modulation_transfer(intensity: np.ndarray, pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Modulation transfer function along y and x.

    Args:
        intensity: ``[..., y, x]``.
        pixel_pitch: sample spacing in metres.

    Returns:
        frequency ``[f]`` in cycles per metre from 0 to the Nyquist frequency of the window's shorter side, and
        ``[..., 2, f]`` modulation for gratings that vary along y and along x, 1 at frequency 0.
    """
    length = min(intensity.shape[-2:])
    frequency = np.fft.rfftfreq(length, pixel_pitch)
    turn = np.exp(-2j * np.pi * frequency * pixel_pitch * np.arange(max(intensity.shape[-2:]))[:, None])
    lines = [intensity.sum(axis=-1), intensity.sum(axis=-2)]
    total = intensity.sum(axis=(-2, -1))[..., None]
    return frequency, np.stack(
        [np.abs(line @ turn[: line.shape[-1]]) / total for line in lines],
        axis=-2,
    )
