"""The wavelengths at which the colour channels are simulated, and their weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metalens.formats.camera.spectrum import Channel, Spectrum
from metalens.psf.spectra.spectral_density import FWHM_PER_SIGMA, check_wavelengths, spectral_masses, spectral_range


def channel_quadrature(channel: Channel, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Hermite nodes of a channel's Gaussian band.

    The rule is exact for an intensity that is a polynomial in wavelength of degree 2 count − 1. A laser line
    (full width 0) has the one node.

    Args:
        channel: a Gaussian band.
        count: nodes.

    Returns:
        wavelengths ``[node]`` in metres, ascending, and weights ``[node]`` that sum to 1.
    """
    centre = channel.centre_nm * 1e-9
    if channel.fwhm_nm == 0 or count == 1:
        return np.array([centre]), np.array([1.0])
    node, weight = np.polynomial.hermite_e.hermegauss(count)
    return centre + node * channel.fwhm_nm * 1e-9 / FWHM_PER_SIGMA, weight / weight.sum()


def spectral_quadrature(
    spectrum: Spectrum, count: int | None = None, *, wavelengths: Sequence[float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and weights of all three channels.

    Gaussian bands have nodes of their own (Gauss–Hermite). A spectrum from tables has three times ``count`` nodes
    that all channels share, denser where the channels see more (:func:`node_positions`), with
    :func:`channel_quadrature_weights`.

    Args:
        spectrum: of a camera.
        count: wavelengths per channel; by default the spectrum's own.
        wavelengths: simulate exactly at these, in metres, in any order; ``count`` is not used then.

    Returns:
        ``[wavelength]`` in metres, ascending, and ``[channel, wavelength]`` weights, each row summing to 1.

    Raises:
        InputError: a wavelength outside the tables, a table that cannot be read, or tables that do not fit.
    """
    if wavelengths is not None:
        check_wavelengths(spectrum, np.asarray(wavelengths, dtype=float))
        nodes = np.sort(np.asarray(wavelengths, dtype=float))
        return nodes, channel_quadrature_weights(spectrum, nodes)
    count = spectrum.wavelengths_per_channel if count is None else count
    if spectrum.channels:
        return _hermite_quadrature(spectrum.channels, count)
    # Each node lies in the middle of its share of the light, so that none lies in the dark ends.
    nodes = node_positions(spectrum, (np.arange(3 * count) + 0.5) / (3 * count))
    return nodes, channel_quadrature_weights(spectrum, nodes)


def _hermite_quadrature(channels: Sequence[Channel], count: int) -> tuple[np.ndarray, np.ndarray]:
    parts = [channel_quadrature(channel, count) for channel in channels]
    wavelength = np.concatenate([nodes for nodes, _ in parts])
    weight = np.zeros((len(parts), len(wavelength)))
    start = 0
    for channel, (nodes, shares) in enumerate(parts):
        weight[channel, start : start + len(nodes)] = shares
        start += len(nodes)
    order = np.argsort(wavelength, kind="stable")
    return wavelength[order], weight[:, order]


def channel_quadrature_weights(spectrum: Spectrum, nodes: np.ndarray) -> np.ndarray:
    """Weights with which point spread functions at any nodes make those of the channels.

    The weight of a node is the integral of what the channel sees times the node's hat: 1 at the node, 0 at its
    neighbours, linear between. So the sum is exact for an intensity that is linear in wavelength between the nodes,
    however spiky the spectrum is. Light beyond the outermost nodes counts as theirs.

    Args:
        spectrum: of a camera.
        nodes: ``[wavelength]`` in metres, ascending.

    Returns:
        ``[channel, wavelength]``, each row summing to 1.
    """
    point, mass = spectral_masses(spectrum, nodes)
    # The place of a point among the nodes, as a number between 0 and their last index.
    place = np.interp(point, nodes, np.arange(len(nodes)))
    left = np.minimum(place.astype(int), max(len(nodes) - 2, 0))
    share = place - left
    weight = np.zeros((len(mass), len(nodes)))
    for row, masses in zip(weight, mass, strict=True):
        np.add.at(row, left, masses * (1 - share))
        np.add.at(row, np.minimum(left + 1, len(nodes) - 1), masses * share)
    return weight / weight.sum(axis=1, keepdims=True)


def node_positions(spectrum: Spectrum, share: np.ndarray) -> np.ndarray:
    """Wavelengths at given shares of the way through a spectrum from tables.

    The way goes as the cube root of what the channels see, which is the spacing of least error where an intensity
    is taken as linear between the nodes. Equal shares give equal wavelengths, whatever the others are.

    Args:
        spectrum: of the form with tables.
        share: ``[node]`` ascending, from 0 (the spectrum's short end) to 1 (its long end).

    Returns:
        ``[node]`` wavelengths in metres, ascending.
    """
    edges = np.linspace(*spectral_range(spectrum), 1001)
    point, mass = spectral_masses(spectrum, edges)
    seen = (mass / mass.sum(axis=1, keepdims=True)).mean(axis=0)
    bins = np.histogram(point, edges, weights=seen)[0]
    # A small constant makes the cumulative function invertible where the response is zero.
    density = np.cbrt(bins) + 1e-3 * np.cbrt(bins.max())
    way = np.concatenate([[0.0], np.cumsum(density)])
    return np.asarray(np.interp(share, way / way[-1], edges))


def channel_energy(spectrum: Spectrum) -> np.ndarray:
    """Signal of each channel for a white object, ``[channel]`` relative to the largest.

    The PSF of each channel is normalised; this is the relative energy. For Gaussian bands it is unknown and set to 1.
    """
    if spectrum.channels:
        return np.ones(len(spectrum.channels))
    energy = spectral_masses(spectrum, np.empty(0))[1].sum(axis=1)
    return np.asarray(energy / energy.max())
