"""Hat windows: the weights by which functions known at some places are interpolated at any place.

They are never negative and sum to one at every place, so that interpolation keeps the flux. On a grid they are
bilinear; among scattered nodes, linear in each triangle of Delaunay's triangulation. Beyond the outermost nodes the
weights of the nearest known place hold.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, QhullError

from metalens.formats.psf.bank import PsfBank


def linear_weights(nodes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Weights of piecewise-linear interpolation, held constant beyond the outermost nodes.

    Args:
        nodes: ``[node]`` ascending.
        positions: ``[position]`` in the same unit.

    Returns:
        ``[node, position]`` float64 in 0..1; each position's weights sum to 1.
    """
    if len(nodes) == 1:
        return np.ones((1, len(positions)))
    inside = np.clip(positions, nodes[0], nodes[-1])
    before = np.clip(np.searchsorted(nodes, inside, side="right") - 1, 0, len(nodes) - 2)
    # The quotient is finite however close two nodes are; their distance's inverse need not be.
    share = (inside - nodes[before]) / (nodes[before + 1] - nodes[before])
    weights, each = np.zeros((len(nodes), len(positions))), np.arange(len(positions))
    weights[before, each], weights[before + 1, each] = 1 - share, share
    return weights


def node_weights(bank: PsfBank, position: np.ndarray) -> np.ndarray:
    """Weights of a grid's or of scattered nodes at places of the sensor.

    Args:
        bank: a bank whose layout is ``grid`` or ``scattered``.
        position: ``[place, (y, x)]`` in metres.

    Returns:
        ``[place, node]`` float64 in 0..1; each place's weights sum to 1.
    """
    if bank.layout == "grid":
        weight_y = linear_weights(bank.field_y, position[:, 0])
        weight_x = linear_weights(bank.field_x, position[:, 1])
        return np.einsum("ip,jp->pij", weight_y, weight_x).reshape(len(position), -1)
    return scattered_weights(bank.position, position)


def scattered_weights(nodes: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Weights of nodes that lie anywhere: barycentric in each Delaunay triangle.

    Args:
        nodes: ``[node, (y, x)]``, none twice.
        position: ``[place, (y, x)]`` in the same unit; outside the nodes' convex hull, its nearest point stands in.

    Returns:
        ``[place, node]`` float64 in 0..1; each place's weights sum to 1.
    """
    middle, extent = nodes.mean(axis=0), max(float(np.ptp(nodes, axis=0).max()), np.finfo(float).tiny)
    scaled, places = (nodes - middle) / extent, (position - middle) / extent
    try:
        triangles = Delaunay(scaled)
    except (QhullError, ValueError):
        return _weights_on_a_line(scaled, places)
    weights = np.zeros((len(places), len(nodes)))
    found = triangles.find_simplex(places, tol=1e-9)
    inside, outside = np.flatnonzero(found >= 0), np.flatnonzero(found < 0)
    transform = triangles.transform[found[inside]]
    two = np.einsum("pij,pj->pi", transform[:, :2], places[inside] - transform[:, 2])
    shares = np.clip(np.append(two, 1 - two.sum(axis=1, keepdims=True), axis=1), 0, None)
    weights[inside[:, None], triangles.simplices[found[inside]]] = shares / shares.sum(axis=1, keepdims=True)
    if len(outside):
        weights[outside] = _weights_on_the_hull(scaled, triangles.convex_hull, places[outside])
    return weights


def _weights_on_the_hull(nodes: np.ndarray, edges: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Linear weights at the point of the hull's ``edges`` ``[edge, 2]`` that is nearest to each place."""
    begin, along = nodes[edges[:, 0]], nodes[edges[:, 1]] - nodes[edges[:, 0]]
    share = np.einsum("pec,ec->pe", places[:, None] - begin, along) / (along**2).sum(axis=1)
    share = np.clip(share, 0, 1)
    distance = np.linalg.norm(begin + share[..., None] * along - places[:, None], axis=-1)
    nearest = distance.argmin(axis=1)
    weights = np.zeros((len(places), len(nodes)))
    rows = np.arange(len(places))
    weights[rows, edges[nearest, 0]] = 1 - share[rows, nearest]
    weights[rows, edges[nearest, 1]] += share[rows, nearest]
    return weights


def _weights_on_a_line(nodes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Linear weights of one node, or of nodes that all lie on a line, at each place's foot on it."""
    if len(nodes) == 1:
        return np.ones((len(places), 1))
    direction = np.linalg.svd(nodes)[2][0]
    along = nodes @ direction
    order = np.argsort(along)
    weights = np.empty((len(places), len(nodes)))
    weights[:, order] = linear_weights(along[order], places @ direction).T
    return weights
