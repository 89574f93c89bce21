"""The structure of a layout or a table: assignment of meta-atoms to sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Lattice
from metalens.formats.meta_atoms.shapes import MIXED, Family, Kind, parameters_of
from metalens.optics.layout.hierarchy import Drawn
from metalens.optics.layout.lattice import LatticeSites, sites_on_lattice
from metalens.optics.layout.matching import match
from metalens.optics.layout.outlines import MATCHED, OUTLINE_OF, RECTANGULAR, ROUND, Outlines, recognise, shape_of
from metalens.optics.layout.reading import DrawnAtoms
from metalens.optics.structure.lattice import cell_reach

FINEST_STEP = 1e-14
"""Lengths in metres that differ by less are equal: rounding of the last digits."""

LARGEST_SPACINGS = 3
"""Mean spacings, above which a polygon is no meta-atom."""

SKIPPED_PERCENT = 1
"""Percentage of the places on each side, by which the meta-atoms' spread is not judged: marks may stand far off."""

LISTED = 4


@dataclass(frozen=True)
class Made:
    """Height and materials of meta-atoms, which layouts and tables do not contain.

    Attributes:
        height: in metres.
        material: of the meta-atoms.
        substrate: below them.
        library_name: the library of their transmission.
        library_sha256: of that library.
        shape: of the meta-atoms; None takes pillars of the outline that is found.
        families: shape, turn and vertices of the library's meta-atoms; none takes upright ones.
        geometry: ``[atom, parameter]`` of the library's meta-atoms in metres; outlines are matched to them where area
            and moments do not tell the lengths.
        family: ``[atom]`` number of each one's family; None of one family.
    """

    height: float
    material: str = ""
    substrate: str = ""
    library_name: str = ""
    library_sha256: str = ""
    shape: Kind | None = None
    families: tuple[Family, ...] = ()
    geometry: np.ndarray | None = None
    family: np.ndarray | None = None


@dataclass(frozen=True)
class Recognised:
    """A recognised structure, and its deviations from what was read.

    Attributes:
        structure: a meta-atom at each site.
        diameter: of the disc that holds the meta-atoms, in metres: the boundary's, or of the largest disc that they
            fill; 0 if they fill none.
        shift: (y, x) in metres of the lens' centre on its way to the nearest site or middle between sites.
        stray: largest distance in metres of a meta-atom from its site.
        aside: polygons that were left out, as much larger than the spacing, in words.
    """

    structure: Structure
    diameter: float
    shift: tuple[float, float]
    stray: float
    aside: tuple[str, ...] = ()

    def outside(self, diameter: float) -> int:
        """How many meta-atoms stand wholly beyond an aperture of this diameter in metres."""
        y, x = self.structure.positions()
        reach = float(cell_reach(self.structure.lattice, self.structure.pitch))
        beyond = np.hypot(y, x) > 0.5 * diameter + reach + 1e-3 * self.structure.pitch
        return int((beyond & (self.structure.site_index != EMPTY)).sum())


def structure_of_layout(
    atoms: DrawnAtoms, made: Made, *, pitch: float | None = None, lattice: Lattice | None = None
) -> Recognised:
    """The structure that a layout draws.

    Args:
        atoms: what was read.
        made: what it is made of.
        pitch: in metres; None finds it.
        lattice: None finds it.

    Returns:
        The structure, the disc that it fills, its deviations in metres and the polygons left out.

    Raises:
        InputError: outlines are of no known or of different shapes, or their places lie on no lattice.
    """
    atoms, aside = _without_frames(atoms)
    used, outline = np.unique(atoms.drawn.outline, return_inverse=True)
    if made.shape == MIXED or OUTLINE_OF.get(made.shape or "") in MATCHED:
        outlines = _as_the_librarys(atoms.outlines[used], made, 2 * atoms.grid)
    else:
        outlines = _as_asked(recognise(atoms.outlines[used], 2 * atoms.grid), made.shape)
    shape = made.shape or shape_of(outlines.kind, holes=False)
    centre = None if atoms.boundary is None else (-atoms.boundary[1], atoms.boundary[0])
    sites = sites_on_lattice(
        -atoms.drawn.y, atoms.drawn.x, tolerance=2 * atoms.grid, centre=centre, pitch=pitch, lattice=lattice
    )
    diameter = None if atoms.boundary is None else atoms.boundary[2]
    # Layouts turn anticlockwise with y up; a structure turns from x towards y, which points down.
    turned = None if outlines.rotation is None else half_turns(-outlines.rotation)
    found = recognised(
        sites, outline, outlines.lengths, replace(made, shape=shape), diameter, rotation=turned, family=outlines.family
    )
    return replace(found, aside=aside)


def _without_frames(atoms: DrawnAtoms) -> tuple[DrawnAtoms, tuple[str, ...]]:
    """What is drawn without polygons much larger than the meta-atoms' spacing, and the sizes of those, in words.

    They are outlines of a substrate, of a die or of an aperture that share the layer with the meta-atoms.
    """
    drawn = atoms.drawn
    spread = [np.ptp(np.percentile(each, (SKIPPED_PERCENT, 100 - SKIPPED_PERCENT))) for each in (drawn.x, drawn.y)]
    spacing = np.sqrt(float(np.prod(spread)) / len(drawn.x))
    sides = atoms.outlines[:, 2:4]
    large = sides.max(axis=1) > LARGEST_SPACINGS * spacing
    kept = ~large[drawn.outline]
    if not spacing or kept.all() or not kept.any():
        return atoms, ()
    left = np.round(1e6 * sides[drawn.outline[~kept]], 4)
    every = zip(*np.unique(left, axis=0, return_counts=True), strict=True)
    sizes = [f"{count} of {width:.4g} × {height:.4g} µm" for (width, height), count in every]
    more = (f"{len(sizes) - LISTED} other sizes",) if len(sizes) > LISTED else ()
    columns = (getattr(drawn, name)[kept] for name in ("x", "y", "outline"))
    return replace(atoms, drawn=Drawn(*columns)), (*sizes[:LISTED], *more)


def half_turns(angle: np.ndarray) -> np.ndarray:
    """Angles in radians that turn a rectangle alike, from 0 to less than π.

    Args:
        angle: ``[...]``.
    """
    found = angle % np.pi
    # The remainder of a tiny negative angle is π itself.
    return np.where(found < np.pi, found, 0.0)


def _as_asked(found: Outlines, shape: Kind | None) -> Outlines:
    """Outlines as the shape that was asked for: squares are rectangles, too."""
    if shape is None or OUTLINE_OF.get(shape) == found.kind:
        return found
    if OUTLINE_OF.get(shape) != RECTANGULAR or found.kind == ROUND or found.lengths.shape[1] != 1:
        raise InputError(f"the outlines are {found.kind}, those of a {shape} were expected; give another --library")
    return Outlines(RECTANGULAR, np.repeat(found.lengths, 2, axis=1))


def _as_the_librarys(features: np.ndarray, made: Made, tolerance: float) -> Outlines:
    """Outlines that are matched to the library's meta-atoms, whose lengths they get."""
    assert made.shape is not None
    assert made.geometry is not None
    number, rotation = match(features, _Table(made.shape, made.families, made.geometry, made.family), tolerance)
    return Outlines(
        made.shape,
        made.geometry[number],
        None if rotation is None else half_turns(rotation),
        None if made.family is None else made.family[number],
    )


@dataclass(frozen=True)
class _Table:
    shape: Kind
    families: tuple[Family, ...]
    geometry: np.ndarray
    family: np.ndarray | None


def recognised(
    sites: LatticeSites,
    outline: np.ndarray,
    lengths: np.ndarray,
    made: Made,
    diameter: float | None = None,
    *,
    rotation: np.ndarray | None = None,
    family: np.ndarray | None = None,
) -> Recognised:
    """A structure of sites.

    Args:
        sites: where meta-atoms stand.
        outline: ``[site]`` which lengths each has.
        lengths: ``[outline, parameter]`` in metres.
        made: what it is made of, with its shape.
        diameter: of the aperture in metres; None takes the disc that they fill.
        rotation: ``[outline]`` from x towards y in radians, 0 to π; None where all stand upright.
        family: ``[outline]`` number of each one's family; None of one family.

    Returns:
        The structure, the disc that it fills, and its deviations from the lattice, in metres.

    Raises:
        InputError: there are more geometries than a structure holds, or they are larger than the pitch.
    """
    shape = made.shape
    assert shape is not None
    columns = lengths if rotation is None else np.append(lengths, rotation[:, None], axis=1)
    if family is not None:
        columns = np.append(columns, family[:, None], axis=1)
    geometry, which = _geometries(columns, outline)
    if rotation is not None:
        geometry, rotation = np.ascontiguousarray(geometry[:, :-1]), half_turns(geometry[:, -1])
    if family is not None:
        geometry, family = np.ascontiguousarray(geometry[:, :-1]), np.rint(geometry[:, -1]).astype(np.int64)
    index = np.full(sites.size, EMPTY, dtype=np.uint16)
    index[sites.row, sites.column] = which
    structure = Structure(
        lattice=sites.lattice,
        pitch=sites.pitch,
        site_index=index,
        geometry=geometry,
        rotation=rotation,
        family=family,
        parameter_names=parameters_of(shape),
        shape=shape,
        height=made.height,
        material=made.material,
        substrate=made.substrate,
        library_name=made.library_name,
        library_sha256=made.library_sha256,
        families=made.families,
    )
    return Recognised(structure, diameter or _diameter(structure), sites.shift, sites.stray)


def _geometries(lengths: np.ndarray, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different geometries, ascending, and the number of each site's."""
    step = FINEST_STEP
    while True:
        rounded, number = np.unique(np.rint(lengths / step), axis=0, return_inverse=True)
        used, which = np.unique(number.ravel()[outline], return_inverse=True)
        if len(used) < EMPTY:
            return np.ascontiguousarray(rounded[used] * step), which.astype(np.uint16)
        # As many geometries as sites, such as measured ones: rounded until they fit.
        step *= 10
        if step > 1e-9:
            raise InputError(f"{len(used)} different geometries; a structure holds {EMPTY - 1} at most")


def _diameter(structure: Structure) -> float:
    """Diameter of the largest disc that meta-atoms fill, their cells reaching beyond its rim; 0 if they fill none.

    Sites that are left out inside a lens are no rim: only those count from which a way leads out over empty sites.
    """
    # The first sites beyond the array are empty too.
    taken = np.pad(structure.site_index != EMPTY, 1)
    numbers, _ = ndimage.label(~taken)
    outside = numbers == numbers[0, 0]
    rim = min(float(away[row].min(initial=np.inf)) for away, row in zip(_distances(structure), outside, strict=True))
    farthest = max(
        float(away[row & (away <= rim + FINEST_STEP)].max(initial=-1.0))
        for away, row in zip(_distances(structure), taken, strict=True)
    )
    if farthest < 0:
        return 0.0
    return 2 * max(farthest - float(cell_reach(structure.lattice, structure.pitch)), 0.25 * structure.pitch)


def _distances(structure: Structure) -> Iterator[np.ndarray]:
    """From the centre, row by row, in metres; with a row and a column more on each side."""
    y, x = structure.positions(slice(0, 2))
    x = np.concatenate([x[:, :1] - structure.pitch, x, x[:, -1:] + structure.pitch], axis=1)
    for row in range(-1, structure.site_index.shape[0] + 1):
        yield np.hypot(y[0, 0] + row * structure.row_pitch, x[row % len(x)])
