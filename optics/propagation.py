"""Scalar propagation from the lens to a window of the sensor, in float64: the reference engines.

Both take any sampled aperture field and agree to rounding and sampling error. They hold a field on a uniform grid
whose window may lie far off axis; the carrier that points from the lens' centre to the window's centre is removed
before the transform, so that the pitch has to resolve only the spread of directions around it.
"""

from __future__ import annotations

import numpy as np
import scipy.fft


def rayleigh_sommerfeld(
    field: np.ndarray,
    *,
    pitch: float,
    wavelength: float,
    distance: float,
    centre: tuple[float, float],
    shape: tuple[int, int],
) -> np.ndarray:
    """Rayleigh–Sommerfeld integral of the first kind as a linear convolution by FFT.

    U(X) = ∬ U₀(x) h(X − x) dx dy with h = z/(iλR²) (1 + i/(kR)) exp(ikR), R² = |X − x|² + z².
    Exact except for the sampling: the pitch must resolve the kernel, whose direction cosines spread by about
    (aperture + window)/distance around the carrier.

    Args:
        field: ``[y, x]`` complex field in the lens' plane; sample (ny // 2, nx // 2) lies on the axis.
        pitch: sample spacing of the field and of the result in metres.
        wavelength: in metres.
        distance: z in metres.
        centre: (y, x) in metres where sample (ny // 2, nx // 2) of the result lies.
        shape: (ny, nx) of the result.

    Returns:
        ``[y, x]`` complex field on the sensor.
    """
    (offset_y, offset_x), size = _linear_offsets(field.shape, shape)
    y = centre[0] + pitch * offset_y[:, None]
    x = centre[1] + pitch * offset_x[None, :]
    wavenumber = 2 * np.pi / wavelength
    radius = np.sqrt(y**2 + x**2 + distance**2)
    carrier = _carrier(centre, distance)
    kernel = distance / (1j * wavelength * radius**2) * (1 + 1j / (wavenumber * radius))
    kernel = kernel * np.exp(1j * wavenumber * (radius - carrier[0] * y - carrier[1] * x))
    spectrum = scipy.fft.fft2(_demodulate(field, pitch, wavenumber, carrier), size, workers=-1)
    spectrum *= scipy.fft.fft2(kernel, size, workers=-1)
    # Index m of the window and n of the field meet at kernel index m − n + (field length − 1).
    first_y, first_x = field.shape[0] - 1, field.shape[1] - 1
    result = scipy.fft.ifft2(spectrum, workers=-1)
    result = result[first_y : first_y + shape[0], first_x : first_x + shape[1]] * pitch**2
    return _remodulate(result, pitch, wavenumber, carrier, centre)


def angular_spectrum(
    field: np.ndarray,
    *,
    pitch: float,
    wavelength: float,
    distance: float,
    centre: tuple[float, float],
    shape: tuple[int, int],
    band_limit: bool = True,
) -> np.ndarray:
    """Shifted angular spectrum with the band limit of Matsushima (doi:10.1364/OE.18.018453).

    Each plane wave of the aperture field is moved to the window by exp(2πi(u·X + wz)). Where that phase turns
    faster than the frequency grid can follow, the wave would land outside the computed region and return as an
    alias: the band limit drops it. Arguments and result as in :func:`rayleigh_sommerfeld`.

    Args:
        field: ``[y, x]`` complex field in the lens' plane.
        pitch: sample spacing in metres.
        wavelength: in metres.
        distance: z in metres.
        centre: (y, x) of the window's middle sample in metres.
        shape: (ny, nx) of the result.
        band_limit: ``False`` keeps the aliased waves, for comparison.

    Returns:
        ``[y, x]`` complex field on the sensor.
    """
    _, size = _linear_offsets(field.shape, shape)
    wavenumber = 2 * np.pi / wavelength
    carrier = _carrier(centre, distance)
    q = carrier[0] + wavelength * scipy.fft.fftfreq(size[0], pitch)[:, None]
    p = carrier[1] + wavelength * scipy.fft.fftfreq(size[1], pitch)[None, :]
    squared_cosine = 1 - p**2 - q**2
    cosine = np.sqrt(np.maximum(squared_cosine, 1e-12))
    # The carrier's own phase is taken out here and put back on the result.
    turn = wavenumber * ((q - carrier[0]) * centre[0] + (p - carrier[1]) * centre[1] + distance * cosine)
    transfer = np.where(squared_cosine > 0, np.exp(1j * turn), 0)
    if band_limit:
        reach_y, reach_x = (0.5 * pitch * length for length in size)
        lands_y = np.abs(centre[0] - distance * q / cosine) <= reach_y
        lands_x = np.abs(centre[1] - distance * p / cosine) <= reach_x
        transfer = transfer * (lands_y & lands_x)
    spectrum = scipy.fft.fft2(_demodulate(field, pitch, wavenumber, carrier), size, workers=-1) * transfer
    # Sample (ny // 2, nx // 2) of the field is the origin, and of the result the window's centre.
    shift = [field.shape[axis] // 2 - shape[axis] // 2 for axis in (0, 1)]
    result = np.roll(scipy.fft.ifft2(spectrum, workers=-1), (-shift[0], -shift[1]), axis=(0, 1))
    return _remodulate(result[: shape[0], : shape[1]], pitch, wavenumber, carrier, centre)


def _linear_offsets(field: tuple[int, ...], window: tuple[int, int]) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Offsets, in samples, from field samples to window samples; and an FFT size without wrap-around."""
    offsets = []
    sizes = []
    for length, target in zip(field, window, strict=True):
        first = -(target // 2) - (length - 1 - length // 2)
        offsets.append(np.arange(first, first + length + target - 1))
        sizes.append(scipy.fft.next_fast_len(length + target - 1))
    return offsets, (sizes[0], sizes[1])


def _carrier(centre: tuple[float, float], distance: float) -> tuple[float, float]:
    """Direction cosines (y, x) of the ray from the lens' centre to the window's centre."""
    length = np.sqrt(centre[0] ** 2 + centre[1] ** 2 + distance**2)
    return centre[0] / length, centre[1] / length


def _demodulate(field: np.ndarray, pitch: float, wavenumber: float, carrier: tuple[float, float]) -> np.ndarray:
    return field * _plane_wave(field.shape, pitch, wavenumber, (-carrier[0], -carrier[1]), (0.0, 0.0))


def _remodulate(
    field: np.ndarray,
    pitch: float,
    wavenumber: float,
    carrier: tuple[float, float],
    centre: tuple[float, float],
) -> np.ndarray:
    return field * _plane_wave(field.shape, pitch, wavenumber, carrier, centre)


def _plane_wave(
    shape: tuple[int, ...],
    pitch: float,
    wavenumber: float,
    cosines: tuple[float, float],
    centre: tuple[float, float],
) -> np.ndarray:
    y, x = (middle + pitch * (np.arange(length) - length // 2) for length, middle in zip(shape, centre, strict=True))
    return np.exp(1j * wavenumber * cosines[0] * y)[:, None] * np.exp(1j * wavenumber * cosines[1] * x)
