"""The lattice that positions lie on, found or given, and the row and column of each of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metalens.formats.camera.structure import row_pitch_of
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Lattice

LARGEST_READ = 16_384
"""Sites a side of what is read: two meta-atoms far apart make an array of half a gigabyte, not more."""

LARGEST_STRAY = 0.1
"""How far a site may lie from its place, in pitches."""

RATIO_TOLERANCE = 0.03
"""How far the ratio of row and column distances may be from that of a lattice."""

ROUND_PITCHES = (10e-9, 5e-9, 1e-9, 0.5e-9, 0.1e-9)
"""A pitch that was found is rounded to the first of these, in metres, that leaves all positions in their places."""

REMEDY = "give --pitch-nm and --lattice, or name the layer and cell that hold the meta-atoms alone"


@dataclass(frozen=True)
class LatticeSites:
    """Positions as sites of a lattice around the lens' centre.

    Attributes:
        lattice: of the sites.
        pitch: in metres.
        row: ``[site]`` from the top.
        column: ``[site]`` from the left.
        size: rows and columns of the smallest array around the centre that holds them all.
        shift: (y, x) in metres from the centre that was wanted to the array's: a quarter of a pitch at most.
        stray: largest distance in metres, along an axis, of a position from its site.
    """

    lattice: Lattice
    pitch: float
    row: np.ndarray
    column: np.ndarray
    size: tuple[int, int]
    shift: tuple[float, float]
    stray: float


@dataclass(frozen=True)
class _Steps:
    """Positions along one axis as whole steps from a start."""

    number: np.ndarray
    start: float
    length: float


def sites_on_lattice(
    y: np.ndarray,
    x: np.ndarray,
    *,
    tolerance: float,
    centre: tuple[float, float] | None = None,
    pitch: float | None = None,
    lattice: Lattice | None = None,
) -> LatticeSites:
    """Find the row and column of each position. Rows run along x.

    Args:
        y: ``[site]`` in metres, downwards.
        x: ``[site]``.
        tolerance: in metres, what rounding may have done to a position.
        centre: (y, x) of the lens; None takes the origin if it lies near the middle of the sites, else their middle.
        pitch: in metres; None finds it.
        lattice: None finds it.

    Returns:
        Row and column of each position, and its largest distance in metres from a site.

    Raises:
        InputError: there are too few sites to find a lattice, they lie on none, or two lie on one site.
    """
    kind, found = lattice, pitch
    if kind is None or found is None:
        rows, columns = _found_steps(y, tolerance), _found_steps(x, tolerance)
        # On a hexagonal lattice the columns of all rows together are half a pitch apart.
        kind = kind or _lattice(rows.length / (columns.length if found is None else found), of_pitch=found is not None)
        found = found or _pitch(y, x, rows, columns, kind, tolerance)
    return _placed(y, x, kind, found, _centre(y, x, found) if centre is None else centre)


def _found_steps(values: np.ndarray, tolerance: float) -> _Steps:
    """Steps along an axis whose length is not known: the smallest distance of two values that differ."""
    levels = np.unique(np.rint(values / tolerance)) * tolerance
    breaks = np.flatnonzero(np.diff(levels) > 3 * tolerance)
    if not len(breaks):
        raise InputError(f"the sites lie in one row or column, which tells no lattice; {REMEDY}")
    starts, ends = np.r_[0, breaks + 1], np.r_[breaks, len(levels) - 1]
    middle = 0.5 * (levels[starts] + levels[ends])
    gaps = np.diff(middle)
    length = float(np.median(gaps[gaps < 1.5 * gaps.min()]))
    # Counted gap by gap, so that an error of the length does not accumulate; then a line is fitted through all.
    number = np.r_[0, np.cumsum(np.rint(gaps / length))]
    slope, start = np.polyfit(number, middle, 1)
    steps = np.rint((values - start) / slope)
    # Levels are merged within the tolerance; a fit to the values themselves gives the length more accurately.
    away = steps - steps.mean()
    slope = float(away @ (values - values.mean()) / (away @ away))
    return _Steps(steps.astype(np.int64), float(values.mean() - slope * steps.mean()), slope)


def _given_steps(values: np.ndarray, length: float) -> _Steps:
    """Steps of a given length."""
    start = float(values.min())
    number = np.rint((values - start) / length)
    start += float(np.mean(values - start - number * length))
    return _Steps(np.rint((values - start) / length).astype(np.int64), start, length)


def _lattice(ratio: float, *, of_pitch: bool) -> Lattice:
    """By the distance of rows over that of columns, or over the pitch."""
    hexagonal = math.sqrt(0.75) * (1 if of_pitch else 2)
    if abs(ratio - 1) < RATIO_TOLERANCE:
        return "square"
    if abs(ratio / hexagonal - 1) < RATIO_TOLERANCE:
        return "hexagonal"
    raise InputError(
        f"rows whose distance is {ratio:.3g} times that of the columns are neither a square nor a hexagonal lattice; "
        f"{REMEDY}"
    )


def _pitch(y: np.ndarray, x: np.ndarray, rows: _Steps, columns: _Steps, kind: Lattice, tolerance: float) -> float:
    """The pitch from both axes, each counted by the steps that it spans; a round number if that fits as well."""
    row_part, column_part = row_pitch_of(kind, 1.0), 0.5 if kind == "hexagonal" else 1.0
    pitches = rows.length / row_part, columns.length / column_part
    found = float(np.average(pitches, weights=[np.ptp(each.number) for each in (rows, columns)]))
    if abs(pitches[0] - pitches[1]) > RATIO_TOLERANCE * found:
        raise InputError(
            f"rows and columns tell pitches of {1e9 * pitches[0]:.4g} and {1e9 * pitches[1]:.4g} nm on a {kind} "
            f"lattice; {REMEDY}"
        )

    def stray(pitch: float) -> float:
        return max(_stray(y, row_part * pitch), _stray(x, column_part * pitch))

    # A round pitch is taken if the positions lie on its sites as well as on those of the fitted one.
    allowed = min(0.5 * tolerance, stray(found) + 0.1 * tolerance)
    for unit in ROUND_PITCHES:
        nice = max(round(found / unit), 1) * unit
        if abs(nice - found) < RATIO_TOLERANCE * found and stray(nice) <= allowed:
            return nice
    return found


def _stray(values: np.ndarray, length: float) -> float:
    steps = _given_steps(values, length)
    return float(np.abs(values - steps.start - steps.number * length).max())


def _centre(y: np.ndarray, x: np.ndarray, pitch: float) -> tuple[float, float]:
    """The origin, or the middle of the sites if that is farther away than missing meta-atoms explain."""
    middle = [0.5 * (each.min() + each.max()) for each in (y, x)]
    sizes = [np.ptp(each) for each in (y, x)]
    if all(abs(place) <= 0.05 * size + 1.5 * pitch for place, size in zip(middle, sizes, strict=True)):
        return 0.0, 0.0
    return float(middle[0]), float(middle[1])


def _placed(y: np.ndarray, x: np.ndarray, kind: Lattice, pitch: float, centre: tuple[float, float]) -> LatticeSites:
    """Rows and columns of the smallest array around the centre."""
    row_length = row_pitch_of(kind, pitch)
    rows = _given_steps(y, row_length)
    half = kind == "hexagonal"
    columns = _given_steps(x, 0.5 * pitch if half else pitch)
    stray = max(
        float(np.abs(values - each.start - each.number * each.length).max())
        for values, each in ((y, rows), (x, columns))
    )
    if stray > LARGEST_STRAY * pitch:
        raise InputError(
            f"a meta-atom lies {1e9 * stray:.3g} nm off the {kind} lattice with a pitch of {1e9 * pitch:.5g} nm, more "
            f"than {100 * LARGEST_STRAY:.0f} % of it; {REMEDY}"
        )
    first_row, row_count, shift_y = _array(rows.number, rows.start, row_length, centre[0])
    row = rows.number - first_row
    column, start = columns.number, columns.start
    if half:
        column, start = _hexagonal_columns(column, row, start, pitch)
    first_column, column_count, shift_x = _array(column, start, pitch, centre[1])
    column = column - first_column
    _check_once(row, column, (row_count, column_count))
    return LatticeSites(kind, pitch, row, column, (row_count, column_count), (shift_y, shift_x), stray)


def _hexagonal_columns(step: np.ndarray, row: np.ndarray, start: float, pitch: float) -> tuple[np.ndarray, float]:
    """Columns from half steps, and where the middle of both kinds of rows has its column 0."""
    odd = row % 2
    parity = int((step[0] - odd[0]) % 2)
    if ((step - odd) % 2 != parity).any():
        raise InputError(
            f"rows that do not lie half a pitch beside their neighbours are no hexagonal lattice; {REMEDY}"
        )
    return (step - parity - odd) // 2, start + (0.5 * parity + 0.25) * pitch


def _array(number: np.ndarray, start: float, length: float, centre: float) -> tuple[int, int, float]:
    """First number and length of the smallest array that holds all of them and has the centre in its middle."""
    twice = round(2 * (centre - start) / length)
    first = min(int(number.min()), twice - int(number.max()))
    count = twice - 2 * first + 1
    if count > LARGEST_READ:
        raise InputError(
            f"the sites span {count} rows or columns around the lens' centre; at most {LARGEST_READ} are read"
        )
    return first, count, start + 0.5 * twice * length - centre


def _check_once(row: np.ndarray, column: np.ndarray, size: tuple[int, int]) -> None:
    taken = np.zeros(size, dtype=bool)
    taken[row, column] = True
    if int(taken.sum()) < len(row):
        raise InputError(f"{len(row) - int(taken.sum())} meta-atoms stand on a site that has one already; {REMEDY}")
