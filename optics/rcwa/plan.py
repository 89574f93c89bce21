"""A specification with its material data, checked before the computation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import lattice_vectors
from metalens.formats.meta_atoms.shapes import Family, Kind
from metalens.formats.meta_atoms.spec import LibrarySpec
from metalens.optics.rcwa.materials import refractive_index


@dataclass(frozen=True)
class LibraryPlan:
    """A specification with its numbers: metres, radians, complex refractive indices.

    Attributes:
        spec: the specification as read.
        geometry: ``[atom, parameter]``; of several families filled up with zeros.
        family: ``[atom]`` number of each one's family; None of one family.
        wavelength: ``[wavelength]``.
        angle: ``[angle]``.
        meta_atom: ``[wavelength]`` refractive index of the pillars, or of the layer that has the holes.
        substrate: ``[wavelength]``.
        surrounding: ``[wavelength]``.
    """

    spec: LibrarySpec
    geometry: np.ndarray
    family: np.ndarray | None
    wavelength: np.ndarray
    angle: np.ndarray
    meta_atom: np.ndarray
    substrate: np.ndarray
    surrounding: np.ndarray

    @property
    def shape(self) -> Kind:
        """Shape of all meta-atoms; see :class:`metalens.formats.meta_atoms.families.AtomTable`."""
        return self.spec.shape()

    @property
    def families(self) -> tuple[Family, ...]:
        """Shape, turn and vertices of the meta-atoms."""
        return self.spec.families()

    @property
    def pitch(self) -> float:
        """Pitch of the sites in metres."""
        return self.spec.array.pitch_nm * 1e-9

    @property
    def height(self) -> float:
        """Height of the meta-atoms in metres."""
        return self.spec.meta_atoms[0].height_nm * 1e-9

    @property
    def before(self) -> np.ndarray:
        """Refractive index on the side that light comes from."""
        return self.substrate if self.spec.light.comes_from == "substrate" else self.surrounding

    @property
    def behind(self) -> np.ndarray:
        """Refractive index on the other side."""
        return self.surrounding if self.spec.light.comes_from == "substrate" else self.substrate


def plan_library(spec: LibrarySpec) -> LibraryPlan:
    """Look up the materials and check that the incident wave is possible.

    Raises:
        InputError: a material is unknown or does not reach a wavelength; light comes from an absorbing medium or one of
            too low index; or the array has higher diffraction orders and the specification does not allow them.
    """
    wavelength = spec.light.wavelengths()
    indices = [
        refractive_index(material, wavelength)
        for material in (spec.materials.meta_atom, spec.materials.substrate, spec.materials.surrounding)
    ]
    angle = np.radians(spec.light.angle_deg)
    plan = LibraryPlan(spec, spec.geometry(), spec.family(), wavelength, angle, *indices)
    _check_incidence(plan)
    if not spec.light.allow_diffraction:
        _check_diffraction(plan)
    return plan


def _check_incidence(plan: LibraryPlan) -> None:
    side = plan.spec.light.comes_from
    if plan.before.imag.max() > 1e-6:
        raise InputError(
            f"{plan.spec.name}: light comes from the {side}, which absorbs (k up to {plan.before.imag.max():.2g}), so "
            "that incident power means nothing; give it a real index or let light come from the other side."
        )
    if np.sin(plan.angle.max()) >= plan.before.real.min():
        raise InputError(
            f"{plan.spec.name}: an angle_deg of {np.degrees(plan.angle.max()):g} in air does not exist in the {side}."
        )


def _check_diffraction(plan: LibraryPlan) -> None:
    vectors = np.linalg.inv(lattice_vectors(plan.spec.array.lattice)).T
    orders = [(i, j) for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)]
    for side in ("substrate", "surrounding"):
        index = getattr(plan, side).real
        for angle in plan.angle[::-1]:
            for order in orders:
                across = plan.wavelength[:, None] / plan.pitch * (np.array(order) @ vectors)
                across[:, 0] += np.sin(angle)
                leaves = np.hypot(*across.T) < index
                if leaves.any():
                    _refuse(plan, side, angle, order, int(np.argmax(leaves)))


def _refuse(plan: LibraryPlan, side: str, angle: float, order: tuple[int, int], place: int) -> None:
    # The shortest reciprocal lattice vectors have the length 2π/pitch, or 2/√3 times as much.
    longest = 1.0 if plan.spec.array.lattice == "square" else 2 / np.sqrt(3)
    index = max(plan.substrate.real.max(), plan.surrounding.real.max())
    enough = 1e9 * plan.wavelength[0] * longest / (index + np.sin(plan.angle.max()))
    raise InputError(
        f"{plan.spec.name}: at {1e9 * plan.wavelength[place]:.6g} nm and {np.degrees(angle):g}° the order {order} "
        f"leaves into the {side}, for the pitch is {plan.spec.array.pitch_nm:g} nm; a pitch under {enough:.4g} nm "
        "diffracts nowhere, or set light.allow_diffraction = true and have less light in the zeroth order."
    )
