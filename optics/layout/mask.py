"""GDSII and OASIS files of a structure: a cell for each geometry, referred to at each of its sites.

The layout's origin is the lens' centre. Its y axis points up as in every layout, the lens' points down: a viewer shows
the lens as its arrays are printed, row 0 at the top, seen along the light.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as settings

from metalens.formats.camera.parts import Aperture
from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.record import STRICT, told_as_input_error
from metalens.formats.meta_atoms.families import families_of, family_of, lengths_of
from metalens.formats.meta_atoms.shapes import PARAMETERS
from metalens.optics.layout import gds_cells, marks, oasis_cells
from metalens.optics.layout.hierarchy import OUTLINE_COLUMNS, measure
from metalens.optics.layout.layers import Layer, LayerMap
from metalens.optics.layout.matching import ideal_features, outline_error
from metalens.optics.layout.outlines import (
    ANNULAR,
    ELLIPTICAL,
    OUTLINE_OF,
    POLYGON,
    RECTANGULAR,
    ROUND,
    outline,
    principal_sides,
)

if TYPE_CHECKING:
    import gdstk

MICRO = 1e-6
LARGEST_COORDINATE = 2**31 - 1
"""GDSII stores 32-bit integers."""

MOST_VERTICES = 96
"""Largest number of vertices of a round outline; a ring has two circles and its seam, and a polygon of GDSII at most
199.
"""

EPOCH = datetime(2000, 1, 1)
"""The time that files carry, so that equal structures make equal bytes."""

LAYOUT_CELL, QUADRANT_CELL, MARK_CELL = "METALENS", "QUADRANT", "MARK"


def _one_line(label: str) -> str:
    if len(label) > 200 or not (label.isascii() and (label.isprintable() or not label)):
        raise ValueError(f"{label[:40]!r} must be one line of at most 200 ASCII characters")
    return label


@told_as_input_error("layout")
@settings(frozen=True, config=STRICT)
class MaskOptions:
    """Options of a layout.

    Attributes:
        layers: of meta-atoms, boundary, marks and label.
        vertices: of a round outline, a multiple of 4 from 8 to 96.
        grid: the layout's step in metres, 0.01 to 100 nm.
        circles: OASIS only: true circles instead of polygons; radii are rounded to the grid.
        label: the text beside the lens, one line of ASCII; none if empty.
        marks: draw alignment marks.
        quadrants: draw one quadrant and rotate it, if the structure has exact fourfold symmetry.
    """

    layers: LayerMap = field(default_factory=LayerMap)
    vertices: Annotated[int, Field(ge=8, le=MOST_VERTICES, multiple_of=4)] = 32
    grid: Annotated[float, Field(ge=0.999e-11, le=1.001e-7, allow_inf_nan=False)] = 1e-9
    circles: bool = False
    label: Annotated[str, AfterValidator(_one_line)] = ""
    marks: bool = True
    quadrants: bool = True


@dataclass(frozen=True)
class MaskFigures:
    """Summary of a written layout.

    Attributes:
        sites: with a meta-atom.
        cells: of meta-atoms, one per geometry.
        references: to these cells.
        quadrants: whether one quadrant is drawn and rotated.
        width_error: largest rounding error of a length by the grid, in metres.
        angle_error: of a turned meta-atom's angle, in radians; None where all stand upright.
        size: of the file in bytes.
    """

    sites: int
    cells: int
    references: int
    quadrants: bool
    width_error: float
    size: int
    angle_error: float | None = None


def write_mask(
    path: str | os.PathLike[str],
    structure: Structure,
    kind: Literal["gds", "oasis"],
    *,
    diameter: float,
    aperture: Aperture | None = None,
    options: MaskOptions | None = None,
) -> MaskFigures:
    """Write a structure as a layout, atomically.

    Args:
        path: of the file.
        structure: the meta-atom at each site.
        kind: of the file.
        diameter: of the disc that holds the aperture, in metres, for the boundary and the marks.
        aperture: its shape.
        options: how it is drawn.

    Returns:
        Numbers of sites, cells and references, rounding errors and size of the file.

    Raises:
        InputError: the structure is empty, its geometry cannot be drawn on the grid, the lens is too large for it, or
            the disk refuses the write.
    """
    chosen = options or MaskOptions()
    kinds = {OUTLINE_OF[family.shape] for family in families_of(structure)}
    if chosen.circles and (kind != "oasis" or kinds != {ROUND}):
        raise InputError("layout: circles are for OASIS files of round meta-atoms; leave out --circles.")
    reach = 0.5 * diameter + 2 * marks.MARGIN + 0.5 * structure.pitch * max(structure.site_index.shape)
    if reach / chosen.grid > LARGEST_COORDINATE:
        raise InputError(
            f"layout: the lens reaches {1e6 * reach:g} µm, more than {LARGEST_COORDINATE} steps of "
            f"{1e9 * chosen.grid:g} nm; take a coarser grid."
        )
    drawing = _Drawing(structure, chosen)
    references = drawing.place_atoms()
    drawing.surround(diameter, aperture)
    with atomic_file(path) as part:
        drawing.write(part, kind)
        size = part.stat().st_size
    sites = int(drawing.counts.sum())
    cells = int((drawing.counts > 0).sum())
    return MaskFigures(sites, cells, references, drawing.quadrants, drawing.width_error, size, drawing.angle_error)


class _Drawing:
    """A layout while it is being made; coordinates are steps of the grid."""

    def __init__(self, structure: Structure, options: MaskOptions) -> None:
        import gdstk

        self.gdstk: Any = gdstk
        self.structure, self.options = structure, options
        self.step = options.grid / MICRO
        self.counts = structure.counts()
        if not self.counts.any():
            raise InputError("layout: no site of the structure holds a meta-atom; there is nothing to draw.")
        self.library: gdstk.Library = gdstk.Library(LAYOUT_CELL, unit=MICRO, precision=options.grid)
        self.top: gdstk.Cell = self.library.new_cell(LAYOUT_CELL)
        used = np.flatnonzero(self.counts)
        self.outlines = {int(each): self._outline(int(each)) for each in used}
        self.names = _cell_names(structure, used)
        self.width_error, self.angle_error = self._largest_errors()
        self.quadrants = options.quadrants and self._fourfold()

    def _outline(self, atom: int) -> np.ndarray:
        family, lengths = family_of(self.structure, atom), lengths_of(self.structure, atom)
        if self.options.circles:
            return _circle(round(0.5 * lengths[0] / self.options.grid))
        # The structure turns from x towards y, which points down there and up here.
        turned = 0.0 if self.structure.rotation is None else -float(self.structure.rotation[atom])
        return outline(family, lengths, self.options.grid, self.options.vertices, turned)

    def _largest_errors(self) -> tuple[float, float | None]:
        """Largest errors of all lengths, and of all angles where meta-atoms are turned."""
        if self.structure.rotation is None:
            return max(self._error(atom) for atom in self.outlines), None
        errors = [self._turned_error(atom) for atom in self.outlines]
        return max(width for width, _ in errors), max(angle for _, angle in errors)

    def _turned_error(self, atom: int) -> tuple[float, float]:
        """Errors of lengths and angle of a turned rectangle as it is read back."""
        assert self.structure.rotation is not None
        features = measure(self.outlines[atom][None] * self.options.grid)[:, OUTLINE_COLUMNS]
        sides, angle = principal_sides(np.append(features, [[0.0]], axis=1))
        wanted, turned = self.structure.geometry[atom], -self.structure.rotation[atom]
        family = family_of(self.structure, atom)
        if OUTLINE_OF[family.shape] != RECTANGULAR:
            ideal = ideal_features(replace(family, rotation=turned), wanted)
            aside = abs((angle[0] - 0.5 * np.arctan2(ideal[5], ideal[4]) + 0.5 * np.pi) % np.pi - 0.5 * np.pi)
            return outline_error(replace(family, rotation=turned), wanted, features[0]), float(aside)
        if wanted[0] < wanted[1]:
            wanted, turned = wanted[::-1], turned + 0.5 * np.pi
        aside = abs((angle[0] - turned + 0.5 * np.pi) % np.pi - 0.5 * np.pi)
        # Whatever way a square is turned by, it is none that is known by its angle.
        return float(np.abs(sides[0] - wanted).max()), 0.0 if wanted[0] == wanted[1] else float(aside)

    def _error(self, atom: int) -> float:
        """Between the lengths of a meta-atom and those that its outline is read back with."""
        family, wanted = family_of(self.structure, atom), lengths_of(self.structure, atom)
        kind = OUTLINE_OF[family.shape]
        if kind in (ELLIPTICAL, POLYGON):
            features = measure(self.outlines[atom][None] * self.options.grid)[0, OUTLINE_COLUMNS]
            return outline_error(family, wanted, features)
        if self.options.circles:
            return float(abs(2 * self.outlines[atom][0, 0] * self.options.grid - wanted[0]))
        area, moment, width, height = measure(self.outlines[atom][None] * self.options.grid)[0, :4]
        if kind == ANNULAR:
            found = np.sqrt(4 * moment / area + np.array([2, -2]) * area / np.pi)
        else:
            found = np.array([2 * np.sqrt(area / np.pi)] if kind == ROUND else [width, height])
        return float(np.abs(found - wanted).max())

    def _fourfold(self) -> bool:
        """Whether the lens is the same after a quarter turn, site by site and outline by outline."""
        index = self.structure.site_index
        if self.structure.lattice != "square" or index.shape[0] != index.shape[1]:
            return False
        points = self.outlines.values()
        symmetric = all({(-y, x) for x, y in each.tolist()} == {tuple(p) for p in each.tolist()} for each in points)
        return symmetric and bool(np.array_equal(index, np.rot90(index)))

    def place_atoms(self) -> int:
        """Draw the cells of the meta-atoms and refer to them; how many references there are."""
        layer, datatype = self.options.layers.atoms
        cells = {}
        for atom, points in self.outlines.items():
            cells[atom] = self.library.new_cell(self.names[atom])
            cells[atom].add(self.gdstk.Polygon(points * self.step, layer=layer, datatype=datatype))
        target = self.library.new_cell(QUADRANT_CELL) if self.quadrants else self.top
        total = 0
        for atom, places in self._sites():
            total += len(places)
            target.add(self._references(cells[atom], places))
        if not self.quadrants:
            return total
        for quarter in range(4):
            self.top.add(self.gdstk.Reference(target, rotation=quarter * np.pi / 2))
        middle = len(self.structure.site_index) // 2
        centre = int(self.structure.site_index[middle, middle])
        if len(self.structure.site_index) % 2 and centre != EMPTY:
            self.top.add(self.gdstk.Reference(cells[centre]))
            total += 1
        return total + 4

    def _sites(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each meta-atom with the places ``[site, 2]`` (x, y up) of those that are drawn."""
        rows, columns = self.structure.site_index.shape
        # Of a quarter the sites above the middle and not left of it; turned by quarters they are all but the centre.
        top, left = (rows // 2, columns // 2) if self.quadrants else (rows, 0)
        index = self.structure.site_index[:top, left:]
        y, x = self.structure.positions(slice(0, top))
        order = np.argsort(index, axis=None, kind="stable")
        counts = np.bincount(index.ravel(), minlength=EMPTY + 1)
        ends = np.cumsum(counts)
        for atom in np.flatnonzero(counts[:EMPTY]).tolist():
            row, column = np.unravel_index(order[ends[atom] - counts[atom] : ends[atom]], index.shape)
            places = np.stack([x[row, left + column], -y[row, 0]], axis=1)
            yield atom, np.rint(places / self.options.grid)

    def _references(self, cell: gdstk.Cell, places: np.ndarray) -> gdstk.Reference:
        """One reference with the offsets of all others; GDSII gets a record for each, OASIS a list of steps."""
        found = self.gdstk.Reference(cell, tuple(places[0] * self.step))
        if len(places) > 1:
            found.repetition = self.gdstk.Repetition(offsets=(places[1:] - places[0]) * self.step)
        return found

    def surround(self, diameter: float, aperture: Aperture | None) -> None:
        """Draw the boundary, the marks and the label.

        Args:
            diameter: of the lens, in metres.
            aperture: its shape; ``None`` for a circle.
        """
        layers = self.options.layers
        self._polygon(self.top, marks.boundary_outline(diameter, aperture), layers.boundary)
        if self.options.marks:
            cell = self.library.new_cell(MARK_CELL)
            self._polygon(cell, marks.cross_outline(), layers.marks)
            self.top.add(*(self.gdstk.Reference(cell, self._snapped(at)) for at in marks.mark_places(diameter)))
        if self.options.label:
            layer, datatype = layers.label
            place = self._snapped(marks.label_place(diameter))
            height = marks.LABEL_HEIGHT / MICRO
            written = self.gdstk.text(self.options.label, height, place, layer=layer, datatype=datatype)
            self.top.add(*written)

    def _snapped(self, place: tuple[float, float]) -> tuple[float, float]:
        x, y = (round(each / self.options.grid) * self.step for each in place)
        return x, y

    def _polygon(self, cell: gdstk.Cell, points: np.ndarray, layer: Layer) -> None:
        steps = np.rint(points / self.options.grid) * self.step
        cell.add(self.gdstk.Polygon(steps, layer=layer[0], datatype=layer[1]))

    def write(self, part: Path, kind: str) -> None:
        """Write the file.

        Args:
            part: the file to write.
            kind: ``"gds"`` or ``"oasis"``.

        Raises:
            OSError: the disk is full.
        """
        if kind == "gds":
            self.library.write_gds(part, timestamp=EPOCH)
        else:
            # gdstk writes a polygon as a circle if no vertex or edge deviates from the circle by more than this.
            tolerance = 0.05 * self.step if self.options.circles else 0
            self.library.write_oas(part, circle_tolerance=tolerance)  # type: ignore[call-arg]  # misspelt in its stub
        # gdstk does not report a failed write.
        if not (gds_cells.has_end if kind == "gds" else oasis_cells.has_end)(part):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _circle(radius: int) -> np.ndarray:
    """Vertices of a circle, off the grid, that gdstk stores as a circle."""
    angle = 2 * np.pi * np.arange(256) / 256
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _cell_names(structure: Structure, used: np.ndarray) -> dict[int, str]:
    """A name a geometry that says its lengths in nanometres, such as D120p5; GDSII allows letters, digits, _ ? $."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for atom in used.tolist():
        family = family_of(structure, atom)
        # Of several families the number comes first.
        letters = [] if structure.family is None else ["F"]
        letters += [re.sub(r"[^A-Z]", "", name.upper())[:1] or "L" for name in PARAMETERS[family.shape]]
        told = [] if structure.family is None else [f"{structure.family[atom] + 1}"]
        told += [f"{1e9 * each:.2f}".rstrip("0").rstrip(".").replace(".", "p") for each in lengths_of(structure, atom)]
        if structure.rotation is not None:
            letters.append("A")
            told.append(f"{np.degrees(structure.rotation[atom]):z.3f}".replace(".", "p"))
        name = "".join(letter + length for letter, length in zip(letters, told, strict=True))
        name = name if name not in taken else f"{name}_{atom}"
        taken.add(name)
        names[atom] = name
    return names
