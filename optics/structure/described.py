"""Structures from the tables of a ``lens.toml``."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from metalens.formats.atom_library import library_path, read_atom_library
from metalens.formats.errors import InputError
from metalens.formats.lens import Lens
from metalens.formats.lens_structure import RadialGeometryTable, StructureTable
from metalens.formats.structure import EMPTY, Structure
from metalens.optics.aperture import Aperture
from metalens.optics.fabrication import is_duty_cycle
from metalens.optics.meta_atoms.described import PROXY, library_named
from metalens.optics.meta_atoms.library import check_range
from metalens.optics.meta_atoms.proxy import nano_optics_proxy
from metalens.optics.structure.built import Built
from metalens.optics.structure.radial_geometry import RadialGeometry
from metalens.optics.structure.sites import Sites, sites_of


def structure_of(lens: Lens, aperture: Aperture) -> Built | None:
    """What a ``[lens]`` table says that the lens is built of; None where it says phase and response alone.

    Args:
        lens: the table.
        aperture: of the lens.

    Raises:
        InputError: a file cannot be read, does not fit the lens, or leaves open what the lens does to light.
    """
    if lens.structure is not None:
        return _sites(lens.structure, lens, aperture)
    if lens.radial_geometry is not None:
        return _radial(lens.radial_geometry, lens)
    return None


def _sites(table: StructureTable, lens: Lens, aperture: Aperture) -> Sites:
    structure = table.structure()
    source = table.library_source(structure)
    library = nano_optics_proxy() if source == PROXY else read_atom_library(library_path(source))
    try:
        sites = sites_of(structure, library)
    except InputError as error:
        raise InputError(f"{table.file}: {error}") from error
    _check_cover(table.file, structure, lens)
    if sites.library.empty is None:
        _check_filled(table.file, structure, lens, aperture)
    return sites


def _check_cover(name: str, structure: Structure, lens: Lens) -> None:
    rows, columns = structure.site_index.shape
    height, width = 1e6 * rows * structure.row_pitch, 1e6 * columns * structure.pitch
    # One part in a thousand for a pitch that was rounded.
    if min(height, width) < lens.aperture_um * 0.999:
        raise InputError(
            f"{name}: {rows} × {columns} sites {1e9 * structure.pitch:g} nm apart cover {height:.4g} × {width:.4g} µm, "
            f"less than aperture_um {lens.aperture_um:g}; make the structure for this lens, or aperture_um smaller."
        )


def _check_filled(name: str, structure: Structure, lens: Lens, aperture: Aperture) -> None:
    """Refuse empty sites in the opening of which nobody knows what they let through."""
    missing, rows = 0, max(1, 2**20 // structure.site_index.shape[1])
    for start in range(0, len(structure.site_index), rows):
        block = slice(start, start + rows)
        y, x = (jnp.asarray(each) for each in structure.positions(block))
        inside = np.asarray(aperture.edge_distance(y, x, 0.5 * lens.aperture_m)) < 0
        missing += int(((structure.site_index[block] == EMPTY) & inside).sum())
    if missing:
        raise InputError(
            f"{name}: {missing} sites inside the opening are empty, and its library does not tell what an empty site "
            "lets through; fill them, or name a library that has empty sites, as `metalens library build` makes them."
        )


def _radial(table: RadialGeometryTable, lens: Lens) -> RadialGeometry:
    library = library_named(table.library_source())
    unit = 1.0
    if is_duty_cycle(library):
        if lens.meta_atoms is None:
            raise InputError(
                f"lens.radial_geometry: the library {table.library} is over duty cycles, so that widths in nm need the "
                "pitch; give [lens.meta_atoms] with pitch_nm."
            )
        unit = 1e-9 * lens.meta_atoms.pitch_nm
    geometry = 1e-9 * np.array(table.geometry_nm) / unit
    reach = 1e-3 * table.spacing_nm * (len(geometry) - 1)
    if reach < 0.5 * lens.aperture_um * 0.999:
        raise InputError(
            f"lens.radial_geometry: {len(geometry)} values {table.spacing_nm:g} nm apart reach {reach:.4g} µm from the "
            f"centre, less than half of aperture_um {lens.aperture_um:g}; give more values or a larger spacing_nm."
        )
    check_range(library, geometry=geometry)
    return RadialGeometry(geometry, 1e-9 * table.spacing_nm, library, table.interpolation or "nearest")
