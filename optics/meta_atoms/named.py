"""A library of meta-atoms by its name or from its file, reduced to one geometry parameter."""

from __future__ import annotations

import os

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import (
    AtomLibrary,
    Polarisation,
    library_path,
    read_atom_library,
    shipped_libraries,
)
from metalens.optics.meta_atoms.library import MetaAtomLibrary, meta_atom_library
from metalens.optics.meta_atoms.proxy import nano_optics_proxy

PROXY = "nano-optics-proxy"


def library_named(source: str | os.PathLike[str]) -> MetaAtomLibrary:
    """A library at normal incidence: one that comes with the package, ``nano-optics-proxy``, or a ``library.h5``.

    Args:
        source: its name or its file. The proxy's geometry is a duty cycle, that of all others is in metres.

    Raises:
        InputError: there is none of this name, the file cannot be read, or it has no normal incidence or more than one
            parameter of geometry.
    """
    if os.fspath(source) == PROXY:
        return nano_optics_proxy()
    try:
        return scalar_library(read_atom_library(library_path(source)))
    except InputError as error:
        if "neither a file nor a library" in str(error):
            raise InputError(
                f"{os.fspath(source)}: neither a file nor a library that comes with the package; give a library.h5 or "
                f"one of {', '.join((*shipped_libraries(), PROXY))}."
            ) from error
        raise


def scalar_library(
    library: AtomLibrary,
    *,
    polarisation: Polarisation | None = None,
    angle: float = 0.0,
    fixed: dict[str, float] | None = None,
) -> MetaAtomLibrary:
    """One incidence of a library against one parameter of its geometry.

    Args:
        library: as it was computed or imported.
        polarisation: ``"s"`` or ``"p"``; None is the library's first.
        angle: of incidence in radians, one of the library's.
        fixed: the parameters of geometry that are held, with their values in metres, one of the library's each; all
            but one.

    Raises:
        InputError: the library does not hold these, or not two geometries and two wavelengths of them.
    """
    chosen = library.at_incidence(polarisation or library.polarisations[0], angle)
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
    return meta_atom_library(geometry, library.wavelength, empty=empty, **tables)
