"""Representative field points: axis, zone, edge."""

from __future__ import annotations

import numpy as np

from metalens.formats.psf.bank import PsfBank

PLACES = {"axis": 0.0, "zone": 0.7, "edge": 1.0}
"""Name → distance from the axis as a share of the farthest node's."""

PLACE_COLOURS = ("#111111", "#0072b2", "#e69f00")
"""Dark to light, so that they can be told apart in grey; of Okabe and Ito's palette."""


def chosen_places(bank: PsfBank) -> dict[str, int]:
    """Name with distance → the node nearest to it, each node once."""
    distance = np.linalg.norm(bank.position, axis=1)
    nodes: dict[int, str] = {}
    for name, share in PLACES.items():
        node = int(np.abs(distance - share * distance.max()).argmin())
        nodes.setdefault(node, f"{name}, {1e6 * distance[node]:.0f} µm")
    return {name: node for node, name in nodes.items()}
