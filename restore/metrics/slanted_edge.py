"""Resolution from a slanted edge: the spatial frequency response of ISO 12233.

In linear light: (1) the edge position in each row is the centroid of the derivative; (2) a line is fitted; (3) all
pixels are projected along the line into bins of a quarter pixel; (4) the derivative of the mean profile, under a
Hamming window, is Fourier transformed; (5) the response of the finite difference is divided out. MTF50 is the frequency
at which the response falls to one half. A picture without a visible edge has no MTF50, since the response of noise does
not fall.
"""

from __future__ import annotations

import math

import numpy as np

from metalens.formats.pictures.scene import srgb_to_linear
from metalens.restore.metrics.edge_chart import edge_regions
from metalens.restore.metrics.measures import ZONES, field_zones

BINS = 4
"""Bins of the edge profile per pixel."""

FREQUENCY = np.linspace(0, 1, 101)
"""Spatial frequencies of the response in cycles per pixel; 0.5 is the Nyquist frequency of the sensor."""

LEAST_CONTRAST = 2.0
"""Least contrast of an edge: the difference of its two sides over the standard deviation within a side."""

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def edge_response(light: np.ndarray) -> np.ndarray:
    """The spatial frequency response (SFR) across a nearly vertical edge.

    Args:
        light: ``[y, x]`` linear light with one edge that crosses all rows.

    Returns:
        The response at :data:`FREQUENCY`, 1 at 0.
    """
    light = np.asarray(light, dtype=np.float64)
    rows, columns = light.shape
    place = _edge_places(light)
    slope, start = np.polyfit(np.arange(rows), place, 1)
    distance = np.arange(columns)[None, :] - (start + slope * np.arange(rows))[:, None]
    # Distance perpendicular to the edge, not along the row: the row crosses the edge at an angle.
    distance = distance / np.hypot(1, slope)
    reach = int(min(-distance[:, 0].max(), distance[:, -1].min())) * BINS
    numbers = np.rint(distance * BINS).astype(int) + reach
    inside = (numbers >= 0) & (numbers <= 2 * reach)
    counts = np.bincount(numbers[inside], minlength=2 * reach + 1)
    sums = np.bincount(numbers[inside], weights=light[inside], minlength=2 * reach + 1)
    filled = np.flatnonzero(counts)
    profile = np.interp(np.arange(2 * reach + 1), filled, sums[filled] / counts[filled])
    spread = np.gradient(profile) * np.hamming(2 * reach + 1)
    response = np.abs(np.fft.rfft(spread, 16 * len(spread)))
    cycles = np.fft.rfftfreq(16 * len(spread), 1 / BINS)
    # Divide out the central difference: its response is sin(2πf/BINS), that of a true derivative 2πf/BINS.
    angle = 2 * np.pi * cycles / BINS
    passed = np.divide(np.sin(angle), angle, out=np.ones_like(angle), where=angle > 0)
    usable = passed > 0.1
    corrected = response[usable] / response[0] / passed[usable]
    return np.interp(FREQUENCY, cycles[usable], corrected)


def shows_edge(light: np.ndarray) -> bool:
    """Whether there is an edge: the difference of the two sides' means against the variation within each side.

    Args:
        light: ``[y, x]`` linear light, expected to have a nearly vertical edge at its centre.
    """
    middle = light.shape[1] // 2
    sides = light[:, :middle], light[:, -middle:]
    step = abs(sides[0].mean() - sides[1].mean())
    return bool(step >= LEAST_CONTRAST * max(side.std() for side in sides) and step > 0)


def mtf50(response: np.ndarray) -> float:
    """The lowest frequency in cycles per pixel at which the response falls to one half; 1 if it never does."""
    below = np.flatnonzero(response < 0.5)
    if not len(below):
        return float(FREQUENCY[-1])
    first = int(below[0])
    high, low = response[first - 1], response[first]
    step = FREQUENCY[1] - FREQUENCY[0]
    return float(FREQUENCY[first - 1] + step * (high - 0.5) / (high - low))


def resolution(picture: np.ndarray) -> dict[str, float]:
    """MTF50 of a picture of the edge chart, from the mean response of its edges.

    Args:
        picture: ``[y, x, 3]`` uint8 of :func:`metalens.restore.metrics.edge_chart.edge_chart`'s shape.

    Returns:
        ``whole`` and each zone that has edges → MTF50 in cycles per pixel; NaN if an edge of the chart is not visible.

    Raises:
        InputError: the picture is too small for the chart.
    """
    light = srgb_to_linear(picture) @ _LUMINANCE
    zones = field_zones(picture.shape)
    responses: dict[str, list[np.ndarray]] = {"whole": [], **{zone: [] for zone in ZONES}}
    for region in edge_regions((picture.shape[0], picture.shape[1])):
        part = region.of(light)
        response = edge_response(part) if shows_edge(part) else np.full_like(FREQUENCY, np.nan)
        row, column = (round(value) for value in region.middle())
        responses["whole"].append(response)
        responses[next(zone for zone in ZONES if zones[zone][row, column])].append(response)
    means = {name: np.mean(found, axis=0) for name, found in responses.items() if found}
    return {name: mtf50(mean) if np.isfinite(mean).all() else math.nan for name, mean in means.items()}


def _edge_places(light: np.ndarray) -> np.ndarray:
    """Edge position in each row: the centroid of the derivative, refined once in a window around the first result."""
    steps = np.abs(np.diff(light, axis=1))
    x = np.arange(steps.shape[1]) + 0.5
    window = np.hamming(steps.shape[1])
    place = (steps * window) @ x / (steps * window).sum(axis=1)
    fitted = np.polyval(np.polyfit(np.arange(len(place)), place, 1), np.arange(len(place)))
    reach = steps.shape[1] / 4
    near = np.exp(-0.5 * ((x[None, :] - fitted[:, None]) / (reach / 2)) ** 2)
    found: np.ndarray = (steps * near) @ x / (steps * near).sum(axis=1)
    return found
