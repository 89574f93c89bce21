"""Cells that refer to each other, as layouts have them, and all that they draw when every reference is followed.

Lengths are metres, x to the right and y up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.layout.layers import Layer

MAXIMUM_SITES = 2**25
"""Polygons that a layout may hold when all references are followed; five lenses of 1 mm at a pitch of 350 nm."""

MAXIMUM_DEPTH = 32


MOST_DRAWN = 4 * MAXIMUM_SITES
"""Polygons of all cells together, each with what it refers to: a lens may lie in some cells that only hold it."""


@dataclass(frozen=True)
class Repeated:
    """A reference in columns and rows, whose places are made when they are drawn: four numbers may stand for millions.

    Attributes:
        origins: ``[array, 2]`` (x, y) of the first place.
        along: ``[array, 2]`` from one column to the next.
        across: ``[array, 2]`` from one row to the next.
        columns: how many.
        rows: how many.
    """

    origins: np.ndarray
    along: np.ndarray
    across: np.ndarray
    columns: int
    rows: int

    def __len__(self) -> int:
        return len(self.origins) * self.columns * self.rows

    def places(self) -> np.ndarray:
        """``[reference, 2]``."""
        column, row = np.arange(self.columns)[None, :, None], np.arange(self.rows)[:, None, None]
        origin, along, across = (each[:, None, None] for each in (self.origins, self.along, self.across))
        return np.asarray((origin + column * along + row * across).reshape(-1, 2))


@dataclass(frozen=True)
class References:
    """References to one cell that differ in their place alone.

    Attributes:
        cell: that they refer to.
        parts: where they are, ``[reference, 2]`` (x, y) each, or repeated.
        rotation: anticlockwise, in radians, after mirroring.
        magnification: of the cell.
        mirrored: at the x axis, first of all.
    """

    cell: str
    parts: tuple[np.ndarray | Repeated, ...]
    rotation: float = 0.0
    magnification: float = 1.0
    mirrored: bool = False

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(len(part) for part in self.parts)

    @property
    def origins(self) -> np.ndarray:
        """``[reference, 2]`` (x, y)."""
        return np.concatenate([part.places() if isinstance(part, Repeated) else part for part in self.parts])


@dataclass(frozen=True)
class Cell:
    """What a cell draws itself and what it refers to.

    Attributes:
        layers: ``[polygon, 2]`` number and datatype.
        measures: ``[polygon, 8]`` of :func:`measure`.
        number: ``[placement]`` which polygon is drawn,
        shift: ``[placement, 2]`` and how far from its own place (x, y).
        references: in groups.
        path_layers: layers that it draws paths on.
    """

    layers: np.ndarray
    measures: np.ndarray
    number: np.ndarray
    shift: np.ndarray
    references: tuple[References, ...] = ()
    path_layers: frozenset[Layer] = frozenset()

    def polygons_on(self, layer: Layer) -> np.ndarray:
        """Numbers of the polygons of a layer."""
        return np.flatnonzero((self.layers == layer).all(axis=1))


@dataclass(frozen=True)
class Drawn:
    """Polygons of one layer, all references followed.

    Attributes:
        x: ``[site]`` of each one's centroid.
        y: ``[site]``.
        outline: ``[site]`` which outline it has; another one where a reference turns, mirrors or magnifies it.
    """

    x: np.ndarray
    y: np.ndarray
    outline: np.ndarray

    @classmethod
    def join(cls, parts: list[Drawn]) -> Drawn:
        """All of them in one."""
        if len(parts) == 1:
            return parts[0]
        none = cls(np.zeros(0), np.zeros(0), np.zeros(0, np.uint32))
        every = parts or [none]
        columns = ([getattr(part, name) for part in every] for name in ("x", "y", "outline"))
        return cls(*(np.concatenate(column) for column in columns))


def measure(points: np.ndarray) -> np.ndarray:
    """What outlines are told by.

    Args:
        points: ``[polygon, vertex, 2]`` (x, y).

    Returns:
        ``[polygon, 8]``, in the unit of the points and its powers: area A; polar second moment ∫(x² + y²) about the
        centroid; width and height of the box; centroid (x, y); and the axial moments ∫(x² − y²) and 2∫xy, the real and
        imaginary part of a number that turns twice as fast as the polygon.
    """
    start = points[:, :1]
    x, y = np.moveaxis(points - start, -1, 0).astype(float)
    next_x, next_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    cross = x * next_y - next_x * y
    signed = 0.5 * cross.sum(axis=1)
    safe = np.where(signed == 0, 1.0, signed)
    centre_x = ((x + next_x) * cross).sum(axis=1) / (6 * safe)
    centre_y = ((y + next_y) * cross).sum(axis=1) / (6 * safe)
    about_start = ((x * x + x * next_x + next_x**2 + y * y + y * next_y + next_y**2) * cross).sum(axis=1) / 12
    moment = about_start * np.sign(signed) - np.abs(signed) * (centre_x**2 + centre_y**2)
    sign, area = np.sign(signed), np.abs(signed)
    difference = ((x * x + x * next_x + next_x**2 - y * y - y * next_y - next_y**2) * cross).sum(axis=1) / 12
    product = ((x * next_y + 2 * x * y + 2 * next_x * next_y + next_x * y) * cross).sum(axis=1) / 12
    columns = (area, moment, np.ptp(x, axis=1), np.ptp(y, axis=1), centre_x + start[:, 0, 0], centre_y + start[:, 0, 1])
    axial = (
        difference * sign - area * (centre_x**2 - centre_y**2),
        product * sign - 2 * area * centre_x * centre_y,
    )
    return np.stack([*columns, *axial], axis=1)


UNIT_POWERS = np.array([2, 4, 1, 1, 1, 1, 4, 4])
"""Powers of the unit of length in what :func:`measure` returns."""

OUTLINE_COLUMNS = [0, 1, 2, 3, 6, 7]
"""Those columns that do not depend on the place."""


@dataclass
class Hierarchy:
    """The cells of a file, looked at one layer at a time."""

    cells: Mapping[str, Cell]
    layer: Layer
    outlines: list[np.ndarray] = field(default_factory=list)
    """``[outline, feature]`` each; see ``outlines.FEATURES``."""
    _counts: dict[str, int] = field(default_factory=dict)
    _drawn: dict[str, Drawn] = field(default_factory=dict)
    _referred_as: dict[tuple[int, float, float, bool], int] = field(default_factory=dict)

    def top(self) -> list[str]:
        """Cells that draw on the layer, by themselves or by what they refer to, and that nothing refers to."""
        below = {group.cell for cell in self.cells.values() for group in cell.references}
        return [name for name in self.cells if name not in below and self.count(name)]

    def count(self, name: str, above: tuple[str, ...] = ()) -> int:
        """The number of polygons that a cell draws with all cells that it refers to; none of them is made.

        Args:
            name: of the cell.
            above: cells that refer to it, from the top.

        Returns:
            The number; 0 for an empty cell.

        Raises:
            InputError: cells refer to each other in a circle or too deep, or to a cell that is not there, or draw
                paths, or more than is read.
        """
        if name in above or len(above) > MAXIMUM_DEPTH:
            raise InputError(f"cells refer to each other in a circle or over more than {MAXIMUM_DEPTH} levels ({name})")
        if name not in self.cells:
            raise InputError(f"a reference to the cell {name!r}, which the file does not hold")
        if name not in self._counts:
            cell = self.cells[name]
            if self.layer in cell.path_layers:
                raise InputError(
                    f"the cell {name!r} draws paths on layer {self.layer[0]}/{self.layer[1]}, not polygons"
                )
            total = int(np.isin(cell.number, cell.polygons_on(self.layer)).sum())
            for group in cell.references:
                total += group.count * self.count(group.cell, (*above, name))
            self._counts[name] = total
            if total > MAXIMUM_SITES or sum(self._counts.values()) > MOST_DRAWN:
                raise InputError(f"{total} polygons below the cell {name!r}; at most {MAXIMUM_SITES} are read")
        return self._counts[name]

    def draw(self, name: str) -> Drawn:
        """All that a cell draws on the layer; count it first.

        Raises:
            InputError: a reference turns or magnifies by what is no number.
        """
        if name not in self._drawn:
            cell = self.cells[name]
            parts = [self._own(cell)]
            parts += [self._referred(group) for group in cell.references if self._counts[group.cell]]
            self._drawn[name] = Drawn.join([part for part in parts if len(part.x)])
        return self._drawn[name]

    def _own(self, cell: Cell) -> Drawn:
        polygons = cell.polygons_on(self.layer)
        numbers = np.full(len(cell.layers), -1)
        numbers[polygons] = self._known() + np.arange(len(polygons))
        drawn = cell.measures[polygons][:, OUTLINE_COLUMNS]
        self.outlines.append(np.append(drawn, np.zeros((len(drawn), 1)), axis=1))
        kept = numbers[cell.number] >= 0
        number = cell.number[kept]
        x, y = (cell.measures[number, 4 + axis] + cell.shift[kept, axis] for axis in (0, 1))
        return Drawn(x, y, numbers[number].astype(np.uint32))

    def _known(self) -> int:
        return sum(len(each) for each in self.outlines)

    def _referred(self, group: References) -> Drawn:
        inner = self.draw(group.cell)
        rotation, scale = group.rotation, group.magnification
        if not np.isfinite(rotation) or not 1e-6 < scale < 1e6:
            raise InputError(f"a reference to {group.cell!r} with rotation {rotation:g} and magnification {scale:g}")
        quarter = rotation / (0.5 * np.pi)
        whole = abs(quarter - round(quarter)) < 1e-9
        # Exact for quarters: the sites of a lens have to meet those of its other quadrants.
        cosine, sine = np.round([np.cos(rotation), np.sin(rotation)]) if whole else (np.cos(rotation), np.sin(rotation))
        up = -inner.y if group.mirrored else inner.y
        # Half a turn leaves all outlines as they are.
        angle = 0.5 * np.pi * (round(quarter) % 2) if whole else rotation % np.pi
        outline = self._outlines_as_referred(inner.outline, angle, scale, group.mirrored)
        origins = group.origins
        copies = len(origins)
        return Drawn(
            (origins[:, :1] + scale * (cosine * inner.x - sine * up)).ravel(),
            (origins[:, 1:] + scale * (sine * inner.x + cosine * up)).ravel(),
            np.tile(outline, copies),
        )

    def _outlines_as_referred(self, outline: np.ndarray, angle: float, scale: float, mirrored: bool) -> np.ndarray:
        """The numbers of the same outlines mirrored, magnified and turned by an angle, 0 to less than half a turn."""
        if angle == 0 and scale == 1 and not mirrored:
            return outline
        flat = np.concatenate(self.outlines)
        numbers, places = np.unique(outline, return_inverse=True)
        made = np.empty(len(numbers), np.uint32)
        for index, number in enumerate(numbers.tolist()):
            key = number, angle, scale, mirrored
            if key not in self._referred_as:
                self._referred_as[key] = self._known()
                self.outlines.append(_transformed(flat[number], angle, scale, mirrored)[None])
            made[index] = self._referred_as[key]
        return made[places]


def _transformed(features: np.ndarray, angle: float, scale: float, mirrored: bool) -> np.ndarray:
    """Features of an outline that is mirrored at the x axis, then magnified and turned."""
    area, moment, width, height, difference, product, aside = features
    quarter = angle == 0.5 * np.pi
    axial = complex(difference, -product if mirrored else product) * (-1.0 if quarter else np.exp(2j * angle))
    box = (height, width) if quarter else (width, height)
    aside = aside if quarter or angle == 0 else 1.0
    powers = scale ** np.array([2, 4, 1, 1, 4, 4, 0])
    return np.array([area, moment, *box, axial.real, axial.imag, aside]) * powers
