"""From what a layout or a table says to a structure: which meta-atom stands at which site."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import PARAMETERS, Lattice, Shape
from metalens.optics.layout.lattice import LatticeSites, sites_on_lattice
from metalens.optics.layout.outlines import ANNULAR, OUTLINE_OF, RECTANGULAR, ROUND, recognise, shape_of
from metalens.optics.layout.reading import DrawnAtoms
from metalens.optics.structure.lattice import cell_reach

FINEST_STEP = 1e-14
"""Lengths that differ by less are one, in metres: rounding in the last digits."""


@dataclass(frozen=True)
class Made:
    """What meta-atoms are made of, which neither a layout nor a table says.

    Attributes:
        height: in metres.
        material: of the meta-atoms.
        substrate: below them.
        library_name: the library that tells what they do to light.
        library_sha256: of that library.
        shape: of the meta-atoms; None takes pillars of the outline that is found.
    """

    height: float
    material: str = ""
    substrate: str = ""
    library_name: str = ""
    library_sha256: str = ""
    shape: Shape | None = None


@dataclass(frozen=True)
class Recognised:
    """A structure, and how well what was read fits it.

    Attributes:
        structure: a meta-atom at each site.
        diameter: of the disc that holds the meta-atoms, in metres: the boundary's, or of the disc that they fill.
        shift: (y, x) in metres of the lens' centre on its way to the nearest site or middle between sites.
        stray: largest distance in metres of a meta-atom from its site.
    """

    structure: Structure
    diameter: float
    shift: tuple[float, float]
    stray: float


def structure_of_layout(
    atoms: DrawnAtoms, made: Made, *, pitch: float | None = None, lattice: Lattice | None = None
) -> Recognised:
    """The structure that a layout draws.

    Args:
        atoms: what was read.
        made: what it is made of.
        pitch: in metres; None finds it.
        lattice: None finds it.

    Raises:
        InputError: outlines are of no known or of different shapes, or their places lie on no lattice.
    """
    used, outline = np.unique(atoms.drawn.outline, return_inverse=True)
    kind, lengths = recognise(atoms.outlines[used], 2 * atoms.grid)
    kind, lengths, outline = _as_asked(kind, lengths, outline, atoms.drawn.turned, made.shape)
    shape = made.shape or shape_of(kind, holes=False)
    centre = None if atoms.boundary is None else (-atoms.boundary[1], atoms.boundary[0])
    sites = sites_on_lattice(
        -atoms.drawn.y, atoms.drawn.x, tolerance=2 * atoms.grid, centre=centre, pitch=pitch, lattice=lattice
    )
    diameter = None if atoms.boundary is None else atoms.boundary[2]
    return recognised(sites, outline, lengths, replace(made, shape=shape), diameter)


def _as_asked(
    kind: str, lengths: np.ndarray, outline: np.ndarray, turned: np.ndarray, shape: Shape | None
) -> tuple[str, np.ndarray, np.ndarray]:
    """Outlines as the shape that was asked for, a turned rectangle as another outline."""
    if shape is not None and OUTLINE_OF[shape] == RECTANGULAR and kind != RECTANGULAR and lengths.shape[1] == 1:
        if kind == ROUND:
            raise InputError(f"the outlines are {kind}, those of a {shape} were expected; give another --library")
        kind, lengths = RECTANGULAR, np.repeat(lengths, 2, axis=1)
    if shape is not None and OUTLINE_OF[shape] != kind:
        raise InputError(f"the outlines are {kind}, those of a {shape} were expected; give another --library")
    if kind in (ROUND, ANNULAR):
        return kind, lengths, outline
    if (turned == 2).any():
        raise InputError("rectangles at an angle are not known; a structure has upright ones")
    if kind == RECTANGULAR and turned.any():
        return kind, np.concatenate([lengths, lengths[:, ::-1]]), outline + len(lengths) * (turned == 1)
    return kind, lengths, outline


def recognised(
    sites: LatticeSites, outline: np.ndarray, lengths: np.ndarray, made: Made, diameter: float | None = None
) -> Recognised:
    """A structure of sites.

    Args:
        sites: where meta-atoms stand.
        outline: ``[site]`` which lengths each has.
        lengths: ``[outline, parameter]`` in metres.
        made: what it is made of, with its shape.
        diameter: of the aperture in metres; None takes the disc that they fill.

    Raises:
        InputError: there are more geometries than a structure holds, or they are larger than the pitch.
    """
    shape = made.shape
    assert shape is not None
    geometry, which = _geometries(lengths, outline)
    index = np.full(sites.size, EMPTY, dtype=np.uint16)
    index[sites.row, sites.column] = which
    structure = Structure(
        lattice=sites.lattice,
        pitch=sites.pitch,
        site_index=index,
        geometry=geometry,
        parameter_names=PARAMETERS[shape],
        shape=shape,
        height=made.height,
        material=made.material,
        substrate=made.substrate,
        library_name=made.library_name,
        library_sha256=made.library_sha256,
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
    """Of the largest disc that meta-atoms fill up to its rim, if none is missing: their cells reach beyond it."""
    y, x = structure.positions()
    farthest = 0.0
    for row in np.flatnonzero((structure.site_index != EMPTY).any(axis=1)):
        here = x[row, structure.site_index[row] != EMPTY]
        farthest = max(farthest, float(np.hypot(y[row, 0], np.abs(here).max())))
    return 2 * max(farthest - float(cell_reach(structure.lattice, structure.pitch)), 0.5 * structure.pitch)
