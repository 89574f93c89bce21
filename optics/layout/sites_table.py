"""CSV files of sites: a line a meta-atom, its place and its lengths.

The first line names the columns, ``x_um,y_um`` and the lengths in nm, such as ``diameter_nm``. As in layouts, y points
up, from the origin at the lens' centre. Turned meta-atoms have ``rotation_deg``, anticlockwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from metalens.formats.camera.structure import EMPTY, TURNABLE, Structure
from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.text_file import cells_of, header_of, numbers_of, text_lines
from metalens.formats.meta_atoms.families import families_of, family_of
from metalens.formats.meta_atoms.library import Lattice
from metalens.formats.meta_atoms.shapes import MIXED, PARAMETERS, Kind, Shape, parameters_of
from metalens.optics.layout.hierarchy import MAXIMUM_SITES
from metalens.optics.layout.lattice import sites_on_lattice
from metalens.optics.layout.recognition import Made, Recognised, half_turns, recognised

MICRO, NANO = 1e-6, 1e-9
LARGEST_FILE = 2**31

TOLERANCE = 2e-9
"""Tolerance of a position in metres: tables are often rounded to whole nanometres."""

RADIUS, ROTATION, FAMILY = "radius_nm", "rotation_deg", "family"
PILLARS: tuple[Shape, ...] = ("round_pillar", "square_pillar", "rectangular_pillar", "annular_pillar")

ANGLE_TOLERANCE = 1e-3
"""Tolerance of an angle in radians: tables hold decimals of degrees."""

LARGEST_NUMBER = 1e9
"""Largest magnitude of a place in µm or a length in nm: a kilometre, a metre."""


def write_sites_table(path: str | os.PathLike[str], structure: Structure) -> int:
    """Write a line for each meta-atom, row by row; the file appears whole or not at all.

    Args:
        path: of the new file.
        structure: which meta-atom stands at each site.

    Returns:
        How many there are.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    lengths, names = _lengths(structure)
    total = 0
    with atomic_file(path) as part, part.open("w", encoding="ascii") as file:
        file.writelines(f"# {remark}\n" for remark in _remarks(structure))
        file.write(f"x_um,y_um,{names}\n")
        for lines in _rows(structure, lengths):
            file.writelines(lines)
            total += len(lines)
    return total


def _lengths(structure: Structure) -> tuple[list[str], str]:
    """``[atom]`` what stands behind the place of each meta-atom, and the names of these columns."""
    columns = [[_decimal(each / NANO, 4) for each in column] for column in structure.geometry.T.tolist()]
    names = [f"{name}_nm" for name in structure.parameter_names]
    if structure.family is not None:
        columns.insert(0, [str(number + 1) for number in structure.family.tolist()])
        names.insert(0, FAMILY)
    turned = turns_of(structure)
    if structure.rotation is not None or turned.any():
        half = np.pi if structure.rotation is not None else 2 * np.pi
        columns.append([_decimal(angle, 4) for angle in np.degrees(turned % half).tolist()])
        names.append(ROTATION)
    return [",".join(row) for row in zip(*columns, strict=True)], ",".join(names)


def turns_of(structure: Structure) -> np.ndarray:
    """``[atom]`` angles by which meta-atoms are turned, anticlockwise as layouts are seen, in radians."""
    if structure.rotation is not None:
        return -structure.rotation
    return np.array([family_of(structure, atom).rotation for atom in range(len(structure.geometry))])


def _remarks(structure: Structure) -> Iterator[str]:
    """What the columns do not tell: which family has which shape, and the corners of polygons."""
    for number, family in enumerate(families_of(structure), start=1):
        of_family = f"{FAMILY} {number}: " if structure.family is not None else ""
        if of_family:
            lengths = zip(structure.parameter_names, PARAMETERS[family.shape], strict=False)
            told = ", ".join(f"{column}_nm is its {name}" for column, name in lengths)
            yield f"{of_family}{family.shape}, {told}"
        if family.vertices is not None:
            corners = family.upright().outline(np.ones(1))
            told = ", ".join(f"{_decimal(x, 6)} {_decimal(y, 6)}" for x, y in corners.tolist())
            yield f"{of_family}corners of the outline about its site, x y over its size, y up: {told}"


def _rows(structure: Structure, lengths: list[str]) -> Iterator[list[str]]:
    """The lines of each row of sites."""
    columns: dict[int, list[str]] = {}
    for row, index in enumerate(structure.site_index):
        y, x = structure.positions(slice(row, row + 1))
        # Rows of one kind have the same columns; a hexagonal lattice has two kinds.
        places = columns.setdefault(row % 2, [_decimal(each / MICRO, 6) for each in x[0]])
        height = _decimal(-y[0, 0] / MICRO, 6)
        used = np.flatnonzero(index != EMPTY)
        atoms = index[used].tolist()
        yield [f"{places[site]},{height},{lengths[atom]}\n" for site, atom in zip(used.tolist(), atoms, strict=True)]


def _decimal(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def is_sites_table(first_line: str) -> bool:
    """Whether a file that begins with this line is one of sites; in other units than these it is refused as one."""
    return {"x", "y"} <= {name.lower().partition("_")[0] for name in cells_of(first_line)}


def read_sites_table(
    path: str | os.PathLike[str], made: Made, *, pitch: float | None = None, lattice: Lattice | None = None
) -> Recognised:
    """The structure of a table of sites.

    Args:
        path: the table; columns may be in any order, ``radius_nm`` may stand for ``diameter_nm``, and rectangles may
            have ``rotation_deg``.
        made: what it is made of.
        pitch: in metres; None finds it.
        lattice: None finds it.

    Returns:
        The structure, the disc that it fills, and its deviations from the lattice, in metres.

    Raises:
        InputError: the table is missing, too large, or no table of sites on a lattice.
    """
    target = Path(path)
    try:
        lines = text_lines(target, "table of sites", largest=LARGEST_FILE)
        names = header_of(lines)
        shape, order = _columns(names, made)
        table = numbers_of(islice(lines, MAXIMUM_SITES + 1), columns=len(names))[:, order]
        if len(table) > MAXIMUM_SITES:
            raise InputError(f"holds more than {MAXIMUM_SITES} sites")
        if not (np.abs(table) <= LARGEST_NUMBER).all():
            raise InputError(f"holds numbers that are not finite, or beyond {LARGEST_NUMBER:g}")
        if RADIUS in names:
            table[:, 2] *= 2
        return _of_table(table, shape, made, pitch, lattice)
    except ValueError as error:
        said = str(error).removeprefix(f"{target}: ").rstrip(".")
        raise InputError(f"{target}: {said}.") from error


def _columns(names: list[str], made: Made) -> tuple[Kind, list[int]]:
    """The shape whose lengths the columns hold, and the numbers of the columns that are read."""
    wanted = made.shape
    lengths = {name.replace(RADIUS, "diameter_nm") for name in names} - {"x_um", "y_um"}
    for shape in PILLARS if wanted is None else (wanted,):
        expected = [f"{name}_nm" for name in parameters_of(shape)]
        if shape == MIXED:
            expected.append(FAMILY)
        if (made.families or shape in TURNABLE) and ROTATION in names:
            expected.append(ROTATION)
        if set(expected) == lengths and len(names) == 2 + len(expected) and {"x_um", "y_um"} <= set(names):
            found = [name.replace(RADIUS, "diameter_nm") for name in names]
            return shape, [found.index(name) for name in ("x_um", "y_um", *expected)]
    example = parameters_of(wanted or "round_pillar")
    family = f"{FAMILY}," if wanted == MIXED else ""
    raise InputError(
        f"the columns are {','.join(names)[:80]!r}; x_um,y_um and the lengths were expected, such as "
        f"x_um,y_um,{family}{','.join(f'{name}_nm' for name in example)}"
    )


def _of_table(table: np.ndarray, shape: Kind, made: Made, pitch: float | None, lattice: Lattice | None) -> Recognised:
    end = 2 + len(parameters_of(shape))
    # Those of a mixed geometry that a shape does not have are 0.
    lacking = table[:, 2:end] < 0 if shape == MIXED else table[:, 2:end] <= 0
    if not len(table) or lacking.any():
        raise InputError("holds no sites, or lengths that are not positive")
    each, outline = np.unique(table[:, 2:], axis=0, return_inverse=True)
    lengths, beside = each[:, : end - 2] * NANO, each[:, end - 2 :]
    family = None
    if shape == MIXED:
        family, beside = _families(beside[:, 0], made), beside[:, 1:]
    rotation = _beside_the_family(np.radians(beside[:, 0]), made, family) if beside.shape[1] else None
    sites = sites_on_lattice(
        -table[:, 1] * MICRO, table[:, 0] * MICRO, tolerance=TOLERANCE, pitch=pitch, lattice=lattice
    )
    return recognised(sites, outline.ravel(), lengths, replace(made, shape=shape), rotation=rotation, family=family)


def _families(column: np.ndarray, made: Made) -> np.ndarray:
    """``[geometry]`` numbers of families from 0."""
    wrong = column[(column != np.rint(column)) | (column < 1) | (column > len(made.families))]
    if wrong.size:
        raise InputError(
            f"{FAMILY} is {wrong[0]:g}, and the library has {len(made.families)}, counted from 1; name another with "
            "--library"
        )
    return np.asarray(column.astype(np.int64) - 1)


def _beside_the_family(angle: np.ndarray, made: Made, family: np.ndarray | None) -> np.ndarray | None:
    """Turns from x towards y beside the library's own, of anticlockwise angles; None where all stand as there."""
    if not made.families:
        return half_turns(-angle)
    known = np.array([each.rotation for each in made.families])[0 if family is None else family]
    aside = (angle - known + np.pi) % (2 * np.pi) - np.pi
    if np.abs(aside).max() > ANGLE_TOLERANCE:
        worst = int(np.abs(aside).argmax())
        raise InputError(
            f"a meta-atom is turned by {np.degrees(angle[worst]):g}°, and the library's by "
            f"{np.degrees(np.broadcast_to(known, angle.shape)[worst]):g}°; name another with --library"
        )
    return None
