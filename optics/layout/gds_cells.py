"""The cells of a GDSII file, read record by record.

A GDSII stream is a chain of records: two bytes of length, one of type, one of the kind of data, and the data (Calma,
GDSII Stream Format Manual, release 6.0). A wrong length puts every record after it out of step, which is how damage
shows, and nothing is asked of memory that the file itself does not hold. A lens has millions of elements that differ in
their coordinates alone; those are taken at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.layout.hierarchy import MAXIMUM_SITES, UNIT_POWERS, Cell, References, Repeated, measure
from metalens.optics.layout.layers import Layer

MAGIC = b"\x00\x06\x00\x02"
"""The header's record: its length and type, and that it holds 16-bit numbers."""

UNITS, END_LIBRARY, BEGIN_CELL, CELL_NAME, END_CELL = 0x03, 0x04, 0x05, 0x06, 0x07
POLYGON, PATH, REFERENCE, ARRAY, TEXT, NODE, BOX = 0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x15, 0x2D
LAYER, DATATYPE, COORDINATES, END_ELEMENT = 0x0D, 0x0E, 0x10, 0x11
WIDTH, PATH_TYPE = 0x0F, 0x21
ROUND_ENDS, SQUARE_ENDS = 1, 2
TARGET, COLUMNS_ROWS, TRANSFORM, MAGNIFICATION, ANGLE = 0x12, 0x13, 0x1A, 0x1B, 0x1C
ELEMENTS = frozenset({POLYGON, PATH, REFERENCE, ARRAY, TEXT, NODE, BOX})
LAST_TYPE, LAST_DATA_KIND = 0x3B, 6
LOOK_AHEAD = 2**16


class _Damage(Exception):
    """The file is damaged; the message says where."""


@dataclass
class _Open:
    """A cell while it is read: polygons in blocks of equal vertices, references by what they refer to and how."""

    name: str = ""
    layers: list[np.ndarray] = field(default_factory=list)
    measures: list[np.ndarray] = field(default_factory=list)
    references: dict[tuple[str, float, float, bool], list[np.ndarray | Repeated]] = field(default_factory=dict)
    path_layers: set[Layer] = field(default_factory=set)

    def closed(self) -> Cell:
        layers = np.concatenate(self.layers) if self.layers else np.zeros((0, 2), np.int64)
        measures = np.concatenate(self.measures) if self.measures else np.zeros((0, len(UNIT_POWERS)))
        groups = (References(key[0], tuple(_joined(parts)), *key[1:]) for key, parts in self.references.items())
        number, shift = np.arange(len(layers)), np.zeros((len(layers), 2))
        return Cell(layers, measures, number, shift, tuple(groups), frozenset(self.path_layers))


def _joined(parts: list[np.ndarray | Repeated]) -> Iterator[np.ndarray | Repeated]:
    """Single references in one array, and the repeated ones."""
    single = [part for part in parts if isinstance(part, np.ndarray)]
    if single:
        yield np.concatenate(single)
    yield from (part for part in parts if isinstance(part, Repeated))


def read_gds_cells(path: Path) -> tuple[dict[str, Cell], float]:
    """The cells of a GDSII file by name, and its grid in metres.

    Raises:
        InputError: it is no whole GDSII file.
    """
    stream = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        return _read(stream)
    except (_Damage, struct.error, UnicodeDecodeError, OverflowError) as error:
        raise InputError(f"{path}: damaged GDSII file: {error}; export or copy it again.") from error


def has_end(path: Path) -> bool:
    """Whether the last four bytes are the record that ends a library; tapes have zeros behind it."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return file.read(4) == bytes([0, 4, END_LIBRARY, 0])


def _read(stream: np.ndarray) -> tuple[dict[str, Cell], float]:
    cells: dict[str, Cell] = {}
    grid, references = 0.0, 0
    current: _Open | None = None
    for kind, begin, end, stride in _parts(stream):
        if kind == UNITS:
            grid = _reals(stream, begin, end, 2)[1]
            if not 1e-15 < grid < 1e-3:
                raise _Damage(f"its grid is {grid:g} m")
        elif kind == BEGIN_CELL:
            current = _Open()
        elif kind == CELL_NAME and current is not None:
            current.name = _name(stream, begin, end)
        elif kind == END_CELL and current is not None:
            if not current.name or current.name in cells or not grid:
                raise _Damage(
                    f"a cell has no name, or the one of another ({current.name!r}), or comes before the units"
                )
            cells[current.name] = current.closed()
            current = None
        elif stride and current is not None:
            references += _add(current, kind, stream[begin:end].reshape(-1, stride), grid)
            if references > MAXIMUM_SITES:
                raise _Damage(f"{references} references; at most {MAXIMUM_SITES} are read")
    return cells, grid


def _parts(stream: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """Records outside elements: type, begin and end of the data, 0.

    And runs of alike elements: type, begin and end of the run, bytes of each element.
    """
    data, size = memoryview(stream.data), len(stream)
    place, in_cell, element = 0, False, -1
    while True:
        if place + 4 > size:
            raise _Damage("it has no end")
        length, kind = data[place] << 8 | data[place + 1], data[place + 2]
        if length < 4 or length % 2 or kind > LAST_TYPE or data[place + 3] > LAST_DATA_KIND:
            raise _Damage(f"byte {place} begins no record")
        if place + length > size:
            raise _Damage(f"it ends in the middle of the record at byte {place}")
        inside = element >= 0
        if (kind in ELEMENTS and (inside or not in_cell)) or (kind == END_ELEMENT and not inside):
            raise _Damage(f"an element begins or ends out of place at byte {place}")
        if kind in (END_LIBRARY, BEGIN_CELL, END_CELL) and (inside or in_cell != (kind == END_CELL)):
            raise _Damage(f"a cell or the library begins or ends out of place at byte {place}")
        if kind == END_LIBRARY:
            return
        if kind in (BEGIN_CELL, END_CELL):
            in_cell = kind == BEGIN_CELL
        if kind in ELEMENTS:
            element = place
        if kind == END_ELEMENT:
            stride = place + length - element
            end = element + stride * (1 + _alike(stream, element, stride))
            yield data[element + 2], element, end, stride
            place, element = end, -1
            continue
        if not inside and kind not in ELEMENTS:
            yield kind, place + 4, place + length, 0
        place += length


def _alike(stream: np.ndarray, start: int, stride: int) -> int:
    """How many elements after the one at ``start`` differ from it in coordinates and in what they refer to alone."""
    count = min((len(stream) - start) // stride, LOOK_AHEAD)
    if count < 2:
        return 0
    fixed = np.ones(stride, dtype=bool)
    for kind, begin, end in _records(stream[start : start + stride]):
        if kind in (COORDINATES, TARGET):
            fixed[begin:end] = False
    # In some files most elements differ from the next one: compare two before comparing thousands.
    for look in (2, count):
        block = stream[start : start + look * stride].reshape(look, stride)[:, fixed]
        same = (block[1:] == block[0]).all(axis=1)
        if not same.all():
            return int(np.argmin(same))
    return len(same)


def _records(element: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Type, begin and end of the data of each record of an element, whose lengths are known to be right."""
    place = 0
    while place < len(element):
        length = int(element[place]) << 8 | int(element[place + 1])
        yield int(element[place + 2]), place + 4, place + length
        place += length


def _add(cell: _Open, kind: int, block: np.ndarray, grid: float) -> int:
    """Take a run of alike elements, ``[element, byte]``, into a cell; tells how many references they are."""
    places = {each: (begin, end) for each, begin, end in _records(block[0])}
    if kind in (POLYGON, PATH):
        layer = (_number(block[0], places, LAYER), _number(block[0], places, DATATYPE))
        measures = _dots(block, places) if kind == PATH else _polygons(block, places, cell.name)
        cell.layers.append(np.tile(np.array(layer), (len(measures), 1)))
        cell.measures.append(measures * grid**UNIT_POWERS)
        if len(measures) < len(block):
            cell.path_layers.add(layer)
        return 0
    return _refer(cell, kind, block, places, grid) if kind in (REFERENCE, ARRAY) else 0


def _polygons(block: np.ndarray, places: dict[int, tuple[int, int]], cell: str) -> np.ndarray:
    """Measures ``[polygon, 8]`` in steps of the grid."""
    points = _coordinates(block, places)[:, :-1]
    if points.shape[1] < 3:
        raise _Damage(f"a polygon of the cell {cell!r} has {points.shape[1]} vertices")
    return measure(points)


def _dots(block: np.ndarray, places: dict[int, tuple[int, int]]) -> np.ndarray:
    """Measures ``[path, 8]`` of paths of no length: round ends make a disc of them, square ones a square.

    Other paths are left out.
    """
    points = _coordinates(block, places)
    begin, end = places.get(WIDTH, (0, 0))
    width = struct.unpack(">i", bytes(block[0, begin:end]))[0] if WIDTH in places else 0
    ends = _number(block[0], places, PATH_TYPE) if PATH_TYPE in places else 0
    # A negative width is not scaled by magnification; no lens needs that.
    if ends not in (ROUND_ENDS, SQUARE_ENDS) or width <= 0:
        return np.zeros((0, len(UNIT_POWERS)))
    centre = points[(points == points[:, :1]).all(axis=(1, 2)), 0]
    area = 0.25 * np.pi * width**2 if ends == ROUND_ENDS else float(width**2)
    moment = area**2 / (2 * np.pi) if ends == ROUND_ENDS else area**2 / 6
    told = np.tile([area, moment, width, width], (len(centre), 1))
    return np.concatenate([told, centre, np.zeros((len(centre), 2))], axis=1)


def _refer(cell: _Open, kind: int, block: np.ndarray, places: dict[int, tuple[int, int]], grid: float) -> int:
    """Take references into a cell; tells how many they are."""
    if TARGET not in places:
        raise _Damage(f"a reference in the cell {cell.name!r} names no cell")
    corners, total = _coordinates(block, places) * grid, 0
    turn = _transform(block[0], places)
    begin, end = places[TARGET]
    for name, which in _by_name(block[:, begin:end]):
        found = _array(corners[which], block[0], places) if kind == ARRAY else corners[which][:, 0]
        cell.references.setdefault((name, *turn), []).append(found)
        total += len(found)
    return total


def _by_name(names: np.ndarray) -> Iterator[tuple[str, np.ndarray | slice]]:
    """The cells that elements refer to, ``[element, byte]``, each with its elements."""
    if names.shape[1] == 0:
        raise _Damage("a reference names no cell")
    if (names == names[0]).all():
        yield _name(names[0], 0, names.shape[1]), slice(None)
        return
    words = np.ascontiguousarray(names).view(f"V{names.shape[1]}").ravel()
    each, place = np.unique(words, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    for word, begin, end in zip(each, [0, *ends[:-1]], ends, strict=True):
        yield bytes(word).rstrip(b"\0").decode("ascii"), order[begin:end]


def _transform(first: np.ndarray, places: dict[int, tuple[int, int]]) -> tuple[float, float, bool]:
    """Turn in radians, magnification, and whether it is mirrored."""
    mirrored = TRANSFORM in places and bool(_number(first, places, TRANSFORM) & 0x8000)
    scale = _reals(first, *places[MAGNIFICATION], 1)[0] if MAGNIFICATION in places else 1.0
    angle = _reals(first, *places[ANGLE], 1)[0] if ANGLE in places else 0.0
    return float(np.radians(angle)), scale, mirrored


def _array(corners: np.ndarray, first: np.ndarray, places: dict[int, tuple[int, int]]) -> Repeated:
    """An array's members: from its origin and where the columns and the rows would go on."""
    if COLUMNS_ROWS not in places or corners.shape[1] != 3:
        raise _Damage("an array without columns, rows and three corners")
    begin, end = places[COLUMNS_ROWS]
    columns, rows = struct.unpack(">2h", bytes(first[begin:end]))
    if columns < 1 or rows < 1:
        raise _Damage(f"an array of {columns} × {rows}")
    origin, along, across = np.moveaxis(corners, 1, 0)
    return Repeated(origin, (along - origin) / columns, (across - origin) / rows, columns, rows)


def _coordinates(block: np.ndarray, places: dict[int, tuple[int, int]]) -> np.ndarray:
    """``[element, point, 2]`` (x, y) in steps of the grid."""
    if COORDINATES not in places:
        raise _Damage("an element has no coordinates")
    begin, end = places[COORDINATES]
    if begin == end or (end - begin) % 8:
        raise _Damage(f"coordinates of {end - begin} bytes")
    numbers = np.ascontiguousarray(block[:, begin:end]).view(">i4")
    return numbers.reshape(len(block), -1, 2).astype(np.float64)


def _number(first: np.ndarray, places: dict[int, tuple[int, int]], kind: int) -> int:
    if kind not in places:
        raise _Damage(f"an element lacks its record of type {kind}")
    begin, end = places[kind]
    return int(struct.unpack(">H", bytes(first[begin:end]))[0])


def _name(data: np.ndarray, begin: int, end: int) -> str:
    return bytes(data[begin:end]).rstrip(b"\0").decode("ascii")


def _reals(data: np.ndarray, begin: int, end: int, count: int) -> list[float]:
    """Numbers of a sign bit, an exponent of 16 in excess of 64, and 56 bits of mantissa."""
    words = struct.unpack(f">{count}Q", bytes(data[begin:end]))
    return [
        (-1.0 if word >> 63 else 1.0) * (word & (2**56 - 1)) / 2.0**56 * 16.0 ** ((word >> 56 & 0x7F) - 64)
        for word in words
    ]
