"""Nodes of a grid on the sensor: those to simulate, and the others by mirror symmetry.

Where the lens is rotationally symmetric and the pixels are square, point spread functions at places that are mirror
images of each other in x, y or the diagonal are exact mirror images too. No value is interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.psf.figures import PsfFigures


@dataclass(frozen=True)
class Octant:
    """The fields to simulate: those with 0 ≤ y ≤ x if the lens is rotationally symmetric, otherwise all.

    Attributes:
        position: ``[simulated, (y, x)]`` in metres.
        index: ``[node]`` which of them a node is made from.
        transposed: ``[node]`` whether x and y change places; first of the three.
        flipped: ``[node, (y, x)]`` whether y and x then change their signs.
    """

    position: np.ndarray
    index: np.ndarray
    transposed: np.ndarray
    flipped: np.ndarray


def nodes_across(count: int, length: float) -> np.ndarray:
    """Positions from edge to edge of a length about 0; a single node lies in the middle.

    Args:
        count: nodes.
        length: in metres.

    Returns:
        ``[count]`` ascending, mirrored exactly.
    """
    if count == 1:
        return np.zeros(1)
    # Mirrored by construction, so that equal distances are equal numbers.
    upper = np.linspace(0.5 * length, 0, (count + 1) // 2, endpoint=bool(count % 2))
    if count % 2 == 0:
        upper = 0.5 * length * (1 - 2 * np.arange(count // 2) / (count - 1))
    return np.concatenate([-upper, upper[::-1][count % 2 :]])


def octant_of(position: np.ndarray) -> Octant:
    """The octant that stands for nodes ``[node, (y, x)]``, its fields in the order in which they are met."""
    away = np.abs(position)
    # Rounded to a thousandth of a nanometre, so that equal distances are equal in spite of rounding errors.
    keys: dict[tuple[float, float], int] = {}
    fields: list[np.ndarray] = []
    index = np.empty(len(position), dtype=int)
    for node, place in enumerate(np.sort(away, axis=1)):
        key = (round(float(place[0]), 12), round(float(place[1]), 12))
        if key not in keys:
            keys[key] = len(fields)
            fields.append(place)
        index[node] = keys[key]
    return Octant(np.stack(fields), index, away[:, 0] > away[:, 1], position < 0)


def each_node(position: np.ndarray) -> Octant:
    """Nodes ``[node, (y, x)]`` that are all simulated, because the lens or the sensor has no symmetry."""
    count = len(position)
    return Octant(position, np.arange(count), np.zeros(count, dtype=bool), np.zeros((count, 2), dtype=bool))


def unfold_images(octant: Octant, images: np.ndarray) -> np.ndarray:
    """The images of all nodes from those of one octant.

    Args:
        octant: which nodes were simulated, and how the others mirror them.
        images: ``[simulated, ..., y, x]`` with odd, equal sides.

    Returns:
        ``[node, ..., y, x]``.
    """
    full = images[octant.index]
    for node, (transposed, (flip_y, flip_x)) in enumerate(zip(octant.transposed, octant.flipped, strict=True)):
        image = full[node].swapaxes(-1, -2) if transposed else full[node]
        full[node] = np.array(image[..., :: -1 if flip_y else 1, :: -1 if flip_x else 1])
    return full


def unfold_figures(octant: Octant, figures: PsfFigures) -> PsfFigures:
    """The figures of all nodes from those of one octant: a mirror image differs by its centroid only.

    Args:
        octant: which nodes were simulated, and how the others mirror them.
        figures: ``[simulated, ...]``.

    Returns:
        Figures of all nodes, in the order of the bank.
    """
    full = figures.take(octant.index)
    mirrored = np.where(octant.transposed[:, None, None], full.centroid[..., ::-1], full.centroid)
    return replace(full, centroid=mirrored * np.where(octant.flipped, -1, 1)[:, None])
