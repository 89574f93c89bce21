"""A window of a lens' layout as a picture: single meta-atoms where there are few, the width of each site where many."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.drawing.style import INK, MAP_COLOURS
from metalens.formats.meta_atoms.families import family_of, lengths_of

MOST_DRAWN = 6000
"""Meta-atoms that are drawn as polygons."""

_SIDE_INCHES, _DOTS = 4.8, 110
_GRID = 1e-9


def atoms_in(structure: Structure, centre: tuple[float, float], width: float) -> tuple[np.ndarray, np.ndarray]:
    """The meta-atoms in a square window.

    Args:
        structure: which meta-atom stands at each site.
        centre: (y, x) in metres from the lens' centre.
        width: of the window in metres.

    Returns:
        ``[atom, (y, x)]`` in metres, and ``[atom]`` rows of ``structure.geometry``.
    """
    y, x = structure.positions(slice(None))
    y, x = np.broadcast_arrays(y, x)
    near = (np.abs(y - centre[0]) <= 0.5 * width) & (np.abs(x - centre[1]) <= 0.5 * width)
    used = near & (structure.site_index != EMPTY)
    return np.stack([y[used], x[used]], axis=-1), structure.site_index[used]


def draw_layout(path: Path, structure: Structure, centre: tuple[float, float], width: float) -> int:
    """Draw a window as PNG.

    Args:
        path: the file.
        structure: which meta-atom stands at each site.
        centre: (y, x) in metres from the lens' centre.
        width: of the window in metres.

    Returns:
        How many meta-atoms lie in it.
    """
    places, index = atoms_in(structure, centre, width)
    figure = Figure(figsize=(_SIDE_INCHES, _SIDE_INCHES), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Of turned meta-atoms it is the angle that differs from site to site.
    lengths = structure.geometry[:, 0] if structure.rotation is None else structure.rotation
    colours = mpl.colormaps[MAP_COLOURS]((lengths - lengths.min()) / max(float(np.ptp(lengths)), 1e-12))
    if len(places) <= MOST_DRAWN:
        shapes = {atom: outline_um(structure, atom) for atom in set(index.tolist())}
        polygons = [shapes[atom] + 1e6 * place[::-1] for atom, place in zip(index.tolist(), places, strict=True)]
        axes.add_collection(PolyCollection(polygons, facecolors=colours[index], edgecolors="none"))
    else:
        side = max(0.6, 0.9 * 72 * _SIDE_INCHES * structure.pitch / width)
        axes.scatter(1e6 * places[:, 1], 1e6 * places[:, 0], c=colours[index], s=side**2, marker="s", linewidths=0)
    half = 0.5e6 * width
    middle = 1e6 * np.array(centre)
    axes.set(
        xlim=(middle[1] - half, middle[1] + half),
        ylim=(middle[0] + half, middle[0] - half),
        aspect="equal",
        xlabel="x (µm)",
        ylabel="y (µm)",
    )
    axes.tick_params(labelsize=7.5, color=INK)
    figure.savefig(path, format="png")
    return len(places)


def outline_um(structure: Structure, atom: int) -> np.ndarray:
    """A meta-atom around its site, y pointing down as in the picture.

    Args:
        structure: that holds it.
        atom: its number in the structure's table.

    Returns:
        ``[vertex, (x, y)]`` in micrometres.
    """
    # gdstk is not needed for outlines.
    from metalens.optics.layout.outlines import outline

    family = family_of(structure, atom)
    turned = 0.0 if structure.rotation is None else -float(structure.rotation[atom])
    return 1e6 * _GRID * outline(family, lengths_of(structure, atom), _GRID, rotation=turned) * [1, -1]
