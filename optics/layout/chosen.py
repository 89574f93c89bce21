"""The structure of a camera for a layout: its own, or one chosen for its phase."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.design_wavelength import design_wavelength
from metalens.formats.camera.parts import LibraryResponse, NanofinResponse
from metalens.formats.camera.structure import Structure, row_pitch_of
from metalens.formats.files.arguments import require_number
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Lattice, library_path, read_atom_library
from metalens.optics.from_lens_toml import metalens_of, targets_of
from metalens.optics.meta_atoms.named import PROXY
from metalens.optics.metalens import Metalens
from metalens.optics.phase.from_lens_toml import phase_of
from metalens.optics.structure import StructureOptions, Targets, choose_polarised_structure, choose_structure
from metalens.optics.structure.choice import check_choice
from metalens.optics.structure.polarised_choice import check_polarised_choice

PROXY_PITCH = 350e-9
"""Pitch of the published pillars, in metres."""


@dataclass(frozen=True)
class Choice:
    """How a structure is chosen.

    Attributes:
        library: its name or file.
        pitch: in metres.
        lattice: of the sites.
        wavelengths: of the design in metres, all worth the same.
        targets: what the lens does to two polarisations; None if it does not act on them.
        dispersion: how the target follows the frequency; see :class:`~metalens.optics.structure.StructureOptions`.
    """

    library: str | Path
    pitch: float
    lattice: Lattice
    wavelengths: tuple[float, ...]
    targets: Targets | None = None
    dispersion: float = 0.0


def choice_for(
    camera: Camera,
    *,
    library: str | None = None,
    pitch: float | None = None,
    lattice: Lattice | None = None,
    wavelengths: tuple[float, ...] | None = None,
    dispersion: float = 0.0,
) -> Choice | None:
    """Options for choosing the structure of a camera; defaults come from its ``lens.toml``.

    Args:
        camera: whose lens it is.
        library: a name or a file; None is that of ``[lens.radial_geometry]`` or ``[lens.response]``, or the proxy.
        pitch: in metres; None is that of ``[lens.meta_atoms]``, or the library's.
        lattice: None is a square one.
        wavelengths: in metres; None is the camera's design wavelength.
        dispersion: 1 for one focal length at all of them, 0 for one phase.

    Returns:
        None if the camera has a structure of its own.

    Raises:
        InputError: it has one and another was asked for, or its files do not tell a wavelength.
    """
    if camera.lens.structure is not None:
        if (library, pitch, lattice, wavelengths) != (None,) * 4 or dispersion:
            raise InputError(
                f"{camera.name}: has a [lens.structure] already; leave out --library, --pitch-nm, --lattice, "
                "--wavelengths-nm and --dispersion."
            )
        return None
    source = library or library_of(camera)
    chosen = _pitch_of(camera, source) if pitch is None else pitch
    require_number(chosen, "structure: pitch in metres")
    for each in wavelengths or ():
        require_number(each, "structure: wavelengths in metres")
    if not (math.isfinite(chosen) and chosen > 0):
        raise InputError(f"--pitch-nm {1e9 * chosen:g} must be a positive number.")
    asked = wavelengths or (design_wavelength(camera),)
    choice = Choice(source, chosen, lattice or "square", asked, targets_of(camera.lens), dispersion)
    if choice.targets is not None and dispersion:
        raise InputError(
            f"{camera.name}: acts on polarisation, and its meta-atoms are chosen for one wavelength; leave out "
            "--dispersion."
        )
    options = _structure_options(camera, choice)
    if choice.targets is None:
        check_choice(metalens_of(camera), choice.library, options)
    elif choice.library == PROXY:
        raise InputError(
            f"{camera.name}: acts on polarisation, and its lens file names no library of rectangular pillars; give "
            "--library."
        )
    else:
        check_polarised_choice(_first_phase(camera), choice.library, options, choice.targets)
    return choice


def _first_phase(camera: Camera) -> Metalens:
    """The lens with the phase of ``[lens.phase]``, whatever light is simulated."""
    return replace(metalens_of(camera), phase=phase_of(camera.lens.phase, camera.lens), second_phase=None)


def _structure_options(camera: Camera, choice: Choice) -> StructureOptions:
    return StructureOptions(
        pitch=choice.pitch,
        lattice=choice.lattice,
        wavelengths=choice.wavelengths,
        dispersion=choice.dispersion,
        name=camera.name,
    )


def library_of(camera: Camera) -> str | Path:
    """The library that a camera's own tables name, its file if it is one; else the proxy's name."""
    if camera.lens.radial_geometry is not None:
        return camera.lens.radial_geometry.library_source()
    if isinstance(camera.lens.response, LibraryResponse | NanofinResponse):
        path, name = camera.lens.response.path(), camera.lens.response.library
        return path if path.name == Path(name).name else name
    return PROXY


def library_pitch(source: str | os.PathLike[str]) -> float:
    """The pitch in metres that a library was made for.

    Raises:
        InputError: it cannot be read.
    """
    return PROXY_PITCH if os.fspath(source) == PROXY else read_atom_library(library_path(source)).pitch


def _pitch_of(camera: Camera, source: str | Path) -> float:
    if camera.lens.meta_atoms is not None:
        return camera.lens.meta_atoms.pitch_nm * 1e-9
    return library_pitch(source)


def site_estimate(camera: Camera, choice: Choice) -> int:
    """About how many sites a structure has: the disc's area over that of a site.

    Args:
        camera: whose lens it is.
        choice: how the structure is chosen.

    Returns:
        The number of sites, before any is chosen.
    """
    area = math.pi / 4 * camera.lens.aperture_m**2
    return round(area / (choice.pitch * row_pitch_of(choice.lattice, choice.pitch)))


def structure_of_camera(
    camera: Camera, choice: Choice | None, progress: Callable[[int, int], None] | None = None
) -> Structure:
    """The camera's own structure, or the one that is chosen.

    Args:
        camera: whose lens it is.
        choice: how, by :func:`choice_for`.
        progress: called with the number of rows done and their total.

    Returns:
        The structure, a meta-atom at each site within the aperture.

    Raises:
        InputError: a file is missing, or no structure comes near the phase.
    """
    if choice is None:
        assert camera.lens.structure is not None
        return camera.lens.structure.structure()
    if choice.targets is not None:
        return choose_polarised_structure(
            _first_phase(camera), choice.library, _structure_options(camera, choice), choice.targets, progress=progress
        )
    return choose_structure(
        metalens_of(camera),
        choice.library,
        _structure_options(camera, choice),
        progress=progress,
    )
