"""From the tables of a ``lens.toml`` to a lens and its parts: micrometres and nanometres become metres."""

from __future__ import annotations

import logging
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera import parts
from metalens.formats.camera.camera import Camera
from metalens.formats.camera.lens import Lens
from metalens.formats.camera.neighbours_table import NeighboursTable
from metalens.formats.camera.structure import EMPTY, Structure
from metalens.formats.camera.structure_tables import RadialGeometryTable, StructureTable
from metalens.formats.camera.surfaces import RefractiveSurface, surfaces_behind, surfaces_in_front
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library
from metalens.optics.aperture import Annulus, Aperture, Circle, Polygon
from metalens.optics.built import Built
from metalens.optics.fabrication import Fabrication, fabricated, library_of
from metalens.optics.geometric_phase import GeometricPhase, nanofins_of
from metalens.optics.meta_atoms import MetaAtoms, library_named, nano_optics_proxy
from metalens.optics.meta_atoms.library import LARGEST_DUTY, check_range, is_duty_cycle, width_unit
from metalens.optics.meta_atoms.named import PROXY, Incidence
from metalens.optics.meta_atoms.of_camera import atom_library_of
from metalens.optics.metalens import Metalens, Plate, Stop
from metalens.optics.neighbours import BEYOND_SLOPE, Neighbours, neighbours_of
from metalens.optics.phase.from_lens_toml import MICRO, NANO, phase_of
from metalens.optics.refraction.dispersion import Cauchy, Dispersion, Sellmeier, cauchy_of_abbe
from metalens.optics.refraction.surfaces import Surface
from metalens.optics.response import IdealPhase, Kinoform, Response
from metalens.optics.structure.fit import steepest_turn
from metalens.optics.structure.jones_sites import Basis, Light, jones_sites
from metalens.optics.structure.options import StructureOptions
from metalens.optics.structure.polarised_choice import Targets, choose_polarised_structure
from metalens.optics.structure.radial_geometry import RadialGeometry
from metalens.optics.structure.sites import Sites, sites_of

FEWEST_ZONES = 5
"""Turns of phase from the centre to the rim, under which a lens is warned of that is corrected by its neighbours."""

_log = logging.getLogger(__name__)


def aperture_of(record: parts.Aperture | None) -> Aperture:
    """The shape of an opening; a circle where none is given."""
    match record:
        case parts.AnnularAperture():
            return Annulus(record.inner_diameter_um * MICRO)
        case parts.PolygonalAperture():
            return Polygon(MICRO * np.array(record.vertices_um))
        case _:
            return Circle()


def response_of(record: parts.Response | None, incidence: Incidence | None = "normal") -> Response:
    """The response described by a ``[lens.response]`` table; without one, the ideal response.

    Args:
        record: the table.
        incidence: the key of ``[lens]``: whether meta-atoms respond by the local angle of incidence.

    Returns:
        The response, with the library that the table names.

    Raises:
        InputError: a library cannot be read, or has no angles for local incidence.
    """
    match record:
        case parts.KinoformResponse():
            return Kinoform(record.wavelength_nm * NANO, record.orders, record.levels)
        case parts.GeometricResponse():
            assert record.light is not None
            return GeometricPhase(
                wavelength=record.wavelength_nm * NANO,
                light=record.light,
                transmittance=record.transmittance or 1.0,
            )
        case parts.NanofinResponse():
            assert record.light is not None
            library = read_atom_library(library_path(record.path()))
            return nanofins_of(library, record.wavelength_nm * NANO, record.light)
        case parts.NanoOpticsProxyResponse():
            return MetaAtoms(nano_optics_proxy(), record.wavelength_nm * NANO, record.orders, record.duty_error or 0.0)
        case parts.LibraryResponse():
            return MetaAtoms(
                library_named(record.path(), incidence=incidence), record.wavelength_nm * NANO, record.orders
            )
        case _:
            return IdealPhase()


def structure_of(lens: Lens, aperture: Aperture) -> Built | None:
    """The structure described by a ``[lens]`` table; None if it has only phase and response.

    Args:
        lens: the table.
        aperture: of the lens.

    Returns:
        The structure on the lens' sites, or its radial geometry; None without.

    Raises:
        InputError: a file cannot be read or does not fit the lens, or the transmission of an empty site is unknown.
    """
    if lens.structure is not None:
        return _sites(lens.structure, lens, aperture)
    if lens.multiplexed is not None and isinstance(lens.response, parts.LibraryResponse):
        return _chosen_sites(lens.response, lens, aperture)
    if lens.radial_geometry is not None:
        return _radial(lens.radial_geometry, lens)
    return None


MOST_CHOSEN = 2**22
"""Sites that are chosen whenever a lens is made; of more a structure is written first."""


def targets_of(lens: Lens) -> Targets | None:
    """What a lens does to two polarisations; None if it does not act on them.

    Args:
        lens: the ``[lens]`` table.
    """
    if lens.multiplexed is not None:
        return Targets(lens.multiplexed.polarisations, phase_of(lens.multiplexed.phase, lens))
    return Targets("circular") if light_of(lens) is not None else None


def light_of(lens: Lens) -> Light | None:
    """The polarisation of the light that a ``[lens]`` table tells; None if its meta-atoms do not act on it.

    Args:
        lens: the table.
    """
    if lens.multiplexed is not None:
        return lens.multiplexed.light
    return lens.response.light if isinstance(lens.response, parts.GeometricResponse | parts.NanofinResponse) else None


def _basis(lens: Lens) -> Basis:
    return "circular" if lens.multiplexed is None else lens.multiplexed.polarisations


def _chosen_sites(response: parts.LibraryResponse, lens: Lens, aperture: Aperture) -> Sites:
    """Rectangles of a library for the two phases of a lens."""
    targets, light = targets_of(lens), light_of(lens)
    assert targets is not None
    assert light is not None
    library = read_atom_library(library_path(response.path()))
    drawn = Metalens(lens.aperture_m, lens.focal_length_m, phase_of(lens.phase, lens), aperture)
    if (lens.aperture_m / library.pitch) ** 2 > MOST_CHOSEN:
        raise InputError(
            f"lens.multiplexed: {(lens.aperture_m / library.pitch) ** 2:.2g} sites are too many to be chosen whenever "
            "the lens is read; write them once by `metalens export --structure`, and name the file in "
            "[lens.structure]."
        )
    options = StructureOptions(library.pitch, (response.wavelength_nm * NANO,))
    chosen = choose_polarised_structure(drawn, library, options, targets)
    return jones_sites(chosen, library, light, _basis(lens))


def _sites(table: StructureTable, lens: Lens, aperture: Aperture) -> Sites:
    structure = table.structure()
    source = table.library_source(structure)
    library = nano_optics_proxy() if source == PROXY else read_atom_library(library_path(source))
    light = light_of(lens)
    try:
        if structure.rotation is not None and light is None:
            raise InputError(
                "its meta-atoms are turned and act on polarisation, and the light is not told; add [lens.response] "
                'with kind = "nanofins", or [lens.multiplexed].'
            )
        if light is not None and isinstance(library, AtomLibrary):
            sites: Sites = jones_sites(structure, library, light, _basis(lens))
        else:
            sites = sites_of(structure, library, incidence=lens.incidence)
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
    """Refuse empty sites inside the opening if their transmission is unknown."""
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
    library = library_named(table.library_source(), incidence=lens.incidence)
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


def metalens_of(camera: Camera) -> Metalens:
    """The metalens that a ``lens.toml`` describes.

    Where the sensor is, ``camera.lens.defocus_m`` and ``camera.sensor.tilt``, and the scene,
    ``camera.object_distance_m``, is no part of it.

    Raises:
        InputError: a file that the camera names cannot be read, or does not fit it.
    """
    lens = camera.lens
    built = lens.structure is not None or lens.radial_geometry is not None
    phase, second = phase_of(lens.phase, lens), None
    if lens.multiplexed is not None:
        other = phase_of(lens.multiplexed.phase, lens)
        if lens.multiplexed.light == "unpolarised":
            second = other
        elif lens.multiplexed.light in ("y", "right"):
            phase = other
    stop = None
    if lens.stop is not None:
        stop = Stop(
            lens.stop.diameter_um * 1e-6,
            lens.stop.distance_um * 1e-6,
            aperture_of(lens.stop.aperture),
            None if lens.stop.phase is None else phase_of(lens.stop.phase, lens),
        )
    drawn = Metalens(
        aperture_diameter=lens.aperture_m,
        focal_length=lens.focal_length_m,
        phase=phase,
        aperture=aperture_of(lens.aperture),
        response=_response(lens, "normal" if built else lens.incidence),
        stop=stop,
        substrate=_plate_of(lens.substrate),
        cover_glass=_plate_of(lens.cover_glass),
        structure=structure_of(lens, aperture_of(lens.aperture)),
        second_phase=second,
        surfaces=tuple(_surface_of(each, lens) for each in surfaces_in_front(lens.surfaces)),
        rear_surfaces=tuple(_surface_of(each, lens) for each in surfaces_behind(lens.surfaces)),
    )
    if lens.neighbours is not None:
        drawn = replace(drawn, neighbours=_neighbours(lens.neighbours, drawn, atom_library_of(camera).name))
    return drawn if lens.fabrication is None else fabricated(drawn, _errors_of(lens, drawn))


def _response(lens: Lens, incidence: Incidence | None) -> Response:
    # The library of a multiplexed lens has its sites.
    return response_of(None if lens.multiplexed is not None else lens.response, incidence)


def _neighbours(table: NeighboursTable, lens: Metalens, library: str) -> Neighbours:
    found = table.verification()
    if found.library != library:
        raise InputError(
            f"{table.file}: is of meta-atoms of the library {found.library}, and those of the lens are of "
            f"{library}; verify this lens."
        )
    if lens.phase.flat_pixel is not None:
        raise InputError(
            "lens.neighbours: zones are told by the slope of the phase, and a phase of flat pixels has none; leave it "
            "out, or give the map with cubic interpolation."
        )
    orders = () if lens.structure is not None else lens.response.orders
    made = neighbours_of(found, flat_cells=lens.structure is not None, orders=orders, veil=table.veil is not False)
    steepest, verified = steepest_turn(lens), float(np.asarray(made.slope)[-1])
    if steepest > BEYOND_SLOPE * verified:
        raise InputError(
            f"{table.file}: its narrowest zone is {1e6 / verified:.3g} µm wide, and the lens has zones of "
            f"{1e6 / steepest:.3g} µm; verify this lens."
        )
    radius = 0.5 * float(lens.aperture_diameter) * np.linspace(0, 1, 257)
    turns = float(np.ptp(np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(radius)), dtype=float))) / (2 * np.pi)
    if turns < FEWEST_ZONES:
        _log.warning(
            "%s: supercells repeat each zone without end, and the lens has %.2g zones alone from its centre to its "
            "rim; the correction may make its light worse",
            table.file,
            turns,
        )
    return made


def atom_pitch(record: Lens, lens: Metalens) -> float | None:
    """Pitch of the meta-atoms in metres, from the structure or from ``[lens.meta_atoms]``; None if unknown.

    Args:
        record: of the ``lens.toml``.
        lens: made of it.

    Returns:
        The pitch in metres, or None.
    """
    pitch = getattr(lens.structure, "pitch", None)
    if pitch is not None:
        return float(pitch)
    return None if record.meta_atoms is None else 1e-9 * record.meta_atoms.pitch_nm


def _errors_of(lens: Lens, drawn: Metalens) -> Fabrication:
    """Fabrication errors of a ``[lens.fabrication]`` table, in SI units and the unit of the library."""
    table, unit = lens.fabrication, 1.0
    assert table is not None
    library = library_of(drawn)
    if library is not None and (table.width_error_nm is not None or table.width_spread_nm is not None):
        polarised = drawn.structure is not None and drawn.structure.acts_on_polarisation
        # Of several lengths a library is over the numbers of its meta-atoms.
        if not polarised and float(np.asarray(library.geometry)[-1]) > LARGEST_DUTY:
            raise InputError(
                "lens.fabrication: errors of widths need meta-atoms of one shape with one length, such as round "
                "pillars; those of this lens have several, and which of them is meant is not known."
            )
        unit = width_unit(library, atom_pitch(lens, drawn))
    return Fabrication(
        width_error=_scaled(table.width_error_nm, 1e-9 / unit),
        width_spread=_scaled(table.width_spread_nm, 1e-9 / unit),
        height_error=_scaled(table.height_error_nm, 1e-9),
        index_error=table.index_error,
        missing_share=table.missing_share,
        pitch_error=_scaled(table.pitch_error_percent, 1e-2),
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _plate_of(plate: parts.Plate | None) -> Plate | None:
    return None if plate is None else Plate(plate.thickness_um * 1e-6, plate.index)


def _surface_of(table: RefractiveSurface, lens: Lens) -> Surface:
    radius = table.radius_of_curvature_um
    # The metasurface has the diameter of the lens, and the last one no distance.
    diameter, thickness = table.clear_diameter_um or lens.aperture_um, table.thickness_um or 0.0
    return Surface(
        curvature=0.0 if radius is None else 1e6 / radius,
        conic=table.conic or 0.0,
        coefficients=1e-6 * np.array(table.coefficients_um or ()),
        radius=1e-6 * (table.normalisation_radius_um or 1.0),
        clear_diameter=1e-6 * diameter,
        thickness=1e-6 * thickness,
        medium=_medium_of(table),
    )


def _medium_of(table: RefractiveSurface) -> Dispersion:
    if table.sellmeier_b is not None:
        return Sellmeier(np.array(table.sellmeier_b), 1e-12 * np.array(table.sellmeier_c_um2))
    if table.material is not None:
        # The package of the solver, which smaller installations lack, holds the materials.
        from metalens.optics.rcwa.materials import glass_named

        return glass_named(table.material)
    index = table.index or 1.0
    return Cauchy(index) if table.abbe_number is None else cauchy_of_abbe(index, table.abbe_number)
