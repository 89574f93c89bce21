"""The meta-atoms of a GDSII or OASIS file of any origin: positions and sizes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.files.input_file import input_file
from metalens.optics.layout import gds_cells, oasis_cells
from metalens.optics.layout.hierarchy import MAXIMUM_SITES, Cell, Drawn, Hierarchy
from metalens.optics.layout.layers import Layer, LayerMap

LARGEST_FILE = 2**31
LISTED = 12
SUFFIXES = (".gds", ".gdsii", ".gds2", ".oas", ".oasis")
"""File name extensions of layouts."""

PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")
"""First bytes of files written by gzip, zip, bzip2, xz and 7-Zip."""


@dataclass(frozen=True)
class DrawnAtoms:
    """Meta-atoms of a layout, in metres; x to the right and y up.

    Attributes:
        drawn: where each meta-atom is, and which outline it has.
        outlines: ``[outline, feature]``; see ``outlines.FEATURES``.
        grid: the layout's step.
        layer: that they were found on.
        cell: that they were found below.
        boundary: centre (x, y) and diameter of the disc that this cell draws on the layer of the boundary; None if it
            draws none.
    """

    drawn: Drawn
    outlines: np.ndarray
    grid: float
    layer: Layer
    cell: str
    boundary: tuple[float, float, float] | None


def layout_kind(path: str | os.PathLike[str]) -> str | None:
    """``"gds"`` or ``"oasis"`` by the first bytes of a file; None if it is neither.

    Raises:
        InputError: there is no such file, or it is too large.
    """
    missing = "no such file; give the path of a layout, a table of sites or a map of widths."
    target = input_file(path, "layout", largest=LARGEST_FILE, missing=missing)
    with target.open("rb") as file:
        begin = file.read(len(oasis_cells.MAGIC))
    if begin == oasis_cells.MAGIC:
        return "oasis"
    return "gds" if begin.startswith(gds_cells.MAGIC) else None


def refuse_other_layouts(path: Path) -> None:
    """Refuse layouts of kinds that are not read, each by what it is.

    Args:
        path: a file that is neither GDSII nor OASIS.

    Raises:
        InputError: it is packed, a DXF or a CIF file, or named as a layout without being one.
    """
    with path.open("rb") as file:
        begin = file.read(256)
    suffix = path.suffix.lower()
    if begin.startswith(PACKED):
        raise InputError(f"{path}: is packed; unpack it first (gunzip, unzip) and give the file that comes out.")
    if suffix == ".dxf" or begin.startswith(b"AutoCAD Binary DXF") or re.match(rb"\s*(0\s+SECTION|999\s)", begin):
        raise InputError(f"{path}: is a DXF drawing, which is not read; export the layout as GDSII or OASIS.")
    if suffix == ".cif" or re.match(rb"\s*(\([^)]*\)\s*;?\s*)*DS\s+\d", begin):
        raise InputError(f"{path}: is a CIF layout, which is not read; export it as GDSII or OASIS.")
    if suffix in SUFFIXES:
        raise InputError(f"{path}: does not begin as a GDSII or OASIS file does; export or copy it again.")


def read_drawn_atoms(
    path: str | os.PathLike[str], *, layer: Layer | None = None, cell: str | None = None, layers: LayerMap | None = None
) -> DrawnAtoms:
    """Read the polygons of one layer of a layout, through all levels of its cells.

    Args:
        path: a GDSII or OASIS file.
        layer: that holds the meta-atoms; None takes that of ``layers``, or the only layer that there is.
        cell: below which they are; None takes the only one at the top.
        layers: where things are expected.

    Returns:
        Places and outlines in metres, and the boundary if the layout draws one.

    Raises:
        InputError: the file is missing, neither of the two, damaged, too large, or holds no such layer or cell.
    """
    target, expected = Path(path), layers or LayerMap()
    kind = layout_kind(target)
    if kind is None:
        raise InputError(f"{target}: neither a GDSII nor an OASIS file; give the path of a layout.")
    cells, grid = (gds_cells.read_gds_cells if kind == "gds" else oasis_cells.read_oasis_cells)(target)
    try:
        hierarchy = Hierarchy(cells, _layer(cells, layer, expected.atoms))
        top = _top(hierarchy, cell)
        total = hierarchy.count(top)
        if not 0 < total <= MAXIMUM_SITES:
            raise InputError(f"{total} polygons below the cell {top!r}; 1 to {MAXIMUM_SITES} were expected")
        drawn = hierarchy.draw(top)
    except InputError as error:
        raise InputError(f"{target}: {error}.") from error
    outlines = np.concatenate(hierarchy.outlines)
    return DrawnAtoms(drawn, outlines, grid, hierarchy.layer, top, _boundary(cells[top], expected.boundary))


def _layer(cells: Mapping[str, Cell], wanted: Layer | None, standard: Layer) -> Layer:
    """The layer that was asked for; without that the standard one, or the only one."""
    pairs = [tuple(pair) for cell in cells.values() for pair in np.unique(cell.layers, axis=0).tolist()]
    found: set[Layer] = {(number, datatype) for number, datatype in pairs}
    candidate = standard if wanted is None else wanted
    if candidate in found:
        return candidate
    if wanted is None and len(found) == 1:
        return found.pop()
    listed = ", ".join(f"{number}/{datatype}" for number, datatype in sorted(found)[:LISTED]) or "none"
    drawn = sorted({layer for cell in cells.values() for layer in cell.path_layers})
    paths = ", ".join(f"{number}/{datatype}" for number, datatype in drawn[:LISTED])
    raise InputError(
        f"no polygons on layer {candidate[0]}/{candidate[1]}; those with polygons: {listed}; name one with --atom-layer"
        + (f"; layers with paths, which are no polygons: {paths}; export them as polygons" if paths else "")
    )


def _top(hierarchy: Hierarchy, wanted: str | None) -> str:
    """The cell that was asked for, or the only one with meta-atoms that nothing refers to."""
    if wanted is not None:
        if wanted not in hierarchy.cells:
            raise InputError(f"no cell {wanted!r}; cells: {', '.join(sorted(hierarchy.cells)[:LISTED])}")
        return wanted
    tops = hierarchy.top()
    if not tops and hierarchy.cells:
        # If all cells refer to each other in a circle, this raises the error for it.
        for name in hierarchy.cells:
            hierarchy.count(name)
    if len(tops) != 1:
        names = ", ".join(sorted(tops)[:LISTED]) or "none"
        raise InputError(f"{len(tops)} cells with meta-atoms that nothing refers to ({names}); name one with --cell")
    return tops[0]


def _boundary(cell: Cell, layer: Layer) -> tuple[float, float, float] | None:
    """Centre and diameter of the largest polygon that a cell itself draws on a layer, if that is a disc."""
    polygons = cell.measures[cell.polygons_on(layer)]
    if not len(polygons):
        return None
    area, moment, width, height, x, y = polygons[int(np.argmax(polygons[:, 0])), :6].tolist()
    # The second moment of a disc is area²/2π; the box then is the circle's.
    # Written without a division: the area of a polygon may be 0.
    if abs(2 * np.pi * moment - area**2) > 0.01 * area**2 or area == 0 or abs(width - height) > 0.01 * width:
        return None
    return x, y, max(width, height)
