"""The unit cell of one meta-atom: filling factor of each sample."""

from __future__ import annotations

from itertools import product

import numpy as np

from metalens.formats.meta_atoms.library import lattice_vectors
from metalens.formats.meta_atoms.polygon import contains, turned
from metalens.formats.meta_atoms.shapes import POLYGONAL, Family

SAMPLES = 128
"""Samples along each lattice vector; the Fourier orders of the fields need 50 at most."""

SUBSAMPLES = 8
"""Sub-samples along each side of a sample that an outline crosses."""


def cell_density(
    family: Family, geometry: np.ndarray, pitch: float, lattice: str, samples: int = SAMPLES
) -> np.ndarray:
    """Filling factor of each sample, averaged over samples that an outline crosses.

    Args:
        family: shape, turn and vertices of the pillar or the hole.
        geometry: ``[parameter]`` in metres.
        pitch: in metres.
        lattice: ``"square"`` or ``"hexagonal"``.
        samples: along each lattice vector.

    Returns:
        ``[u, v]`` from 0 to 1; the meta-atom's centre is the corner of the cell, which is periodic, and of its first
        sample. So the sampled cell is its own mirror image where the meta-atom is: the solver takes samples to lie half
        a sample beyond their index.
    """
    total = np.zeros((samples, samples))
    for part_u, part_v in product(range(SUBSAMPLES), repeat=2):
        u, v = ((np.arange(samples) + (part + 0.5) / SUBSAMPLES) / samples for part in (part_u, part_v))
        total += _covered(family, np.asarray(geometry), pitch * lattice_vectors(lattice), u, v)
    covered = total / SUBSAMPLES**2
    return 1 - covered if family.shape.endswith("hole") else covered


def _covered(family: Family, geometry: np.ndarray, vectors: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points of the cell lie within the meta-atom; it stands at the cell's four corners, being periodic."""
    first, second = np.meshgrid(u, v, indexing="ij")
    covered = np.zeros(first.shape, dtype=bool)
    for i, j in product((0, 1), repeat=2):
        x, y = np.tensordot(vectors.T, np.stack([first - i, second - j]), axes=1)
        covered |= _inside(family, geometry, x, y)
    return covered


def _inside(family: Family, geometry: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    figure = family.shape.rpartition("_")[0]
    if family.shape == POLYGONAL:
        return contains(family.outline(geometry), x, y)
    if family.rotation:
        x, y = np.moveaxis(turned(np.stack([x, y], axis=-1), -family.rotation), -1, 0)
    if figure == "round":
        return np.hypot(x, y) < 0.5 * geometry[0]
    if figure == "annular":
        return (np.hypot(x, y) < 0.5 * geometry[0]) & (np.hypot(x, y) >= 0.5 * geometry[1])
    if figure == "elliptical":
        return np.asarray(np.hypot(x / geometry[0], y / geometry[1]) < 0.5)
    if figure == "cross":
        return _in_box(x, y, geometry[0], geometry[1]) | _in_box(x, y, geometry[1], geometry[0])
    if figure == "h":
        width, depth, leg, bar = geometry
        outside_legs = np.abs(x) < 0.5 * width - leg
        return _in_box(x, y, width, depth) & ~(outside_legs & (np.abs(y) >= 0.5 * bar))
    return _in_box(x, y, geometry[0], geometry[-1])


def _in_box(x: np.ndarray, y: np.ndarray, width: float, depth: float) -> np.ndarray:
    return (np.abs(x) < 0.5 * width) & (np.abs(y) < 0.5 * depth)
