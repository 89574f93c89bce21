"""A library of meta-atoms by its name or from its file, reduced to one geometry parameter."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import families_of, told_shapes
from metalens.formats.meta_atoms.library import (
    AtomLibrary,
    Polarisation,
    library_path,
    read_atom_library,
    shipped_libraries,
)
from metalens.formats.meta_atoms.shapes import MIXED
from metalens.optics.meta_atoms.library import MetaAtomLibrary, meta_atom_library
from metalens.optics.meta_atoms.oblique import POLARISATIONS, ObliqueTables
from metalens.optics.meta_atoms.proxy import nano_optics_proxy

PROXY = "nano-optics-proxy"

Incidence = Literal["local", "normal"]
"""Whether meta-atoms respond at the angle at which light meets them, or as at normal incidence everywhere."""


def library_named(source: str | os.PathLike[str], *, incidence: Incidence | None = "normal") -> MetaAtomLibrary:
    """A library for a lens: one that comes with the package, ``nano-optics-proxy``, or a ``library.h5``.

    Args:
        source: its name or its file. The proxy's geometry is a duty cycle, that of all others is in metres.
        incidence: ``"local"`` takes its angles and polarisations along, ``"normal"`` leaves them out; None takes them
            along if the library has them.

    Returns:
        The library at one polarisation, with angles if the lens responds by them.

    Raises:
        InputError: there is none of this name, the file cannot be read, it has no normal incidence or more than one
            parameter of geometry, or local incidence is asked for and the library has no angles.
    """
    if os.fspath(source) == PROXY:
        if incidence == "local":
            raise InputError(
                f'{PROXY}: a fit at normal incidence alone, so that incidence = "local" has no meaning; leave it out, '
                "or take a library with angles, such as si3n4-on-sio2."
            )
        return nano_optics_proxy()
    try:
        library = read_atom_library(library_path(source))
        return scalar_library(library, oblique=takes_angles(library, incidence))
    except InputError as error:
        if "neither a file nor a library" in str(error):
            raise InputError(
                f"{os.fspath(source)}: neither a file nor a library that comes with the package; give a library.h5 or "
                f"one of {', '.join((*shipped_libraries(), PROXY))}."
            ) from error
        raise


def takes_angles(library: AtomLibrary, incidence: Incidence | None) -> bool:
    """Whether a lens of this library responds by the local angle of incidence.

    Args:
        library: as it was computed or imported.
        incidence: of the lens; None is local if the library has normal incidence and at least one other angle, both
            polarisations, and a shape that a quarter turn leaves as it is.

    Returns:
        True if the light's angle changes the response.

    Raises:
        InputError: it is ``"local"``, and the library lacks one of these.
    """
    if incidence == "normal":
        return False
    lacks = None
    if len(library.angle) < 2 or abs(library.angle[0]) > 1e-6:
        held = ", ".join(f"{np.degrees(each):g}°" for each in library.angle)
        lacks = f"holds {held} alone, normal incidence and at least one other angle were expected"
    elif set(library.polarisations) != set(POLARISATIONS):
        lacks = f"holds the polarisation {library.polarisations[0]} alone, s and p were expected"
    elif not all(family.turned_alike for family in families_of(library)):
        # Of others the plane of incidence along a lattice vector does not stand for all planes of incidence.
        lacks = (
            f"is of {told_shapes(library)}, whose response depends on the plane of incidence, and holds only the one "
            "along x"
        )
    if lacks is not None and incidence == "local":
        raise InputError(
            f'library {library.name}: {lacks}, so that incidence = "local" cannot be computed; build one that has '
            'them, or set incidence = "normal".'
        )
    return lacks is None


def scalar_library(
    library: AtomLibrary,
    *,
    polarisation: Polarisation | None = None,
    angle: float = 0.0,
    fixed: dict[str, float] | None = None,
    oblique: bool = False,
) -> MetaAtomLibrary:
    """One incidence of a library against one parameter of its geometry.

    Args:
        library: as it was computed or imported.
        polarisation: ``"s"`` or ``"p"``; None is the library's first.
        angle: of incidence in radians, one of the library's.
        fixed: the parameters of geometry that are held, with their values in metres, one of the library's each; all
            but one.
        oblique: take the tables of all angles and polarisations along.

    Returns:
        The library at normal incidence, with or without its tables over angles.

    Raises:
        InputError: the library does not hold these, or not two geometries and two wavelengths of them.
    """
    chosen = library.at_incidence(polarisation or library.polarisations[0], angle)
    if library.shape == MIXED:
        raise InputError(
            f"library {library.name}: holds {told_shapes(library)}, and a response is of one shape; choose for each "
            "site by `metalens export --library … --structure structure.h5`, and name that file in [lens.structure]."
        )
    held = dict(fixed or {})
    free = [name for name in library.parameter_names if name not in held]
    unknown = sorted(set(held) - set(library.parameter_names))
    if unknown or len(free) != 1:
        raise InputError(
            f"library {library.name}: a lens needs one free parameter of {', '.join(library.parameter_names)}; hold "
            f"the others, found {', '.join(held) or 'none'} held."
        )
    kept = np.ones(len(library.geometry), dtype=bool)
    for name, value in held.items():
        kept &= np.abs(library.geometry[:, library.parameter_names.index(name)] - value) < 1e-12
    geometry = library.geometry[kept, library.parameter_names.index(free[0])]
    if len(geometry) < 2 or len(library.wavelength) < 2:
        raise InputError(
            f"library {library.name}: has {len(geometry)} geometries and {len(library.wavelength)} wavelengths to "
            "choose from, at least two of each were expected."
        )
    tables = {name: getattr(chosen, name) for name in ("transmission", "height_slope", "index_slope")}
    tables = {name: None if table is None else table[0, 0][kept] for name, table in tables.items()}
    empty = None if chosen.empty is None else chosen.empty[0, 0]
    angles = oblique_tables(library, kept) if oblique else None
    return meta_atom_library(geometry, library.wavelength, empty=empty, oblique=angles, **tables)


def oblique_tables(library: AtomLibrary, kept: np.ndarray | slice = slice(None)) -> ObliqueTables:
    """Tables over angle and polarisation.

    Args:
        library: as it was computed, with both polarisations.
        kept: which of its meta-atoms, ``[atom]`` true or false; by default all.

    Returns:
        Tables ``[angle, polarisation, geometry, wavelength]`` and sin² of their angles.
    """
    order = [library.polarisations.index(name) for name in POLARISATIONS]
    tables: dict[str, Any] = {}
    for name in ("transmission", "height_slope", "index_slope"):
        table = getattr(library, name)
        tables[name] = None if table is None else table[order][:, :, kept].astype(np.complex64)
    empty = None if library.empty is None else library.empty[order].astype(np.complex64)
    return ObliqueTables(np.sin(library.angle) ** 2, empty=empty, **tables)
