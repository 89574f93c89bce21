"""What a verification computes, checked before the first supercell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json
from metalens.formats.camera.design_wavelength import design_wavelength
from metalens.formats.camera.surfaces import refuse_surfaces
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary
from metalens.optics.fabrication import library_of
from metalens.optics.from_lens_toml import metalens_of
from metalens.optics.meta_atoms.library import MetaAtomLibrary
from metalens.optics.meta_atoms.oblique import check_angles
from metalens.optics.meta_atoms.of_camera import atom_library_of
from metalens.optics.metalens import Metalens
from metalens.optics.rcwa.supercell import ORDERS_PER_ATOM, supercell_of
from metalens.optics.verification.zones import zone_radii

CONSTANT_PHASES = 4
"""Zones of one width that are averaged: a lens has all constant phases, and sharp resonances at some of them."""


@dataclass(frozen=True)
class VerificationPlan:
    """Zones, wavelengths and fields of a lens.

    Attributes:
        camera: of the lens.
        lens: made of it.
        library: as it was computed, with refractive indices.
        zones: number of meta-atoms of a zone → its radius in metres.
        wavelengths: in metres.
        fields: angles of incidence in air in radians, ascending.
        azimuths: of the planes of incidence in radians, at fields off the axis.
        tolerance: largest change of a share at the last step to more Fourier orders.
        orders_per_atom: Fourier orders for each meta-atom that are tried, ascending.
        constant_phases: zones that differ in their constant phase, for each number of meta-atoms.
    """

    camera: Camera
    lens: Metalens
    library: AtomLibrary
    zones: dict[int, float]
    wavelengths: tuple[float, ...]
    fields: tuple[float, ...]
    azimuths: tuple[float, ...]
    tolerance: float
    orders_per_atom: tuple[int, ...]
    constant_phases: int

    @property
    def incidences(self) -> list[tuple[float, float]]:
        """Pairs of field and azimuth; on the axis one azimuth."""
        return [(field, turn) for field in self.fields for turn in (self.azimuths if field > 0 else self.azimuths[:1])]

    def solutions(self, count: int, orders: int) -> dict[int, int]:
        """Fourier orders of a supercell → how many incidences are solved with them, of the zones of one width.

        Args:
            count: meta-atoms of the zone.
            orders: for each meta-atom, with which its shares converge.

        Returns:
            The number of incidences for each number of Fourier orders.
        """
        tried = [step for step in self.orders_per_atom if step <= orders]
        found = {count * step: 2 * len({self.fields[0], self.fields[-1]}) for step in tried}
        for _, turn in self.incidences:
            # Without the mirror symmetry there are twice as many unknowns, and eight times the work.
            work = 8 if abs(math.sin(turn)) > 1e-9 else 1
            found[count * orders] += 2 * work * self.constant_phases
            for step in tried[-2:]:
                found[count * step] += 2 * work
        return found

    def asked(self) -> dict[str, Any]:
        """What the results depend on, as JSON."""
        return {
            **camera_to_json(self.camera),
            "zones": {str(count): radius for count, radius in self.zones.items()},
            "wavelengths": list(self.wavelengths),
            "fields": list(self.fields),
            "azimuths": list(self.azimuths),
            "tolerance": self.tolerance,
            "orders_per_atom": list(self.orders_per_atom),
            "constant_phases": self.constant_phases,
        }


def plan_of_json(asked: dict[str, Any]) -> VerificationPlan:
    """The plan of :meth:`VerificationPlan.asked`."""
    camera = camera_of_json({name: asked[name] for name in ("lens_toml", "folder")})
    return VerificationPlan(
        camera,
        metalens_of(camera),
        atom_library_of(camera),
        {int(count): radius for count, radius in asked["zones"].items()},
        tuple(asked["wavelengths"]),
        tuple(asked["fields"]),
        tuple(asked["azimuths"]),
        asked["tolerance"],
        tuple(asked["orders_per_atom"]),
        asked["constant_phases"],
    )


def plan_verification(
    camera: Camera,
    *,
    wavelengths: Sequence[float] | None = None,
    fields: Sequence[float] | None = None,
    zones: int = 5,
    most_pillars: int = 10,
    sagittal: bool = False,
    tolerance: float = 0.02,
    orders_per_atom: Sequence[int] = ORDERS_PER_ATOM,
    constant_phases: int = CONSTANT_PHASES,
) -> VerificationPlan:
    """Choose the supercells of a lens.

    Args:
        camera: with meta-atoms of a library that was computed here.
        wavelengths: in metres; by default the camera's design wavelength.
        fields: angles of incidence in air in radians; by default the axis, half of the corner's angle and that.
        zones: how many zones, from the narrowest to the widest that are computed.
        most_pillars: of the widest zone.
        sagittal: also compute planes of incidence across the zone's phase, which takes eight times as long.
        tolerance: largest change of a share at the last step to more Fourier orders.
        orders_per_atom: Fourier orders for each meta-atom that are tried, ascending, at least two.
        constant_phases: zones that differ in their constant phase, for each number of meta-atoms; their mean counts.

    Returns:
        Zones, wavelengths, fields and planes of incidence that will be computed.

    Raises:
        InputError: the lens has no meta-atoms, its library no refractive indices, angles or wavelengths that are asked
            for, or its zones cannot be told.
    """
    refuse_surfaces("verify", camera.lens.surfaces)
    library = atom_library_of(camera)
    lens = metalens_of(camera)
    scalar = library_of(lens)
    assert scalar is not None
    chosen = tuple(wavelengths) if wavelengths else (design_wavelength(camera),)
    angles = tuple(sorted(fields)) if fields is not None else _default_fields(camera)
    lens.check(np.array(chosen))
    _check_fields(scalar, library, angles)
    supercell_of(library, library.geometry[:2], chosen[0])
    all_zones = zone_radii(lens, library.pitch, most_pillars)
    counts = sorted(all_zones)
    kept = sorted({counts[round(place)] for place in np.linspace(0, len(counts) - 1, max(1, zones))})
    turns = (0.0, math.pi / 2, math.pi) if sagittal else (0.0, math.pi)
    return VerificationPlan(
        camera,
        lens,
        library,
        {count: all_zones[count] for count in kept},
        chosen,
        angles,
        turns,
        tolerance,
        tuple(orders_per_atom),
        constant_phases,
    )


def _check_fields(scalar: MetaAtomLibrary, library: AtomLibrary, fields: tuple[float, ...]) -> None:
    if scalar.oblique is not None:
        check_angles(scalar.oblique, math.sin(fields[-1]) ** 2, f"verify: light of {math.degrees(fields[-1]):.3g}°")
    elif fields[-1] > 0:
        raise InputError(
            f"verify: the lens takes its library {library.name} at normal incidence, so that there is nothing to "
            f'compare {math.degrees(fields[-1]):.3g}° with; use --fields-deg 0, or set incidence = "local" in [lens].'
        )


def _default_fields(camera: Camera) -> tuple[float, ...]:
    corner = 0.5 * math.hypot(*camera.sensor.pixels) * camera.sensor.pixel_pitch_m
    angle = math.atan2(corner, camera.lens.focal_length_m)
    return 0.0, 0.5 * angle, angle
