"""The zones of a lens that are a whole number of meta-atoms wide, and the meta-atoms in them.

Where its phase falls by 2π over N sites, a lens is locally a grating of N meta-atoms. Between such places the pattern
of a zone changes from period to period, and its efficiency is taken to lie between.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import EMPTY
from metalens.formats.files.errors import InputError
from metalens.optics.meta_atoms import MetaAtomLibrary, MetaAtoms
from metalens.optics.metalens import Metalens
from metalens.optics.structure import RadialGeometry, Sites
from metalens.optics.structure.fit import steepest_turn
from metalens.optics.structure.lattice import nearest_site

SAMPLES = 4096
"""Radii at which the slope of the phase is looked at."""

PISTONS = 48
"""Constant phases of which the zone's best is taken: the sites of a real zone have all of them."""


@dataclass(frozen=True)
class Zone:
    """One zone of a lens.

    Attributes:
        radius: where it is, in metres.
        geometry: ``[meta-atom]`` in the library's unit; the phase falls from one to the next.
        constant_phase: of the first meta-atom, in radians.
    """

    radius: float
    geometry: np.ndarray
    constant_phase: float


def zone_radii(lens: Metalens, pitch: float, most_atoms: int) -> dict[int, float]:
    """Radii at which a zone is N sites wide.

    Args:
        lens: with a rotationally symmetric phase.
        pitch: of the sites in metres.
        most_atoms: largest N.

    Returns:
        N → outermost such radius in metres, ascending in N from 2.

    Raises:
        InputError: the phase is not rotationally symmetric, or no zone is so narrow.
    """
    if not lens.phase.rotationally_symmetric:
        raise InputError(
            "verify: the phase is not rotationally symmetric, so that its zones are not told by their radius; verify a "
            "lens of a symmetric phase."
        )
    radius = 0.5 * float(lens.aperture_diameter) * np.arange(SAMPLES + 1) / SAMPLES
    phase = np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(radius)), dtype=float)
    turn = np.abs(np.gradient(phase, radius)) / (2 * np.pi) * pitch
    found = {}
    for count in range(2, most_atoms + 1):
        beyond = turn - 1 / count
        crossing = np.flatnonzero(beyond[:-1] * beyond[1:] <= 0)
        if crossing.size:
            place = int(crossing[-1])
            share = beyond[place] / (beyond[place] - beyond[place + 1])
            found[count] = float(radius[place] + share * (radius[place + 1] - radius[place]))
    if not found:
        narrowest = 1 / max(steepest_turn(lens) * pitch, 1e-9)
        raise InputError(
            f"verify: the narrowest zone of the lens is {narrowest:.1f} meta-atoms wide, and zones of up to "
            f"{most_atoms} are computed; raise --most-pillars."
        )
    return found


def zones_at(
    lens: Metalens, radius: float, count: int, pitch: float, wavelength: float, constant_phases: int
) -> list[Zone]:
    """The meta-atoms of zones of one width, which differ in their constant phase.

    Of a response they are those that it chooses for phases that fall by 2π/N. Of a structure they are those of its own
    sites near the radius whose wanted phases are nearest to these. The first zone has the constant phase that is best
    by the local periodic approximation, the others divide 2π/N evenly from there: by a whole step the meta-atoms only
    change places.

    Args:
        lens: of meta-atoms.
        radius: of the zone in metres.
        count: N.
        pitch: of the sites in metres.
        wavelength: in metres, at which the best constant phase is chosen.
        constant_phases: how many zones.

    Returns:
        A zone for each constant phase, its meta-atoms in the order of the falling phase.
    """
    pistons = 2 * np.pi * np.arange(PISTONS) / PISTONS
    chosen, wanted = _chosen(lens, radius, count, pitch, pistons)
    through = np.asarray(_library(lens).at(jnp.asarray(chosen), jnp.asarray(wavelength)))
    best = int(np.abs((through * np.exp(-1j * wanted)).mean(axis=1)).argmax())
    steps = pistons[best] + 2 * np.pi / count * np.arange(constant_phases) / constant_phases
    geometries, _ = _chosen(lens, radius, count, pitch, steps)
    return [Zone(radius, each, float(phase)) for each, phase in zip(geometries, steps, strict=True)]


def _chosen(
    lens: Metalens, radius: float, count: int, pitch: float, constant_phases: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Geometries and wanted phases ``[constant phase, meta-atom]`` of zones."""
    wanted = constant_phases[:, None] - 2 * np.pi * np.arange(count) / count
    if lens.structure is None:
        assert isinstance(lens.response, MetaAtoms)
        chosen = np.asarray(lens.response.chosen_geometry(jnp.asarray(wanted)), dtype=float)
    else:
        place = _sites_near(radius, count, pitch)
        phase = np.asarray(lens.phase.at(jnp.zeros(1), jnp.asarray(place)), dtype=float)
        own, known = geometry_along(lens, place)
        distance = np.abs(np.exp(1j * phase) - np.exp(1j * wanted)[..., None]) + np.where(known, 0.0, 10.0)
        chosen = own[distance.argmin(axis=-1)]
    return chosen, wanted


def _library(lens: Metalens) -> MetaAtomLibrary:
    if lens.structure is not None:
        assert isinstance(lens.structure, Sites | RadialGeometry)
        return lens.structure.library
    assert isinstance(lens.response, MetaAtoms)
    return lens.response.library


def _sites_near(radius: float, count: int, pitch: float) -> np.ndarray:
    """Places along +x of sites within two zones of a radius, the lens' centre between or on sites alike."""
    steps = np.arange(-2 * count, 2 * count + 1)
    place = pitch * (np.round(radius / pitch) + steps)
    return np.asarray(place[place >= 0])


def geometry_along(lens: Metalens, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Geometries of the meta-atoms at places along x.

    Args:
        lens: of meta-atoms.
        place: ``[site]`` x in metres from the lens' centre.

    Returns:
        ``[site]`` in the library's unit, and ``[site]`` whether there is a meta-atom.
    """
    built = lens.structure
    if built is None:
        assert isinstance(lens.response, MetaAtoms)
        phase = lens.phase.at(jnp.zeros(len(place)), jnp.asarray(place))
        return np.asarray(lens.response.chosen_geometry(phase), dtype=float), np.ones(len(place), dtype=bool)
    if isinstance(built, RadialGeometry):
        found = np.asarray(built.geometry_at(jnp.zeros(1), jnp.asarray(place)), dtype=float)
        return found, np.ones(len(place), dtype=bool)
    assert isinstance(built, Sites)
    rows, columns = built.site_index.shape
    row, column = nearest_site(built.lattice, built.pitch, (rows, columns), jnp.zeros(len(place)), jnp.asarray(place))
    atom = np.asarray(built.site_index)[np.asarray(row), np.asarray(column)]
    there = atom != EMPTY
    return np.asarray(built.geometry, dtype=float)[np.where(there, atom, 0)], there
