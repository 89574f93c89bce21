"""Colours of the frame's rim that a lens with lateral colour images beyond the frame, told by the others.

Where the blue image is larger than the green one, the blue light of the rim falls outside the sensor. No method can
restore it from the capture; what is restored there is free to be any colour. It is predicted instead: within a
neighbourhood, one colour of a photograph is nearly a linear function of the others (Levin, Lischinski & Weiss, A
closed-form solution to natural image matting, 2008, 10.1109/TPAMI.2007.1177; He, Sun & Tang, Guided image filtering,
2013, 10.1109/TPAMI.2012.213). The coefficients are those of the nearest pixels at which all colours are seen.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from metalens.formats.psf.bank import PsfBank
from metalens.formats.psf.lateral_colour import REGISTERED_SHIFT, displacement, has_lateral_colour

_TRANSITION = 4.0
"""Pixels beyond the frame over which a colour goes from seen to unseen: light that lands there is spread into it."""

_LEAST_REACH = 8.0
"""Pixels; standard deviation of the smallest neighbourhood."""

_RIDGE = 1e-3
"""Variance, in display values squared, below which a neighbourhood tells no slope: each other colour then has an equal
part."""

_LEAST_WEIGHT = 1e-6


def seen_share(bank: PsfBank, pixels: tuple[int, int], place: tuple[int, int] = (0, 0)) -> np.ndarray | None:
    """How much of each colour of a scene's point falls onto the captured frame.

    Args:
        bank: point spread functions on a grid.
        pixels: (rows, columns) of the frame.
        place: (row, column) on the sensor of its first pixel.

    Returns:
        ``[channel, y, x]`` in 0..1; ``None`` where all colours are seen: of a camera without lateral colour, or whose
        colours move by no more than a pixel out of the frame.

    Raises:
        InputError: the bank is no grid.
    """
    if not has_lateral_colour(bank):
        return None
    rows, columns = (
        (np.arange(length) + first - (whole - 1) / 2) * bank.pixel_pitch
        for length, first, whole in zip(pixels, place, bank.camera.sensor.pixels, strict=True)
    )
    landing = displacement(bank, rows, columns)
    inside = np.full(landing.shape[:3], np.inf)
    for axis, length in enumerate(pixels):
        at = landing[..., axis] + np.arange(length).reshape((-1, 1) if axis == 0 else (1, -1))
        inside = np.minimum(inside, np.minimum(at, length - 1 - at))
    seen = np.clip(1 + inside / _TRANSITION, 0, 1)
    seen[inside.min(axis=(1, 2)) >= -REGISTERED_SHIFT] = 1
    return None if seen.min() == 1 else seen.astype(np.float32)


def fill_unseen(picture: np.ndarray, bank: PsfBank, place: tuple[int, int] | None = None) -> np.ndarray:
    """Predict the colours that are not seen from those that are.

    Colours are filled in the order in which more of the frame shows them, each from all before it.

    Args:
        picture: ``[y, x, 3]`` restored picture, floats in 0..1, display values.
        bank: point spread functions of its camera, on a grid.
        place: (row, column) on the sensor of its first pixel; ``None`` for a whole frame.

    Returns:
        Of the picture's shape and type, in 0..1. A colour that is seen everywhere is unchanged, and so is every pixel
        at which all colours are seen.

    Raises:
        InputError: the bank is no grid.
    """
    seen = seen_share(bank, (picture.shape[0], picture.shape[1]), place or (0, 0))
    if seen is None:
        return picture
    filled = picture.copy()
    order = np.argsort(-seen.mean(axis=(1, 2)), kind="stable")
    for rank, channel in enumerate(order):
        missing = 1 - seen[channel]
        others = order[:rank]
        if rank == 0 or not missing.any():
            continue
        reach = max(_LEAST_REACH, _depth(missing) / 2)
        predicted = _predicted(filled[..., channel], filled[..., others], seen[[channel, *others]].min(axis=0), reach)
        filled[..., channel] += missing * (predicted.clip(0, 1) - filled[..., channel])
    return filled


def _depth(missing: np.ndarray) -> float:
    """Pixels from the frame's edge to the innermost pixel whose colour is not seen."""
    rows, columns = np.nonzero(missing)
    height, width = missing.shape
    return float(np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns)).max() + 1)


def _predicted(colour: np.ndarray, others: np.ndarray, weight: np.ndarray, reach: float) -> np.ndarray:
    """Local linear regression ``[y, x]`` of a colour on others ``[y, x, k]``, over pixels with a weight."""
    weight = np.maximum(weight, _LEAST_WEIGHT).astype(np.float64)
    total = gaussian_filter(weight, reach)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values * weight, reach)) / total

    guides = [others[..., k].astype(np.float64) for k in range(others.shape[-1])]
    centre, centres = mean(colour), [mean(each) for each in guides]
    count = len(guides)
    covariance = np.empty((*colour.shape, count, count))
    shared = np.empty((*colour.shape, count, 1))
    for i in range(count):
        for j in range(i, count):
            covariance[..., i, j] = covariance[..., j, i] = mean(guides[i] * guides[j]) - centres[i] * centres[j]
        covariance[..., i, i] += _RIDGE
        shared[..., i, 0] = mean(guides[i] * colour) - centres[i] * centre + _RIDGE / count
    slopes = np.linalg.solve(covariance, shared)[..., 0]
    return np.asarray(centre + sum(slopes[..., k] * (guides[k] - centres[k]) for k in range(count)))
