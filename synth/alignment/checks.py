"""Checks of a capture against the calibration: position, sharpness and brightness.

Capture and clean picture are compared on the sensor's grid in one band of spatial frequencies. Their product has no
bias from noise, because only the capture is noisy. Its size gives the contrast, its position the displacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

_SCALES = (1.4, 2.0, 2.8, 4.0)
"""Scales of the bands, in pixels; in a finer band demosaicing matters more than blur."""

_WIDER = 1.6
_LEAST_TRANSFER = 0.4
_TILE = 64
_ROUNDS = 6


@dataclass(frozen=True)
class Motion:
    """Displacement of a capture from the calibration.

    Attributes:
        affine: ``[3, (y, x)]`` displacement at the region's centre, and its change over half the height and half the
            width, in pixels.
        error: standard error of the displacement at the centre, in pixels.
        likeness: correlation of the registered capture with the picture in the band, −1..1.
    """

    affine: np.ndarray
    error: float
    likeness: float

    def against(self, reference: Motion) -> float:
        """Root-mean-square displacement over the region beyond that of the calibration, pixels."""
        steps = np.linspace(-1, 1, 5)
        design = np.stack([np.ones(25), np.repeat(steps, 5), np.tile(steps, 5)], axis=1)
        return float(np.sqrt(((design @ (self.affine - reference.affine)) ** 2).sum(axis=1).mean()))


@dataclass(frozen=True)
class Sharpness:
    """Contrast transfer of the lens in one band, for each tile of the region.

    Attributes:
        scale: of the band's difference of Gaussians, pixels.
        transfer: ``[tile]`` contrast of the capture over that of the clean picture.
    """

    scale: float
    transfer: np.ndarray


def band(image: np.ndarray, scale: float) -> np.ndarray:
    """Band-pass filter: the difference of two Gaussian means.

    With widths in the ratio 1.6 it approximates the Laplacian of Gaussian (Marr and Hildreth,
    doi:10.1098/rspb.1980.0020).

    Args:
        image: ``[y, x]``.
        scale: standard deviation of the narrower Gaussian, in pixels.

    Returns:
        ``[y, x]`` float64.
    """
    values = np.asarray(image, dtype=np.float64)
    return gaussian_filter(values, scale, mode="nearest") - gaussian_filter(values, _WIDER * scale, mode="nearest")


def reference_sharpness(clean: np.ndarray, capture: np.ndarray) -> Sharpness:
    """Contrast transfer of the calibration's dots, in the finest band with enough contrast.

    Args:
        clean: ``[y, x]`` the displayed dots on the sensor's grid.
        capture: ``[y, x]`` their capture.

    Returns:
        The band's scale in pixels and the contrast transfer of each tile, a ratio of amplitudes.
    """
    passed = {}
    for scale in _SCALES:
        product, power = _by_tile(clean, capture, scale)
        passed[scale] = product.sum() / power.sum()
    most = max(passed.values())
    scale = next(each for each in _SCALES if passed[each] >= _LEAST_TRANSFER * most)
    product, power = _by_tile(clean, capture, scale)
    # A tile without dots gets the mean of the others.
    known = power > 0.05 * power.mean()
    transfer = np.where(known, product / np.where(known, power, 1.0), passed[scale])
    return Sharpness(scale, np.maximum(transfer, 0.1 * passed[scale]))


def sharpness_of(clean: np.ndarray, capture: np.ndarray, reference: Sharpness) -> tuple[float, float]:
    """Contrast of a capture relative to the calibration.

    Args:
        clean: ``[y, x]`` the displayed picture on the sensor's grid.
        capture: ``[y, x]`` its capture.
        reference: transfer of the calibration's dots.

    Returns:
        The ratio, 1 if nothing changed, and its standard error (infinite without contrast).
    """
    product, power = _by_tile(clean, capture, reference.scale)
    expected = float((reference.transfer * power).sum())
    if expected <= 0:
        return 0.0, float("inf")
    sharp = float(product.sum()) / expected
    mean_transfer = float(product.sum() / power.sum())
    inner = _inner(clean.shape, reference.scale)
    rest = (band(capture, reference.scale) - mean_transfer * band(clean, reference.scale))[inner]
    weight = float(np.sqrt(power.sum())) * expected / float(power.sum())
    return sharp, float(np.sqrt((rest**2).mean() * _correlated(reference.scale))) / weight


def find_motion(clean: np.ndarray, capture: np.ndarray, scale: float, *, near: bool = False) -> Motion:
    """Register a capture to the clean picture: whole pixels by correlation, the rest by least squares (Lucas, Kanade).

    At the low frequencies of the band, a blur displaces the image only by its own centroid.

    Args:
        clean: ``[y, x]`` what was displayed, on the sensor's grid.
        capture: ``[y, x]``.
        scale: of the band, pixels.
        near: whether the displacement is known to be below one pixel; needed for a periodic pattern, whose
            correlation has several peaks.

    Returns:
        The affine displacement in pixels; its error is infinite where the pattern does not determine it.
    """
    still, seen = band(clean, scale), band(capture, scale)
    affine = np.zeros((3, 2))
    if not near:
        affine[0] = _whole_shift(still, seen)
    inner = _inner(clean.shape, scale)
    row, column = (np.linspace(-1, 1, count) for count in clean.shape)
    y, x = np.meshgrid(np.arange(float(clean.shape[0])), np.arange(float(clean.shape[1])), indexing="ij")
    covariance, likeness = np.full((7, 7), np.inf), 0.0
    for _ in range(_ROUNDS):
        shift = affine[0] + row[:, None, None] * affine[1] + column[None, :, None] * affine[2]
        moved = map_coordinates(still, [y - shift[..., 0], x - shift[..., 1]], order=1, mode="nearest")
        along = [slope[inner] for slope in np.gradient(moved)]
        place = [np.ones(along[0].shape), *np.broadcast_arrays(*(row[inner[0], None], column[None, inner[1]]))]
        columns = [moved[inner], *(-slope * each for each in place for slope in along)]
        design = np.stack([each.ravel() for each in columns], axis=1)
        wanted = seen[inner].ravel()
        normal = design.T @ design
        if not np.all(np.isfinite(normal)) or np.linalg.cond(normal) > 1e14:
            return Motion(affine, float("inf"), 0.0)
        found = np.linalg.solve(normal, design.T @ wanted)
        gain = found[0] if abs(found[0]) > 1e-6 else 1e-6
        affine = affine + np.clip(found[1:].reshape(3, 2) / gain, -2, 2)
        rest = wanted - design @ found
        covariance = np.linalg.inv(normal) * (rest**2).mean() * _correlated(scale) / gain**2
        power = np.sqrt((moved[inner] ** 2).sum() * (wanted**2).sum())
        likeness = float((moved[inner].ravel() * wanted).sum() / power) if power > 0 else 0.0
    return Motion(affine, float(np.sqrt(covariance[1, 1] + covariance[2, 2])), likeness)


def _whole_shift(still: np.ndarray, seen: np.ndarray) -> np.ndarray:
    window = np.outer(*(np.hanning(count + 2)[1:-1] for count in still.shape))
    spectra = [np.fft.rfft2(window * each, s=tuple(2 * count for count in still.shape)) for each in (still, seen)]
    correlation = np.fft.irfft2(np.conj(spectra[0]) * spectra[1])
    peak = np.array(np.unravel_index(correlation.argmax(), correlation.shape))
    size = np.array(correlation.shape)
    return np.where(peak > size // 2, peak - size, peak).astype(np.float64)


def _inner(shape: tuple[int, ...], scale: float) -> tuple[slice, slice]:
    """The image without its border, where the filter has incomplete neighbourhoods."""
    margin = min(int(np.ceil(2 * _WIDER * scale)), min(shape) // 4)
    return slice(margin, shape[0] - margin), slice(margin, shape[1] - margin)


def _correlated(scale: float) -> float:
    """Pixels that share one value of noise in a band."""
    return max(4 * np.pi * scale**2, 1.0)


def _by_tile(clean: np.ndarray, capture: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Product of picture and capture in the band, and the picture's power, ``[tile]``."""
    inner = _inner(clean.shape, scale)
    still, seen = band(clean, scale)[inner], band(capture, scale)[inner]
    edges = [np.linspace(0, count, max(count // _TILE, 1) + 1).astype(int)[:-1] for count in still.shape]

    def tiles(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(values, edges[0], axis=0), edges[1], axis=1).ravel()

    return tiles(still * seen), tiles(still * still)
