"""The width of a point spread function by Eq. 2 of DMDiff (arXiv 2506.22753): a Gaussian along the principal axes.

The sum of squared residuals has more than one minimum where a bright core stands in a wide halo. The fit therefore
starts from both, and the minimum that explains more of Σ I² is taken: the least-squares fit as the paper's words
define it, and the same one whatever the order of the samples. Between two similar functions it can still change
sides, as the least-squares fit does: read :func:`metalens.psf.measures.rms_width` and the energy radii beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.psf.measures.least_squares import coarser_samples, least_squares_gaussian
from metalens.psf.measures.moments import centroid, second_moments

DMDIFF_SIGMA_TO_WIDTH = 2.35
"""The factor between a Gaussian's σ and its full width at half maximum as DMDiff rounds it."""

NARROWEST_SIGMA = 0.25
"""In samples; a narrower Gaussian cannot be told from a point."""

WIDEST_SIGMA = 2.0
"""In sides of the window; a wider Gaussian cannot be told from an even light."""

CROP = 5.0
"""Half-width in σ of the part of the window that is fitted: what lies outside meets a Gaussian below e^−12.5."""

POINTS_PER_SIGMA = 8.0
"""Points to a σ that stand for all samples: interpolation of degree 5 between them is exact to 1e-6."""

COMPLETE = 0.999
"""Share of Σ I² above which the core's fit leaves nothing for another one to explain."""

_PREFERENCE = 1e-6
"""The halo has to explain this much more than the core, so that rounding does not choose between equal fits."""


@dataclass(frozen=True)
class GaussianFit:
    """A Gaussian in samples from the image's first one.

    Attributes:
        amplitude: in units of the image's brightest sample.
        centre: ``[2]`` along the principal axes.
        sigma: ``[2]`` along the principal axes.
        axes: ``[(y, x), axis]`` unit vectors, the narrower second moment first.
        explained: Σ I² less the squared residuals, in units of the brightest sample squared.
    """

    amplitude: float
    centre: np.ndarray
    sigma: np.ndarray
    axes: np.ndarray
    explained: float


def full_width_half_maximum(intensity: np.ndarray, pixel_pitch: float) -> np.ndarray:
    """Width by Eq. 2: √((2.35 σ₁)² + (2.35 σ₂)²), so that a round spot reads √2 times its width along one axis.

    Args:
        intensity: ``[..., y, x]``, not negative.
        pixel_pitch: sample spacing in metres.

    Returns:
        ``[...]`` in metres.
    """
    images = np.asarray(intensity, dtype=np.float64)
    flat = images.reshape(-1, *images.shape[-2:])
    widths = np.array([np.hypot(*fit_gaussian(image).sigma) for image in flat])
    return DMDIFF_SIGMA_TO_WIDTH * pixel_pitch * widths.reshape(images.shape[:-2])[()]


def fit_gaussian(image: np.ndarray) -> GaussianFit:
    """The least-squares Gaussian of one image ``[y, x]`` along its principal axes; two starts, see above."""
    moments = second_moments(image, 1.0)
    variance, axes = np.linalg.eigh(moments)
    values = image / image.max()
    brightest = np.unravel_index(int(values.argmax()), values.shape)
    # A Gaussian's area above half of its peak is 2π ln 2 σ².
    core = np.sqrt(np.count_nonzero(values >= 0.5) / (2 * np.pi * np.log(2)))
    middle = centroid(image, 1.0) + np.array(image.shape) // 2
    first = _fit_from(values, axes, np.array(brightest, dtype=np.float64) @ axes, np.array([core, core]))
    if first.explained > COMPLETE * float((values**2).sum()):
        return first
    second = _fit_from(values, axes, middle @ axes, np.sqrt(np.maximum(variance, 0)))
    return second if second.explained > (1 + _PREFERENCE) * first.explained else first


def _fit_from(values: np.ndarray, axes: np.ndarray, centre: np.ndarray, sigma: np.ndarray) -> GaussianFit:
    """Fit on a crop about the Gaussian, which grows until it holds the Gaussian that it gives."""
    limits = _limits(axes, values.shape)
    start = np.concatenate([centre, np.log(np.maximum(sigma, NARROWEST_SIGMA))])
    shape = np.clip(start, *limits)
    low, high = _box(shape, axes, values.shape)
    stride = _stride(shape)
    while True:
        crop = values[low[0] : high[0], low[1] : high[1]]
        samples = coarser_samples(crop, stride, low)
        amplitude, shape, explained = least_squares_gaussian(samples, axes, shape, limits)
        wanted_low, wanted_high = _box(shape, axes, values.shape)
        grows = (wanted_low < low).any() or (wanted_high > high).any()
        if not grows and stride <= _stride(shape):
            return GaussianFit(amplitude, shape[:2], np.exp(shape[2:]), axes, explained)
        low, high = np.minimum(low, wanted_low), np.maximum(high, wanted_high)
        stride = _stride(shape)


def _limits(axes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Least and largest ``[2, (a₀, b₀, ln σ₁, ln σ₂)]``: the centre stays in the window, whatever the halo's slope."""
    corners = np.array([[y, x] for y in (0, shape[0] - 1) for x in (0, shape[1] - 1)]) @ axes
    sigma = np.log([NARROWEST_SIGMA, WIDEST_SIGMA * max(shape)])
    return np.stack(
        [np.append(edge, [each, each]) for edge, each in zip((corners.min(0), corners.max(0)), sigma, strict=True)]
    )


def _stride(gaussian: np.ndarray) -> int:
    """Samples from one point to the next: the Gaussian changes little between them."""
    return max(1, int(np.exp(gaussian[2:].min()) / POINTS_PER_SIGMA))


def _box(gaussian: np.ndarray, axes: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """First and last-but-one rows and columns of the crop for a Gaussian (a₀, b₀, ln σ₁, ln σ₂), inside the image."""
    centre = axes @ gaussian[:2]
    reach = CROP * np.sqrt(axes**2 @ np.exp(2 * gaussian[2:])) + 2
    last = np.array(shape)
    low = np.clip(np.floor(centre - reach), 0, last - 1).astype(int)
    high = np.clip(np.ceil(centre + reach) + 1, low + 1, last).astype(int)
    return low, high
