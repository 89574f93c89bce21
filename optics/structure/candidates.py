"""The available meta-atoms, and the best one for a target phase."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import AtomKind
from metalens.formats.files.errors import InputError
from metalens.formats.files.linked_file import file_sha256
from metalens.formats.meta_atoms.library import AtomLibrary, library_path, read_atom_library, shipped_libraries
from metalens.formats.meta_atoms.shapes import parameters_of
from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range, is_duty_cycle
from metalens.optics.meta_atoms.named import PROXY
from metalens.optics.meta_atoms.proxy import nano_optics_proxy
from metalens.optics.structure.sites import geometry_in

LARGEST_TABLE = 4096
"""Meta-atoms to choose from: more make files for fabrication large, and no lens better."""

BLOCK = 2**15
"""Sites that are chosen for at once."""

STARTS, ROUNDS = 24, 40
"""Sets of pistons from which the alternation begins, and its longest run."""


PROXY_KIND = AtomKind("round_pillar", 705e-9, "Si3N4", "SiO2", PROXY)


@dataclass(frozen=True)
class Candidates:
    """Meta-atoms to choose from.

    Attributes:
        geometry: ``[atom, parameter]`` in metres.
        number: ``[atom]`` the same in the unit of the scalar library.
        library: their transmission.
        kind: shape, height and materials.
        family: ``[atom]`` number of each one's family; None of one family.
        contrast: ``[2, wavelength]`` wavelengths in metres, and how far the refractive indices of the meta-atoms and of
            what surrounds them differ; None if unknown.
    """

    geometry: np.ndarray
    number: np.ndarray
    library: MetaAtomLibrary
    kind: AtomKind
    family: np.ndarray | None = None
    contrast: np.ndarray | None = None

    def contrast_at(self, wavelength: float) -> float | None:
        """Contrast of the refractive index at a wavelength in metres; None if it is unknown."""
        return None if self.contrast is None else float(np.interp(wavelength, *self.contrast))

    def offered(self, wavelengths: Sequence[float] | np.ndarray) -> np.ndarray:
        """Complex transmission ``[atom, wavelength]`` at wavelengths in metres.

        Raises:
            InputError: a wavelength lies outside the library.
        """
        check_range(self.library, wavelength=wavelengths)
        return np.asarray(self.library.at(jnp.asarray(self.number)[:, None], jnp.asarray(wavelengths)), dtype=complex)


def candidates_of(
    library: str | os.PathLike[str] | AtomLibrary | MetaAtomLibrary,
    pitch: float,
    *,
    geometry: Sequence[float] | np.ndarray | None = None,
    step: float | None = None,
    kind: AtomKind | None = None,
) -> Candidates:
    """The meta-atoms of a library, or those of a list or of a grid between its smallest and its largest.

    Args:
        library: a name or a file, as computed, or a scalar one.
        pitch: of the sites in metres; it turns a duty cycle into a width.
        geometry: ``[atom]`` widths in metres, of a library of one parameter; by default those of its table.
        step: in metres: all multiples of it that the library holds, such as 5e-9 for what a mask writer can do.
        kind: what the meta-atoms have in common, where the library does not tell.

    Returns:
        Meta-atoms with their geometry in metres and their transmission.

    Raises:
        InputError: the library cannot be read or does not fit the pitch; a width lies outside it; or both a list and
            a step, or neither parameter nor kind, are given.
    """
    if isinstance(library, (str, os.PathLike)):
        if os.fspath(library) == PROXY:
            library, kind = nano_optics_proxy(), kind or PROXY_KIND
        else:
            path = library_path(library)
            found = read_atom_library(path)
            name = os.fspath(library) if os.fspath(library) in shipped_libraries() else Path(library).name
            kind = kind or replace(_kind_of(found), library_name=name, library_sha256=file_sha256(path))
            library = found
    if isinstance(library, AtomLibrary):
        if not math.isclose(library.pitch, pitch, rel_tol=1e-6):
            raise InputError(
                f"library {library.name}: was made for a pitch of {1e9 * library.pitch:g} nm, and sites "
                f"{1e9 * pitch:g} nm apart were asked for; its meta-atoms are known at that pitch alone."
            )
        kind = kind or _kind_of(library)
        table = library.geometry
        scalar = geometry_in(library, table, library.family)[1]
        unit = 1.0
    else:
        scalar, unit = library, pitch if is_duty_cycle(library) else 1.0
        table = np.asarray(library.geometry, dtype=float)[:, None] * unit
    if kind is None:
        raise InputError("structure: this library does not tell what its meta-atoms are; give kind, an AtomKind.")
    wanted = _wanted(table, geometry, step)
    if wanted.shape[1] != len(parameters_of(kind.shape)):
        raise InputError(
            f"structure: a {kind.shape} has the parameters {', '.join(parameters_of(kind.shape))}, and the library's "
            f"meta-atoms have {wanted.shape[1]}."
        )
    family = library.family if isinstance(library, AtomLibrary) else None
    number = geometry_in(library, wanted, family)[0] if isinstance(library, AtomLibrary) else wanted[:, 0] / unit
    check_range(scalar, geometry=number)
    contrast = _contrast_of(library) if isinstance(library, AtomLibrary) else None
    return Candidates(wanted, number, scalar, kind, family, contrast)


def _contrast_of(library: AtomLibrary) -> np.ndarray | None:
    if library.material_index is None or library.surrounding_index is None:
        return None
    return np.stack([library.wavelength, np.abs((library.material_index - library.surrounding_index).real)])


def _kind_of(library: AtomLibrary) -> AtomKind:
    return AtomKind(
        library.shape,
        library.height,
        library.material,
        library.substrate,
        library.name,
        families=library.families,
    )


def _wanted(table: np.ndarray, geometry: Sequence[float] | np.ndarray | None, step: float | None) -> np.ndarray:
    """Geometries ``[atom, parameter]`` in metres."""
    if geometry is not None and step is not None:
        raise InputError("structure: meta-atoms are given by a list or by a step; one of them was expected.")
    if geometry is None and step is None:
        return table
    if table.shape[1] > 1:
        raise InputError(
            f"structure: a list or a step of widths needs a library of one parameter, this one has {table.shape[1]}; "
            "leave it out to choose from the library's own meta-atoms."
        )
    if step is not None:
        if not (math.isfinite(step) and step > 0 and np.ptp(table) / step <= LARGEST_TABLE):
            raise InputError(
                f"structure: a step of {1e9 * step:g} nm through widths of {1e9 * table.min():g} to "
                f"{1e9 * table.max():g} nm does not give 1 to {LARGEST_TABLE} meta-atoms; 5 nm is usual."
            )
        # A millionth of a step, for a library whose ends were rounded.
        first, last = math.ceil(table.min() / step - 1e-6), math.floor(table.max() / step + 1e-6)
        return (np.arange(first, last + 1) * step)[:, None]
    widths = np.unique(np.asarray(geometry, dtype=float))
    if not 1 <= len(widths) <= LARGEST_TABLE or not np.isfinite(widths).all():
        raise InputError(f"structure: a list of {len(widths)} widths, 1 to {LARGEST_TABLE} finite ones were expected.")
    return widths[:, None]


def best_candidate(phase: np.ndarray, offered: np.ndarray, weight: np.ndarray, piston: np.ndarray) -> np.ndarray:
    """The candidate with the largest Σ w_λ Re[t(g, λ) exp(−i(φ_λ + c_λ))] at each site.

    Args:
        phase: ``[site, wavelength]`` wanted phases φ_λ in radians, or ``[site, 1]`` where they are the same.
        offered: ``[atom, wavelength]`` complex transmissions t.
        weight: ``[wavelength]`` w_λ.
        piston: ``[wavelength]`` c_λ in radians.

    Returns:
        ``[site]`` numbers of atoms; of equal atoms the first.
    """
    turned = weight * offered * np.exp(-1j * piston)
    if phase.shape[1] == 1:
        return _farthest(turned.sum(axis=1), phase[:, 0])
    pattern = np.concatenate([turned.real, turned.imag], axis=1).astype(np.float32).T
    chosen = np.empty(len(phase), dtype=np.int64)
    for start in range(0, len(phase), BLOCK):
        part = np.asarray(phase[start : start + BLOCK], dtype=np.float32)
        chosen[start : start + BLOCK] = np.argmax(
            np.concatenate([np.cos(part), np.sin(part)], axis=1) @ pattern, axis=1
        )
    return chosen


STRAIGHT = 1e-13
"""Twice the area of a triangle that is taken for a line, over the square of the largest |t|: it is due to rounding."""


def _farthest(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Numbers ``[direction]`` of the complex points ``[point]`` with the largest Re[z exp(−iφ)].

    It is a corner of their convex hull, between the normals of whose edges the direction lies.
    """
    corners = _hull(points)
    if len(corners) == 1:
        return np.full(len(direction), corners[0])
    edges = np.roll(points[corners], -1) - points[corners]
    normal = np.angle(-1j * edges)
    # From the normal before the first corner on, the normals ascend by a whole turn.
    ends = (normal[:-1] - normal[-1]) % (2 * np.pi)
    return corners[np.searchsorted(ends, (np.asarray(direction, dtype=float) - normal[-1]) % (2 * np.pi))]


def _hull(points: np.ndarray) -> np.ndarray:
    """Numbers of the corners of a convex hull, anticlockwise, by Andrew's monotone chain; of equal points the first."""
    _, first = np.unique(points, return_index=True)
    # Python's own numbers: NumPy's take ten times as long one by one.
    place: list[complex] = points.tolist()
    straight = STRAIGHT * float(np.abs(points).max()) ** 2
    chain: list[int] = []
    for order in (first.tolist(), first[::-1].tolist()):
        begun = len(chain)
        for number in order:
            while len(chain) >= begun + 2 and _turn(place[chain[-2]], place[chain[-1]], place[number]) <= straight:
                chain.pop()
            chain.append(number)
        chain.pop()
    return np.array(chain or first[:1].tolist())


def _turn(first: complex, second: complex, third: complex) -> float:
    """Twice the area of a triangle, positive if its corners lie anticlockwise."""
    along, further = second - first, third - first
    return along.real * further.imag - along.imag * further.real


def best_pistons(
    phase: np.ndarray, offered: np.ndarray, weight: np.ndarray, family: np.ndarray | None = None
) -> np.ndarray:
    """Best pistons c_λ ``[wavelength]``: a constant phase per wavelength does not change the image.

    Given the choice, the best piston of a wavelength is the angle of its mean first order; given the pistons, the
    choice is the best candidate of each site. Both steps raise the sum, so that their alternation ends; as it may end
    in a local maximum, it begins at many places, spread evenly by multiples of an irrational number.

    Args:
        phase: ``[site, wavelength]`` or ``[site, 1]`` wanted phases in radians at places that stand for all.
        offered: ``[atom, wavelength]`` complex transmissions.
        weight: ``[wavelength]``.
        family: ``[atom]`` of several families: the alternation then begins at the best pistons of each family, too, so
            that the choice from all of them is not worse than that from one.

    Returns:
        ``[wavelength]`` in radians.
    """
    wavelengths = len(weight)
    wanted = np.exp(-1j * phase)
    # The generalised golden ratio: x^(d+1) = x + 1, by its own iteration.
    ratio = 2.0
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (wavelengths + 1))
    spread = np.arange(STARTS if wavelengths > 1 else 4)[:, None] / ratio ** np.arange(1, wavelengths + 1)
    starts = [*(2 * np.pi * (spread % 1))]
    if family is not None:
        starts += [best_pistons(phase, offered[family == each], weight) for each in np.unique(family)]
    best, most = np.zeros(wavelengths), -1.0
    for piston in starts:
        before = np.empty(0)
        for _ in range(ROUNDS):
            chosen = best_candidate(phase, offered, weight, piston)
            if np.array_equal(chosen, before):
                break
            before = chosen
            order = (offered[chosen] * wanted).mean(axis=0)
            piston = np.angle(order)
        worth = float(weight @ np.abs(order))
        if worth > most * (1 + 1e-9):
            best, most = piston, worth
    return best
