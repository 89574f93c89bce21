"""The library of a camera's meta-atoms, as it was computed: with refractive indices, angles and polarisations."""

from __future__ import annotations

from typing import Any

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.parts import LibraryResponse
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.families import family_of, told_shapes
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library
from metalens.formats.meta_atoms.shapes import MIXED
from metalens.optics.meta_atoms.named import PROXY


def atom_library_of(camera: Camera) -> AtomLibrary:
    """The library of a camera's meta-atoms, as it was computed.

    Raises:
        InputError: it has none, or the fit of neural nano-optics, which is of no geometry that can be solved.
    """
    lens = camera.lens
    source: Any = None
    if lens.structure is not None:
        source = lens.structure.library_source(lens.structure.structure())
    elif lens.radial_geometry is not None:
        source = lens.radial_geometry.library_source()
    elif isinstance(lens.response, LibraryResponse):
        source = lens.response.path()
    if source is None or source == PROXY:
        raise InputError(
            f"{camera.name}: has no meta-atoms of a computed library, whose neighbours could be verified; give it a "
            '[lens.response] of the kind "library", such as library = "si3n4-on-sio2", or a structure.'
        )
    library = read_atom_library(library_path(source))
    if library.shape == MIXED:
        raise InputError(
            f"library {library.name}: holds {told_shapes(library)}, and supercells of one shape are verified."
        )
    if library.geometry.shape[1] != 1:
        raise InputError(
            f"library {library.name}: its {library.shape}s have {library.geometry.shape[1]} parameters, and supercells "
            "of one are verified."
        )
    if not family_of(library, 0).turned_alike:
        raise InputError(
            f"library {library.name}: is of {library.shape}s, which a quarter turn changes; supercells of others are "
            "verified."
        )
    return library
