"""Number of wavelengths of a camera: doubled until the PSFs of its channels have converged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from metalens.formats.camera.spectrum import CHANNEL_NAMES, Spectrum
from metalens.formats.files.errors import InputError
from metalens.psf.spectra.spectrum import channel_quadrature_weights, node_positions, spectral_quadrature

FEWEST_INTERVALS = 16
"""Between the nodes of the coarsest set, for a spectrum from tables."""

FEWEST_PER_CHANNEL = 3
"""Nodes of the coarsest set, for Gaussian bands."""


@dataclass(frozen=True)
class WavelengthChoice:
    """Converged wavelengths and the remaining change.

    Attributes:
        wavelength: ``[wavelength]`` in metres, ascending.
        channel_weight: ``[channel, wavelength]``, each row summing to 1.
        channel_residual: ``[channel]`` relative L2 change of the point spread functions, at the worst of the probe
            fields, between these wavelengths and four times as many.
        tried: the number of wavelengths of each set that was simulated, and the largest change against the next.
    """

    wavelength: np.ndarray
    channel_weight: np.ndarray
    channel_residual: np.ndarray
    tried: tuple[tuple[int, float], ...]

    @property
    def residual(self) -> float:
        """The largest of the channels' residuals."""
        return float(self.channel_residual.max())


def choose_wavelengths(
    psf_at: Callable[[np.ndarray], np.ndarray], spectrum: Spectrum, tolerance: float, *, most: int = 257
) -> WavelengthChoice:
    """Choose the fewest wavelengths whose point spread functions differ by less than a tolerance from finer sets'.

    The sets double: n, 2n, 4n, … A set is accepted when both it and the next agree with the one after that, which
    has four times its wavelengths. Two coarse sets that agree by accident are so not taken for converged. Of tables
    each set contains the one before, and what was simulated is used again; the nodes are not evenly spaced in
    wavelength, so that regular fringes of 8 nm and more do not hide between them.

    Args:
        psf_at: wavelengths ``[wavelength]`` in metres → intensity ``[field, wavelength, y, x]`` at the probe fields:
            a few that stand for all, such as the axis, an edge and a corner.
        spectrum: of a camera.
        tolerance: largest relative L2 change per field and channel, above 0.
        most: wavelengths in the finest set that may be simulated.

    Returns:
        The choice with its residual.

    Raises:
        InputError: the tolerance is not positive, or still not reached with ``most`` wavelengths.
    """
    if not 0 < tolerance < np.inf:
        raise InputError(f"psf: spectral tolerance {tolerance:g}; a positive share such as 0.02 was expected.")
    known: dict[float, np.ndarray] = {}
    sets: list[tuple[np.ndarray, np.ndarray]] = []
    images: list[np.ndarray] = []
    for nodes, weight in _doubled_sets(spectrum):
        if sets and len(nodes) > most:
            break
        sets.append((nodes, weight))
        images.append(_channel_images(psf_at, nodes, weight, known))
        if len(sets) >= 3:
            residual, next_residual = (_change(each, images[-1]) for each in images[-3:-1])
            if max(residual.max(), next_residual.max()) <= tolerance:
                tried = [_change(*pair).max() for pair in pairwise(images)]
                counts = [len(each) for each, _ in sets]
                return WavelengthChoice(*sets[-3], residual, tuple(zip(counts, map(float, tried), strict=False)))
    raise InputError(_not_reached(sets, images, tolerance))


def _doubled_sets(spectrum: Spectrum) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ever finer wavelengths and weights."""
    if spectrum.channels:
        count = FEWEST_PER_CHANNEL
        # Beyond, the outermost weights of Gauss–Hermite underflow.
        while count <= 96:
            yield spectral_quadrature(spectrum, count)
            count *= 2
        return
    intervals = FEWEST_INTERVALS
    while True:
        nodes = node_positions(spectrum, np.arange(intervals + 1) / intervals)
        yield nodes, channel_quadrature_weights(spectrum, nodes)
        intervals *= 2


def _channel_images(
    psf_at: Callable[[np.ndarray], np.ndarray], nodes: np.ndarray, weight: np.ndarray, known: dict[float, np.ndarray]
) -> np.ndarray:
    """Point spread functions ``[field, channel, y, x]``; simulates only the nodes that are not known yet."""
    new = np.array(sorted({float(node) for node in nodes} - known.keys()))
    if new.size:
        known.update(zip(new.tolist(), np.moveaxis(np.asarray(psf_at(new)), 1, 0), strict=True))
    images = 0.0
    for node, shares in zip(nodes, weight.T, strict=True):
        images = images + shares[:, None, None] * known[float(node)].astype(float)[:, None]
    return np.asarray(images)


def _change(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Relative L2 difference of each channel, ``[channel]``, at the worst field."""
    difference = np.sqrt(np.sum((coarse - fine) ** 2, axis=(-2, -1)))
    return np.asarray((difference / np.sqrt(np.sum(fine**2, axis=(-2, -1)))).max(axis=0))


def _not_reached(sets: list[tuple[np.ndarray, np.ndarray]], images: list[np.ndarray], tolerance: float) -> str:
    if len(images) < 3:
        return (
            f"psf: {len(sets[-1][0])} wavelengths are too few to tell whether they are enough; allow at least four "
            f"times the coarsest set of {len(sets[0][0])}."
        )
    residual = _change(images[-3], images[-1])
    channel = int(residual.argmax())
    return (
        f"psf: from {len(sets[-3][0])} to {len(sets[-1][0])} wavelengths the {CHANNEL_NAMES[channel]} point spread "
        f"function still changes by {residual[channel]:.2%}, at most {tolerance:.2%} was asked for; raise "
        "spectral_tolerance, narrow the source's or the filter's band, or allow more wavelengths."
    )
