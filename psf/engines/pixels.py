"""Integration of sampled intensities over pixels."""

from __future__ import annotations

import numpy as np

from metalens.formats.files.errors import InputError


def pixel_nodes(bandwidth: float, pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes that integrate an intensity over a pixel.

    Args:
        bandwidth: highest spatial frequency of the intensity in 1/m, spread of direction cosines over λ.
        pixel_pitch: in metres.

    Returns:
        offsets ``[node]`` from the pixel's centre in metres, weights ``[node]`` that sum to 1; an odd number of
        nodes, so that the pixel's centre is one.

    Raises:
        InputError: 63 nodes are too few for so large a pixel.
    """
    frequency = np.linspace(0, bandwidth, 65)[:-1]
    # The MTF of an unaberrated lens is about 1 − ν/bandwidth, that of an aberrated one lower.
    passed = 1 - frequency / bandwidth
    for count in range(1, 64, 2):
        node, weight = gauss_legendre(count, pixel_pitch)
        found = np.cos(2 * np.pi * frequency[:, None] * node) @ weight
        if np.max(passed * np.abs(found - np.sinc(frequency * pixel_pitch))) < 2e-3:
            return node, weight
    raise InputError(
        f"psf: a pixel of {1e6 * pixel_pitch:.1f} µm is too large for the spatial frequencies of the image; "
        "use smaller pixels or a smaller aperture."
    )


def gauss_legendre(count: int, pixel_pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of the Gauss–Legendre rule over a pixel.

    Args:
        count: nodes; one is the centre.
        pixel_pitch: side of the pixel in metres.

    Returns:
        offsets ``[node]`` from the centre in metres, and weights ``[node]`` that sum to 1.
    """
    node, weight = np.polynomial.legendre.leggauss(count)
    return node * pixel_pitch / 2, weight / 2


def pixel_integrator(pixels: int, subsamples: int) -> np.ndarray:
    """Integrate samples over pixels along one axis, to sixth order in the sample spacing h.

    With an odd number of samples per pixel, they are the centres of its parts; with an even number, their ends:
    the pixel's centre is a sample in both cases. The midpoint and the trapezoid rule err by derivatives at the
    pixel's ends, which differences δ of neighbouring samples give: a part is h(1 + δ²/24 − 17δ⁴/5760)f about its
    middle, or h μ(1 − δ²/12 + 11δ⁴/720)f, μ the mean of its ends.

    Args:
        pixels: along the axis.
        subsamples: samples per pixel.

    Returns:
        ``[pixel, sample]`` weights for :func:`samples_across` samples, of which at least two on each side lie
        outside the window. Each row sums to ``subsamples``.
    """
    second, fourth = np.array([0.0, 1.0, -2.0, 1.0, 0.0]), np.array([1.0, -4.0, 6.0, -4.0, 1.0])
    point = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    if subsamples % 2:
        part = point + second / 24 - 17 / 5760 * fourth
    else:
        part = np.convolve([0.5, 0.5], point - second / 12 + 11 / 720 * fourth)
    row = np.convolve(np.ones(subsamples), part)
    weights = np.zeros((pixels, samples_across(pixels, subsamples)))
    for pixel in range(pixels):
        weights[pixel, pixel * subsamples : pixel * subsamples + len(row)] = row
    return weights


def samples_across(pixels: int, subsamples: int) -> int:
    """The number of samples that :func:`pixel_integrator` needs along a row of pixels.

    Args:
        pixels: along the axis.
        subsamples: samples per pixel.

    Returns:
        An odd number.
    """
    return pixels * subsamples + 4 + (1 - subsamples % 2)


def pixel_centres(pixels: int, subsamples: int) -> np.ndarray:
    """Weights that pick the samples at the pixels' centres, in the form and scale of :func:`pixel_integrator`.

    Args:
        pixels: along the axis.
        subsamples: samples per pixel.

    Returns:
        ``[pixel, sample]``, 0 but for one sample of each pixel.
    """
    weights = np.zeros((pixels, samples_across(pixels, subsamples)))
    middle = 2 + subsamples // 2 + subsamples * np.arange(pixels)
    weights[np.arange(pixels), middle] = subsamples
    return weights
