"""Centres of bright dots in a capture, to a small fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_laplace, map_coordinates, maximum_filter
from scipy.spatial import cKDTree

from metalens.formats.files.errors import InputError

FEWEST = 25
"""Least number of dots for a calibration."""

MOST_BETWEEN = 0.5
"""Largest light half-way between dots relative to the dots; above it the dots overlap."""

_SCALE_STEP = 1.25
_ROUNDING = 1e-6
_ROUNDS = 20


@dataclass(frozen=True)
class Dots:
    """Dots of a capture.

    Attributes:
        position: ``[dot, (y, x)]`` centres of light in pixels; whole numbers are the middles of pixels.
        flux: ``[dot]`` light of each.
        width: ``[dot]`` root-mean-square radius of each along one axis, pixels.
        spacing: median distance from a dot to its nearest neighbour, pixels.
        scale: standard deviation of the Gaussian that fits most of them best, pixels.
    """

    position: np.ndarray
    flux: np.ndarray
    width: np.ndarray
    spacing: float
    scale: float


def find_dots(image: np.ndarray, *, name: str) -> Dots:
    """Find the dots of a capture.

    They are the maxima of a Laplacian of Gaussian whose scale fits them best. The centre of each is the mean place of
    its light above the background, weighted by a Gaussian that follows it; the weight keeps the noise between the dots
    out, and a symmetric dot's centre where it is.

    Args:
        image: ``[y, x]`` linear light, evenly lit: the dark frame subtracted, divided by the flat field.
        name: how an error message calls the capture.

    Returns:
        At least ``FEWEST`` whole dots, with their centres in pixels of the sensor.

    Raises:
        InputError: there are too few dots, or they run into each other.
    """
    scale, response = _best_scale(image)
    peaks = _peaks(response, scale, float(np.abs(image).max()))
    if len(peaks) < FEWEST:
        raise InputError(
            f"{name}: {len(peaks)} dots were found, at least {FEWEST} are needed; fill the frame with the screen, show "
            "the target at full brightness, and focus."
        )
    spacing = _nearest(peaks.astype(np.float64))
    position, flux, width = _centres(image, peaks, spacing, scale)
    inside = ((position >= spacing / 4) & (position <= np.array(image.shape) - 1 - spacing / 4)).all(axis=1)
    good = inside & (flux > 0) & (np.linalg.norm(position - peaks, axis=1) < spacing / 4)
    if good.sum() < FEWEST:
        raise InputError(
            f"{name}: {int(good.sum())} of {len(peaks)} spots are whole dots, at least {FEWEST} are needed; fill the "
            "frame with the screen and focus."
        )
    between = _light_between(image, position[good])
    if between > MOST_BETWEEN:
        raise InputError(
            f"{name}: unsharp: half-way between the dots there is {between:.2f} of their light, at most "
            f"{MOST_BETWEEN:g} can be told apart; focus, or make the target with a larger --spacing."
        )
    return Dots(position[good], flux[good], width[good], spacing, scale)


def _light_between(image: np.ndarray, position: np.ndarray) -> float:
    """Median light half-way from a dot to its nearest neighbour, over that of the dot."""
    _, near = cKDTree(position).query(position, k=2)
    halfway = (position + position[near[:, 1]]) / 2
    at_dot, at_half = (map_coordinates(image, place.T, order=1, mode="nearest") for place in (position, halfway))
    return float(np.median(at_half) / np.median(at_dot))


def recentre(image: np.ndarray, dots: Dots) -> np.ndarray:
    """Measure the centres of known dots in another channel of the same capture.

    Args:
        image: ``[y, x]`` linear light of the channel, evenly lit.
        dots: from :func:`find_dots`.

    Returns:
        ``[dot, (y, x)]`` in pixels.
    """
    return _centres(image, np.rint(dots.position).astype(int), dots.spacing, dots.scale)[0]


def _best_scale(image: np.ndarray) -> tuple[float, np.ndarray]:
    """The scale with the largest response of the brightest hundredth of the pixels, and that response."""
    largest = max(min(image.shape) / 16, 2.0)
    scales = [1.2]
    while scales[-1] * _SCALE_STEP <= largest:
        scales.append(scales[-1] * _SCALE_STEP)
    best, strength, response = scales[0], -np.inf, np.zeros_like(image, dtype=np.float64)
    for scale in scales:
        # The truncated filter has a small response to a uniform image; subtract it.
        each = -(scale**2) * gaussian_laplace(image.astype(np.float64), scale, mode="nearest")
        each -= np.median(each)
        answer = float(np.percentile(each, 99))
        if answer > strength:
            best, strength, response = scale, answer, each
    return best, response


def _peaks(response: np.ndarray, scale: float, brightest: float) -> np.ndarray:
    """Local maxima ``[peak, (y, x)]`` that stand out of the noise and are not much weaker than most of them."""
    size = 2 * int(np.ceil(1.5 * scale)) + 1
    border = int(np.ceil(2 * scale))
    highest = (response == maximum_filter(response, size)) & (response > 0)
    inner = np.zeros_like(highest)
    inner[border:-border, border:-border] = True
    place = np.argwhere(highest & inner)
    height = response[tuple(place.T)]
    if not len(height):
        return place
    # Most of the image is background: the median absolute deviation estimates the noise.
    noise = 1.4826 * float(np.median(np.abs(response - np.median(response))))
    strong = height > max(3 * noise, 0.1 * float(height.max()), _ROUNDING * brightest)
    if not strong.any():
        return place[:0]
    return place[strong & (height > 0.4 * float(np.median(height[strong])))]


def _nearest(position: np.ndarray) -> float:
    distance, _ = cKDTree(position).query(position, k=2)
    return float(np.median(distance[:, 1]))


def _centres(
    image: np.ndarray, peaks: np.ndarray, spacing: float, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre ``[dot, 2]``, light ``[dot]`` and width ``[dot]`` of the dot at each peak."""
    reach = max(int(np.floor(spacing / 2)), 3)
    steps = np.arange(-reach, reach + 1)
    continued = np.pad(image.astype(np.float64), reach, mode="edge")
    y, x = (peaks[:, axis, None] + steps for axis in (0, 1))
    patch = continued[y[:, :, None] + reach, x[:, None, :] + reach]
    above = patch - _background(patch, steps, spacing)
    # The Laplacian of Gaussian has its largest response at the width of a Gaussian dot, at 0.71 radii of a disc.
    # No wider than keeps a marked neighbour's light out.
    window = min(1.5 * scale, 0.22 * spacing)
    centre = np.zeros((len(peaks), 2))
    for _ in range(_ROUNDS):
        moved = _weighted_mean(above, steps, centre, window)
        step = float(np.abs(moved - centre).max())
        centre = np.clip(moved, -spacing / 2, spacing / 2)
        if step < 1e-4:
            break
    squared = (steps[None, :, None] - centre[:, 0, None, None]) ** 2 + (
        steps[None, None, :] - centre[:, 1, None, None]
    ) ** 2
    disc = above * (squared <= (0.48 * spacing) ** 2)
    flux = disc.sum(axis=(1, 2))
    second = (disc * squared).sum(axis=(1, 2)) / np.where(flux > 0, flux, np.inf)
    return peaks + centre, flux, np.sqrt(np.maximum(second, 0) / 2)


def _background(patch: np.ndarray, steps: np.ndarray, spacing: float) -> np.ndarray:
    """A plane through what lies half-way to the neighbours, ``[dot, y, x]``: haze and its slope.

    Weighted to the darker half of it, which no neighbour's light reaches.
    """
    y, x = np.meshgrid(steps, steps, indexing="ij")
    radius = np.hypot(y, x)
    ring = (radius >= 0.38 * spacing) & (radius <= 0.5 * spacing + 0.5)
    design = np.stack([np.ones(int(ring.sum())), y[ring], x[ring]], axis=1)
    values = patch[:, ring]
    weight = np.ones_like(values)
    plane = np.zeros((len(patch), 3))
    for _ in range(3):
        normal = np.einsum("np,pi,pj->nij", weight, design, design)
        plane = np.linalg.solve(normal, np.einsum("np,pi,np->ni", weight, design, values)[..., None])[..., 0]
        residual = values - plane @ design.T
        spread = np.median(np.abs(residual), axis=1, keepdims=True) + 1e-12
        weight = 1 / (1 + (residual / (2 * spread)) ** 2) + 1e-6
    return np.einsum("ni,iyx->nyx", plane, np.stack([np.ones_like(y), y, x]).astype(np.float64))


def _weighted_mean(above: np.ndarray, steps: np.ndarray, centre: np.ndarray, window: float) -> np.ndarray:
    along_y = np.exp(-0.5 * ((steps - centre[:, :1]) / window) ** 2)
    along_x = np.exp(-0.5 * ((steps - centre[:, 1:]) / window) ** 2)
    weighted = above * along_y[:, :, None] * along_x[:, None, :]
    total = weighted.sum(axis=(1, 2))
    safe = np.where(total > 0, total, np.inf)
    return np.stack([(weighted.sum(axis=2) @ steps) / safe, (weighted.sum(axis=1) @ steps) / safe], axis=1)
