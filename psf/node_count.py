"""Number of field nodes of a bank: grids are refined until interpolation between the nodes is good enough."""

from __future__ import annotations

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.psf.bank import PsfBank, grid_positions
from metalens.psf.field_symmetry import nodes_across, octant_of
from metalens.psf.interpolation.functions import FieldFunctions, field_functions
from metalens.psf.interpolation.held_out import HeldOutPlaces, between_nodes, between_radii
from metalens.psf.interpolation.node_error import even_places, node_error
from metalens.psf.interpolation.radius import RadialFunctions

LARGEST_ERROR = 1e-3
"""Root mean square error of a natural scene's image by interpolation between the nodes: 60 dB. It is measured at places
between the nodes."""

FINER = (13, 25)
"""Nodes along each side of the sensor, after :data:`~metalens.psf.bank_request.COARSEST`.

Each grid contains the nodes of the one before, which are not simulated again."""

MOST_SIMULATED = 169
"""Nodes that are simulated at most without being asked for: 13 × 13 without symmetry."""

MOST_BYTES = 2**29
"""Largest size of the functions, without being asked for."""


def finer_grids(pixels: tuple[int, int], side: int, subpixels: int, *, symmetric: bool) -> list[tuple[int, int]]:
    """Ever finer (rows, columns) of nodes, as far as they are simulated without being asked for.

    Args:
        pixels: (rows, columns) of the sensor. No two nodes are closer than a pixel.
        side: of a function in pixels.
        subpixels: along the side of a pixel.
        symmetric: whether only one octant is simulated.

    Returns:
        (rows, columns), from coarse to fine.
    """
    found: list[tuple[int, int]] = []
    kept = 3 * side**2 * np.dtype(np.float32).itemsize
    for count in FINER:
        simulated = count**2
        if symmetric:
            simulated = len(octant_of(grid_positions(*(nodes_across(count, float(side)) for side in pixels))).position)
        size = (simulated * subpixels**2 + count**2) * kept
        if simulated <= MOST_SIMULATED and size <= MOST_BYTES and count <= min(pixels):
            found.append((count, count))
    return found


def bank_node_error(bank: PsfBank) -> float:
    """Estimated root mean square error of a natural scene's image by interpolation between a bank's nodes.

    Args:
        bank: the point spread functions.

    Returns:
        The error for values in 0..1; infinite where functions cannot be interpolated between so few nodes, NaN where
        there are too few to tell.
    """
    try:
        functions = field_functions(bank, None)
    except InputError:
        return float("inf")
    return node_error(functions, _over_sensor(bank))


def places_between(bank: PsfBank, functions: FieldFunctions) -> HeldOutPlaces:
    """Places between the nodes of a simulated grid, where its interpolation is compared with what is simulated.

    Args:
        bank: the grid.
        functions: of it.

    Returns:
        Places in metres and their weights.
    """
    if isinstance(functions, RadialFunctions):
        return between_radii(functions.radius, functions.landing, np.hypot(*_over_sensor(bank).T))
    return between_nodes(bank.field_y, bank.field_x)


def _over_sensor(bank: PsfBank) -> np.ndarray:
    corner = 0.5 * bank.pixel_pitch * (np.array(bank.camera.sensor.pixels) - 1)
    return even_places(-corner, corner)
