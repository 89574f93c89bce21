"""The wavelengths at which each colour channel is simulated, and their weights."""

from __future__ import annotations

import numpy as np

from metalens.formats.spectrum import Channel, Spectrum

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


def channel_quadrature(channel: Channel, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Hermite nodes of a channel's Gaussian band.

    The rule is exact for an intensity that is a polynomial in wavelength of degree 2 count − 1. A laser line
    (full width 0) has the one node.

    Returns:
        wavelengths ``[node]`` in metres, ascending, and weights ``[node]`` that sum to 1.
    """
    centre = channel.centre_nm * 1e-9
    if channel.fwhm_nm == 0 or count == 1:
        return np.array([centre]), np.array([1.0])
    node, weight = np.polynomial.hermite_e.hermegauss(count)
    return centre + node * channel.fwhm_nm * 1e-9 / FWHM_PER_SIGMA, weight / weight.sum()


def spectral_quadrature(spectrum: Spectrum, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and weights of all three channels.

    Args:
        spectrum: of a camera.
        count: wavelengths per channel; by default the spectrum's own.

    Returns:
        ``[wavelength]`` in metres, ascending, and ``[channel, wavelength]`` weights, each row summing to 1.
    """
    count = spectrum.wavelengths_per_channel if count is None else count
    parts = [channel_quadrature(channel, count) for channel in spectrum.channels]
    wavelength = np.concatenate([nodes for nodes, _ in parts])
    weight = np.zeros((len(parts), len(wavelength)))
    start = 0
    for channel, (nodes, shares) in enumerate(parts):
        weight[channel, start : start + len(nodes)] = shares
        start += len(nodes)
    order = np.argsort(wavelength, kind="stable")
    return wavelength[order], weight[:, order]
