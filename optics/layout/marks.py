"""Parts of a layout besides meta-atoms: outline of the aperture, alignment marks, label."""

from __future__ import annotations

import numpy as np

from metalens.formats.camera.parts import Aperture, PolygonalAperture

BOUNDARY_VERTICES = 180
"""A polygon of GDSII may have 199 in all tools."""

MARK_LENGTH = 20e-6
MARK_WIDTH = 2e-6
MARGIN = 30e-6
"""From the aperture to the centre of a mark, along both axes."""

LABEL_HEIGHT = 20e-6


def boundary_outline(diameter: float, aperture: Aperture | None) -> np.ndarray:
    """The outer edge of an aperture as a polygon; a circle as a polygon around it.

    Args:
        diameter: of the lens in metres.
        aperture: its shape; None is a circle.

    Returns:
        ``[vertex, 2]`` (x, y up) in metres.
    """
    if isinstance(aperture, PolygonalAperture):
        return 1e-6 * np.array([(x, -y) for y, x in aperture.vertices_um])
    angle = 2 * np.pi * np.arange(BOUNDARY_VERTICES) / BOUNDARY_VERTICES
    radius = 0.5 * diameter
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def cross_outline() -> np.ndarray:
    """An upright cross around 0, ``[vertex, 2]`` in metres."""
    arm, half = 0.5 * MARK_LENGTH, 0.5 * MARK_WIDTH
    corner = np.array([(half, half), (half, arm), (-half, arm), (-half, half)])
    turns = [np.array([[0, 1], [-1, 0]]), np.array([[-1, 0], [0, -1]]), np.array([[0, -1], [1, 0]])]
    return np.concatenate([corner[:3], *((corner @ turn)[:3] for turn in turns)])


def mark_places(diameter: float) -> list[tuple[float, float]]:
    """Centres (x, y) in metres of the four crosses, outside the square around the aperture."""
    reach = 0.5 * diameter + MARGIN
    return [(x, y) for y in (reach, -reach) for x in (-reach, reach)]


def label_place(diameter: float) -> tuple[float, float]:
    """Lower left corner (x, y) in metres of the label: below the aperture, between the marks."""
    return -0.5 * diameter, -0.5 * diameter - MARGIN - 0.5 * LABEL_HEIGHT
