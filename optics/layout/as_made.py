"""The camera of an imported fabrication file, written to a folder that ``metalens psf`` can simulate."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.camera.camera import NAME, Camera, dump_camera, read_camera
from metalens.formats.camera.parts import NanofinResponse, Response
from metalens.formats.camera.phase import EvenPolynomialPhase, FreeformPhase, SumPhase
from metalens.formats.camera.spectral_table import is_file_name
from metalens.formats.camera.spectrum import KINDS
from metalens.formats.camera.structure import Structure, write_structure
from metalens.formats.camera.structure_tables import StructureTable
from metalens.formats.files.errors import InputError
from metalens.formats.files.text_file import first_line
from metalens.formats.meta_atoms.families import told_lengths
from metalens.formats.meta_atoms.library import Lattice, library_path, shipped_libraries
from metalens.optics.from_lens_toml import light_of, metalens_of
from metalens.optics.layout.chosen import library_of, library_pitch
from metalens.optics.layout.layers import Layer, LayerMap
from metalens.optics.layout.ray_tracing import RadialPhaseTable, is_radial_phase, read_radial_phase
from metalens.optics.layout.reading import LARGEST_FILE, layout_kind, read_drawn_atoms, refuse_other_layouts
from metalens.optics.layout.recognition import Made, Recognised, half_turns, structure_of_layout
from metalens.optics.layout.sites_table import is_sites_table, read_sites_table
from metalens.optics.layout.width_map import Quantity, read_width_map
from metalens.optics.layout.zmx import is_zmx, read_zmx
from metalens.optics.layout.zmx_surfaces import ZmxSurfaces
from metalens.optics.meta_atoms.named import PROXY
from metalens.optics.structure import Candidates, candidates_of

STRUCTURE_FILE, LENS_FILE = "structure.h5", "lens.toml"

WIDTH_TOLERANCE = 1.5
"""Tolerance of a length, in steps of the layout's grid, by which it may lie beside a library."""

TABLE_GRID = 1e-9
"""What stands for a grid in metres where there is none: tables are often rounded to nanometres."""


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import; None takes the value from the file, the library or the camera.

    Attributes:
        library: name or file of the library with the transmission of the meta-atoms.
        pitch: in metres.
        lattice: of the sites.
        layer: that holds the meta-atoms.
        boundary: layer of the aperture's outline.
        cell: that holds them.
        map_of: what a map holds.
        diameter: of the aperture in metres.
        name: of the camera.
    """

    library: str | None = None
    pitch: float | None = None
    lattice: Lattice | None = None
    layer: Layer | None = None
    boundary: Layer | None = None
    cell: str | None = None
    map_of: Quantity = "radius"
    diameter: float | None = None
    name: str | None = None


@dataclass(frozen=True)
class Imported:
    """Content of an imported file: a structure or a phase.

    Attributes:
        camera: like the one that was given, with the lens of the file.
        recognised: the structure and how well it fits; None if the file holds a phase.
        phase: the phase; None if the file holds a structure.
        library: the file of its library, to be copied beside it; None of one that comes with the package.
    """

    camera: Camera
    recognised: Recognised | None = None
    phase: RadialPhaseTable | None = None
    library: Path | None = None


def import_lens(path: str | os.PathLike[str], like: Camera, options: ImportOptions) -> Imported:
    """The camera that a file for fabrication, or for ray tracers, describes.

    Args:
        path: GDSII, OASIS, a table of sites, a map of radii or widths, a radial phase, or a lens file ``.zmx``.
        like: what else the camera has: focal length, nominal phase, sensor and spectrum.
        options: what the file does not say.

    Returns:
        The camera with the structure or phase of the file, and what was found in it.

    Raises:
        InputError: the file is missing, damaged or none of these, or its meta-atoms are not those of the library.
    """
    target = Path(path)
    kind = layout_kind(target)
    beginning = ""
    if not kind:
        refuse_other_layouts(target)
        if is_zmx(target):
            found_zmx = read_zmx(target)
            return _imported_phase(target, found_zmx.phase, like, options, found_zmx.surfaces)
        if target.suffix.lower() != ".npy":
            beginning = first_line(target, "layout, table or map", largest=LARGEST_FILE)
    if is_radial_phase(beginning):
        return _imported_phase(target, read_radial_phase(target), like, options)
    source = options.library or library_of(like)
    # The library's pitch, unless the file gives another.
    known = candidates_of(source, library_pitch(source))
    made = Made(**vars(known.kind), geometry=known.geometry, family=known.family)
    if kind:
        layers = LayerMap() if options.boundary is None else LayerMap(boundary=options.boundary)
        atoms = read_drawn_atoms(target, layer=options.layer, cell=options.cell, layers=layers)
        grid = atoms.grid
        try:
            found = structure_of_layout(atoms, made, pitch=options.pitch, lattice=options.lattice)
        except InputError as error:
            raise InputError(f"{target}: {str(error).rstrip('.')}.") from error
    elif is_sites_table(beginning):
        grid = TABLE_GRID
        found = read_sites_table(target, made, pitch=options.pitch, lattice=options.lattice)
    else:
        grid = TABLE_GRID
        pitch = options.pitch or library_pitch(source)
        found = read_width_map(target, made, pitch=pitch, quantity=options.map_of)
    structure = _within(found.structure, known, WIDTH_TOLERANCE * grid, target)
    name = _name(options.name, target)
    found = replace(found, structure=replace(structure, name=name, provenance={"imported_from": target.name}))
    diameter = options.diameter or found.diameter
    if not diameter:
        raise InputError(
            f"{target}: its meta-atoms fill no disc around the lens' centre; give the aperture with --aperture-um."
        )
    lens = like.lens.model_copy(
        update={
            "aperture_um": round(1e6 * diameter, 6),
            "structure": StructureTable(file=STRUCTURE_FILE),
            "response": _light_response(like, structure, options.library, target),
            "radial_geometry": None,
            "fabrication": None,
            "meta_atoms": None,
        }
    )
    update: dict[str, Any] = {"name": name, "description": f"As drawn in {target.name}.", "lens": lens}
    shipped = os.fspath(source) in (PROXY, *shipped_libraries())
    return Imported(like.model_copy(update=update), found, library=None if shipped else library_path(source))


def _imported_phase(
    path: Path, table: RadialPhaseTable, like: Camera, options: ImportOptions, front: ZmxSurfaces | None = None
) -> Imported:
    phase = EvenPolynomialPhase(
        family="even_polynomial",
        coefficients_rad=tuple(table.coefficients.tolist()),
        radius_um=round(1e6 * table.radius, 9),
    )
    diameter = options.diameter or 2 * table.semi_diameter
    update: dict[str, Any] = {
        "aperture_um": round(1e6 * diameter, 6),
        "phase": phase,
        "structure": None,
        "radial_geometry": None,
    }
    if front is not None:
        update |= {"surfaces": front.surfaces, "stop": front.stop, "substrate": None}
        update |= {"focal_length_um": front.distance_um}
    what = {
        "name": _name(options.name, path),
        "description": f"The {'phase' if front is None else 'lens'} of {path.name}.",
        "lens": like.lens.model_copy(update=update),
    }
    return Imported(like.model_copy(update=what), phase=table)


def _name(wanted: str | None, path: Path) -> str:
    """Name of the camera: the one that was asked for, or the file's."""
    if wanted is not None and (len(wanted) > 80 or re.match(NAME, wanted) is None):
        raise InputError(
            f"--name {wanted!r}: expected at most 80 letters, digits, spaces, dots, underscores and hyphens, a letter "
            "or digit first."
        )
    return wanted or re.sub(r"[^A-Za-z0-9 ._-]", "-", path.stem).lstrip(" ._-")[:80] or "imported"


def _within(structure: Structure, known: Candidates, tolerance: float, path: Path) -> Structure:
    """The structure with lengths that lie beside the library's by a step of the grid put onto them.

    Raises:
        InputError: a length lies farther outside.
    """
    table, found = known.geometry, structure.geometry
    if structure.rotation is not None and structure.shape == "rectangular_pillar":
        structure = _turned_as(structure, table)
        found = structure.geometry
    if table.shape[1] == 1:
        nearest = np.clip(found, table.min(), table.max())
    else:
        # A library of several parameters is not interpolated: only its own meta-atoms can be used.
        distance = np.abs(found[:, None] - table[None]).max(axis=2)
        if structure.family is not None:
            distance[structure.family[:, None] != known.family] = np.inf
        nearest = table[distance.argmin(axis=1)]
    away = np.abs(nearest - found).max(axis=1)
    if away.max() > tolerance:
        worst = int(away.argmax())
        lengths = told_lengths(found[worst][found[worst] > 0])
        raise InputError(
            f"{path}: a meta-atom of {lengths} nm is none of the library "
            f"{known.kind.library_name}, whose go from {1e9 * table.min():.4g} to {1e9 * table.max():.4g} nm; name "
            "another with --library."
        )
    return replace(structure, geometry=nearest)


def _light_response(like: Camera, structure: Structure, library: str | None, path: Path) -> Response | None:
    """The response that tells the polarisation of the light; None of meta-atoms that do not act on it."""
    if like.lens.multiplexed is not None:
        return None
    if light_of(like.lens) is None:
        if structure.rotation is not None:
            raise InputError(
                f"{path}: holds turned meta-atoms, which act on polarisation, and {like.name} does not tell the light; "
                'give --like a lens.toml with [lens.response] of the kind "nanofins", or with [lens.multiplexed].'
            )
        return None
    response = like.lens.response
    if isinstance(response, NanofinResponse) and library is not None:
        return response.model_copy(update={"library": Path(library).name, "sha256": None})
    return response


def _turned_as(structure: Structure, table: np.ndarray) -> Structure:
    """Turned rectangles, whose longer side is known, as the library's lie: its pillars may be longer along y."""
    assert structure.rotation is not None
    away = [
        np.abs(each[:, None] - table).max(axis=2).min(axis=1)
        for each in (structure.geometry, structure.geometry[:, ::-1])
    ]
    swapped = away[1] < away[0]
    return replace(
        structure,
        geometry=np.where(swapped[:, None], structure.geometry[:, ::-1], structure.geometry),
        rotation=half_turns(structure.rotation + np.where(swapped, 0.5 * np.pi, 0.0)),
    )


def write_imported(folder: Path, imported: Imported, like_folder: Path | None) -> Camera:
    """Write the ``lens.toml`` and the files that it names, and read them back as a command would.

    Args:
        folder: an empty one.
        imported: by :func:`import_lens`.
        like_folder: where the files lie that the camera it is like names; None of a preset.

    Returns:
        The camera as it reads.

    Raises:
        InputError: a file cannot be copied, or the lens is none that can be simulated.
    """
    camera = imported.camera
    for name in named_files(camera):
        assert like_folder is not None
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(like_folder / name, folder / name)
    if imported.library is not None:
        shutil.copyfile(imported.library, folder / imported.library.name)
    if imported.recognised is not None:
        write_structure(folder / STRUCTURE_FILE, imported.recognised.structure)
        table = StructureTable(file=STRUCTURE_FILE).in_folder(folder)
        camera = camera.model_copy(update={"lens": camera.lens.model_copy(update={"structure": table})})
    (folder / LENS_FILE).write_text(dump_camera(camera), encoding="utf-8")
    try:
        found = read_camera(folder / LENS_FILE)
        metalens_of(found)
    except InputError as error:
        raise InputError(str(error).replace(f"{folder}{os.sep}", "")) from error
    return found


def named_files(camera: Camera) -> list[str]:
    """The maps and tables beside its ``lens.toml`` that a camera names, apart from libraries and structures."""
    phase = camera.lens.phase
    terms = phase.terms if isinstance(phase, SumPhase) else (phase,)
    files = [term.file for term in terms if isinstance(term, FreeformPhase)]
    tables = [camera.spectrum.table_name(kind) for kind in KINDS]
    return [*files, *(name for name in tables if name is not None and is_file_name(name))]
