"""Error of blurred images by the interpolation between a bank's nodes, estimated from the nodes alone.

Each node is left out in turn and its function compared with what the others make of it. That overstates the error, as
the gap is then twice as wide. How much smaller the error is in the gaps as they are follows from a test function whose
interpolation errors are known: at the nodes that are left out as well as between all of them. For hat windows it is
the square of the place. For the spline along a radius it is a wave exp(iκr), as functions change faster than a
polynomial of its order; κ is such that splines of fifth and third order differ as they do for the functions. Where
functions can be simulated between the nodes, ``held_out`` measures the error instead.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline, make_interp_spline

from metalens.formats.psf.bank import PsfBank
from metalens.psf.interpolation.functions import FieldFunctions, HatFunctions
from metalens.psf.interpolation.linear_weights import linear_weights, node_weights, scattered_weights
from metalens.psf.interpolation.natural_scenes import scene_error_power, scene_power
from metalens.psf.interpolation.radius import RadialFunctions
from metalens.psf.interpolation.rotation import rotated

FEWEST_ACROSS, FEWEST_ALONG_RADIUS = 3, 4
"""Nodes along each axis of a grid and along a radius from which an error is estimated."""

WAVES = 200
"""Numbers κ that are tried."""

RAISED = 2.7
"""Factor on the error along a radius: the most that it was found too small for real lenses (docs/blur.md). Functions
are no single wave, and their fastest ones are lost where a node is left out."""

REPRODUCED = 1e-6
"""Largest error of a linear function between scattered nodes, of their extent: beyond their hull it is larger."""


PLACES = 48
"""Along each side of an image, for the mean of the error over it."""


def even_places(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Places ``[place, (y, x)]`` spread evenly over an image.

    Args:
        first: ``[(y, x)]`` of one corner, in metres.
        last: of the opposite corner.

    Returns:
        ``[place, (y, x)]`` in metres.
    """
    sides = [np.linspace(*ends, PLACES) for ends in zip(first, last, strict=True)]
    return np.stack([each.ravel() for each in np.meshgrid(*sides, indexing="ij")], axis=1)


def node_error(functions: FieldFunctions, position: np.ndarray) -> float:
    """Root mean square error of a blurred natural scene of values in 0..1 by interpolation between the nodes.

    Args:
        functions: of a bank.
        position: ``[place, (y, x)]`` in metres, spread evenly over the image.

    Returns:
        The error; NaN where there are too few nodes to tell, or the functions are known everywhere.
    """
    power: np.ndarray | None = None
    if isinstance(functions, RadialFunctions):
        power = _along_radius(functions, np.hypot(*position.T))
    elif isinstance(functions, HatFunctions):
        of_layout = _of_grid if functions.bank.layout == "grid" else _of_scattered
        power = of_layout(functions.bank, functions.nodes, position)
    return float("nan") if power is None else float(np.sqrt(power.mean()))


def _scene_error_power(difference: np.ndarray) -> np.ndarray:
    """Mean square error ``[node, channel]`` of a natural scene by errors ``[node, channel, y, x]`` of functions."""
    scene = scene_power((difference.shape[-2], difference.shape[-1]))
    return np.array([[scene_error_power(each[None], scene) for each in node] for node in difference])


def _along_radius(functions: RadialFunctions, distance: np.ndarray) -> np.ndarray | None:
    """Error power ``[place, channel]`` at distances from the axis."""
    first = int((functions.radius < 0).sum())
    if len(functions.radius) - first < FEWEST_ALONG_RADIUS:
        return None
    left_out = np.arange(first, len(functions.radius) - 1)
    landing = functions.landing / functions.landing[-1]
    cubic, quintic = (
        np.stack([_left_out_weights(nodes, left_out, order) for nodes in landing.T], axis=1) for order in (3, 5)
    )
    upright = np.zeros(len(left_out))
    of_cubic, of_quintic = (
        _scene_error_power(rotated(functions.pixels, weights, upright)) for weights in (cubic, quintic)
    )
    near = linear_weights(functions.radius[left_out], distance).T
    found = np.empty((len(distance), functions.channels))
    for channel, nodes in enumerate(landing.T):
        if not of_cubic[:, channel].any():
            found[:, channel] = 0.0
            continue
        ratio = of_quintic[:, channel].sum() / of_cubic[:, channel].sum()
        number = _wave_number(nodes, cubic[:, channel], quintic[:, channel], ratio)
        wave = np.exp(1j * number * nodes)
        place = np.minimum(distance / functions.landing[-1, channel], 1)
        between = CubicSpline(nodes, wave)(place) - np.exp(1j * number * place)
        at_node = np.abs(cubic[:, channel] @ wave) ** 2
        found[:, channel] = np.abs(RAISED * between) ** 2 * (near @ (of_cubic[:, channel] / at_node))
    return found


def _left_out_weights(nodes: np.ndarray, left_out: np.ndarray, order: int) -> np.ndarray:
    """Weights ``[left out, node]`` of the error of a spline through all nodes but the one left out."""
    weights = np.zeros((len(left_out), len(nodes)))
    for row, node in enumerate(left_out):
        kept = np.delete(np.arange(len(nodes)), node)
        weights[row, kept] = make_interp_spline(nodes[kept], np.eye(len(kept)), k=order)(nodes[node])
        weights[row, node] = -1
    return weights


def _wave_number(nodes: np.ndarray, cubic: np.ndarray, quintic: np.ndarray, ratio: float) -> float:
    """κ of the wave whose quintic and cubic splines leave errors of this ratio; two nodes a period or more."""
    number = np.pi / np.diff(nodes).max() * np.linspace(0.02, 1, WAVES)
    wave = np.exp(1j * nodes[:, None] * number)
    powers = [(np.abs(weights @ wave) ** 2).sum(axis=0) for weights in (quintic, cubic)]
    return float(number[np.abs(np.log(powers[0] / powers[1]) - np.log(ratio)).argmin()])


def _of_grid(bank: PsfBank, nodes: np.ndarray, position: np.ndarray) -> np.ndarray | None:
    grid = bank.as_grid(nodes)
    if min(grid.shape[:2]) < FEWEST_ACROSS:
        return None
    difference, at_node, at_place = np.zeros_like(grid), np.zeros(grid.shape[:2]), np.zeros(len(position))
    for axis, field in enumerate((bank.field_y, bank.field_x)):
        # Of the nodes at the border, the next ones inside stand in.
        middle = np.clip(np.arange(len(field)), 1, len(field) - 2)
        before, after = field[middle] - field[middle - 1], field[middle + 1] - field[middle]
        share = (after / (before + after)).reshape((-1, 1, 1, 1, 1))
        along = np.moveaxis(grid, axis, 0)
        bend = share * along[middle - 1] + (1 - share) * along[middle + 1] - along[middle]
        difference += np.moveaxis(bend.astype(np.float32), 0, axis)
        at_node += np.expand_dims(before * after, 1 - axis)
        inside = np.clip(position[:, axis], field[0], field[-1])
        at_place += linear_weights(field, inside).T @ field**2 - inside**2
    power = _scene_error_power(difference.reshape(nodes.shape)) / at_node.reshape(-1, 1) ** 2
    return at_place[:, None] ** 2 * (node_weights(bank, position) @ power)


def _of_scattered(bank: PsfBank, nodes: np.ndarray, position: np.ndarray) -> np.ndarray | None:
    """Only of nodes and places that other nodes surround: outside, functions are held and not interpolated."""
    places, extent = bank.position, float(np.ptp(bank.position, axis=0).max())
    difference, at_node = [], []
    for node in range(len(places)):
        others = np.delete(np.arange(len(places)), node)
        if len(others) < FEWEST_ACROSS:
            return None
        away = places[others] - places[node]
        (weights,) = scattered_weights(away, np.zeros((1, 2)))
        if np.abs(weights @ away).max() <= REPRODUCED * extent:
            difference.append(np.tensordot(weights, nodes[others], 1) - nodes[node])
            at_node.append(weights @ (away**2).sum(axis=1))
    weights = scattered_weights(places, position)
    inside = np.abs(weights @ places - position).max(axis=1) <= REPRODUCED * extent
    if not difference or not inside.any():
        return None
    at_place = (weights @ (places**2).sum(axis=1) - (position**2).sum(axis=1))[inside]
    power = _scene_error_power(np.stack(difference)) / np.array(at_node)[:, None] ** 2
    return at_place[:, None] ** 2 * power.mean(axis=0)
