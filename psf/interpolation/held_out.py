"""Error of interpolation between a bank's nodes, measured at places between them.

Between the radii or rows of nodes that lie farthest apart, functions are simulated and compared with those that are
interpolated there: where the error is as large as it is in the mean between these nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from metalens.formats.psf.bank import sum_subpixels
from metalens.formats.psf.lateral_colour import moved_back
from metalens.psf.interpolation.functions import FieldFunctions
from metalens.psf.interpolation.natural_scenes import scene_error_power, scene_power
from metalens.psf.interpolation.radius import RadialFunctions

NARROW = 0.45
"""Share of the widest gap between two radii. In narrower gaps nothing is simulated."""

AZIMUTH = np.pi / 8
"""Azimuth of the places: between the axis and the diagonal, where functions are turned farthest from a row of pixels.
"""

STRATA = 4
"""Parts of each side of a sensor, in each of which one cell of a grid is tried."""

IN_CELL = 0.5 - 0.5 * np.sqrt(1 - np.sqrt(8 / 15))
"""Where in a cell: the squared error of hat windows goes with (4t(1 − t))², whose mean is 8/15."""

MARGIN = 1.25
"""Safety factor of the squared error, as few places stand for all."""

_STEPS = 64
"""Places in a gap that are tried."""


@dataclass(frozen=True)
class HeldOutPlaces:
    """Places between the nodes and how much each counts.

    Attributes:
        position: ``[place, (y, x)]`` in metres.
        weight: ``[place, channel]`` of the squared error there in the mean over the sensor.
    """

    position: np.ndarray
    weight: np.ndarray


def between_radii(radius: np.ndarray, landing: np.ndarray, distance: np.ndarray) -> HeldOutPlaces:
    """Places for a symmetric lens, whose functions are interpolated along the radius.

    How the error changes from gap to gap and within a gap is that of r⁴, the first power that the spline does not
    reproduce. A colour that lands inside of its place leaves a rim of the sensor, in which its last function is held:
    the last node is a place, too.

    Args:
        radius: ``[node]`` distances of the nodes from the axis in metres, ascending; mirrored ones are negative.
        landing: ``[node, channel]`` where each colour lands, likewise.
        distance: ``[place]`` of places spread evenly over the sensor.

    Returns:
        Places in metres, and the weight of each in each channel.
    """
    mirrored = int((radius < 0).sum())
    nodes = radius[mirrored:]
    gap = np.diff(nodes)
    wide = np.flatnonzero(gap >= NARROW * gap.max())
    power, total, area = _along(radius, mirrored, distance)
    tried = nodes[wide, None] + gap[wide, None] * np.linspace(0.1, 0.9, _STEPS)
    mean = total[wide] / area[wide]
    place = tried[np.arange(len(wide)), np.abs(power(tried) - mean[:, None]).argmin(axis=1)]
    nearest = np.abs(np.arange(len(gap))[:, None] - wide).argmin(axis=1)
    landed = CubicSpline(radius, landing)(place)
    weight = np.zeros((len(wide) + 1, landing.shape[1]))
    for channel, ends in enumerate(landing.T):
        power, total, _ = _along(ends, mirrored, distance)
        weight[:-1, channel] = np.bincount(nearest, total) / power(landed[:, channel])
        weight[-1, channel] = np.mean(distance > ends[-1])
    counted = np.flatnonzero(weight.any(axis=1))
    position = np.append(place, nodes[-1])[counted, None] * np.array([np.sin(AZIMUTH), np.cos(AZIMUTH)])
    return HeldOutPlaces(position, MARGIN * weight[counted])


def _along(
    radius: np.ndarray, mirrored: int, distance: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray, np.ndarray]:
    """Squared error of r⁴ at a distance; its sum in each gap and the gap's area, as shares of all places."""
    nodes = radius[mirrored:]
    scale = nodes[-1]
    spline = CubicSpline(radius / scale, (radius / scale) ** 4)

    def power(at: np.ndarray) -> np.ndarray:
        return np.square(spline(at / scale) - (at / scale) ** 4)

    inside = distance[distance <= scale]
    number = np.clip(np.searchsorted(nodes, inside, side="right") - 1, 0, len(nodes) - 2)
    total, area = (np.bincount(number, each, len(nodes) - 1) / len(distance) for each in (power(inside), None))
    return power, total, area


def between_nodes(field_y: np.ndarray, field_x: np.ndarray) -> HeldOutPlaces:
    """Places for a grid whose functions are interpolated by hat windows: in cells all over the sensor.

    Args:
        field_y: ``[row]`` positions of the nodes in metres, ascending.
        field_x: ``[column]`` likewise.

    Returns:
        Places in metres, and the weight of each.
    """
    sides = []
    for field in (field_y, field_x):
        cells = len(field) - 1
        strata = min(STRATA, cells)
        chosen = ((np.arange(strata) + 0.5) * cells / strata).astype(int)
        sides.append(field[chosen] + IN_CELL * (field[chosen + 1] - field[chosen]))
    position = np.stack([each.ravel() for each in np.meshgrid(*sides, indexing="ij")], axis=1)
    return HeldOutPlaces(position, np.full((len(position), 1), MARGIN / len(position)))


def held_out_error(
    functions: FieldFunctions,
    places: HeldOutPlaces,
    images: np.ndarray,
    subpixels: int,
    pixel_pitch: float,
) -> float:
    """Root mean square error of a blurred natural scene of values in 0..1 by interpolation between the nodes.

    Args:
        functions: of the nodes.
        places: between them.
        images: ``[place, channel, y · s, x · s]`` functions that were simulated there.
        subpixels: s.
        pixel_pitch: in metres.

    Returns:
        Without unit, 0 or more: 0.01 is 40 dB.
    """
    count, channels = images.shape[:2]
    asked = np.broadcast_to(places.position[:, None], (count, channels, 2))
    if functions.registered:
        shift = functions.displacement(places.position)
        images = moved_back(images, subpixels * shift)
        if isinstance(functions, RadialFunctions):
            # Those are asked for where their light lands.
            asked = asked + pixel_pitch * shift
    true = np.stack([sum_subpixels(each, subpixels) for each in images])
    found = np.stack([functions.at(asked[:, channel])[:, channel] for channel in range(channels)], axis=1)
    scene = scene_power(functions.kernel)
    power = np.array([[scene_error_power(each[None], scene) for each in place] for place in found - true])
    return float(np.sqrt((places.weight * power).sum(axis=0).mean()))
