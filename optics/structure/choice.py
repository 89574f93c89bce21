"""From phase to structure: the best meta-atom for each site, by the local periodic approximation.

Each meta-atom transmits like a periodic array of equal ones. So it can be chosen site by site, maximising

    Σ_λ w_λ Re[t(g, λ) exp(−i(φ(r) + c_λ))],

whose sum over all sites is the weighted amplitude of the desired wave: Σ_λ w_λ √efficiency is then maximal. The pistons
c_λ are free, since the image does not depend on them. The approximation is valid where neighbours are similar, which is
not the case where the phase is wrapped, all the more the steeper it is.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.structure import EMPTY, LARGEST_SIDE, AtomKind, Structure, site_positions
from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import AtomLibrary, Lattice
from metalens.formats.meta_atoms.shapes import parameters_of
from metalens.optics.aperture import Aperture
from metalens.optics.meta_atoms.library import MetaAtomLibrary, check_range
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Phase
from metalens.optics.structure.candidates import Candidates, best_candidate, best_pistons, candidates_of
from metalens.optics.structure.fit import Fit, check_pitch, fit_of_products, opening_points
from metalens.optics.structure.group_delay import GroupDelay, group_delay
from metalens.optics.structure.lattice import cell_reach, lattice_size, nearest_site
from metalens.optics.structure.options import StructureOptions, Wanted, wanted_of
from metalens.optics.structure.radial_geometry import RadialGeometry
from metalens.optics.structure.sites import sites_of

LARGEST_PHASE_ERROR = 0.5
"""Root mean square in radians, over sites and weighted wavelengths: exp(−0.25), 78 %, of the light is then left."""

ROWS_SITES = 2**18
"""Sites whose phase is computed at once, in whole rows."""

SAMPLES = 1024
"""Places of the lens that stand for all where pistons are sought."""

_log = logging.getLogger(__name__)


def choose_structure(
    lens: Metalens,
    library: str | os.PathLike[str] | AtomLibrary | MetaAtomLibrary,
    options: StructureOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Structure:
    """Choose a meta-atom for each site of a lens. Every site whose cell reaches into the opening gets one.

    Args:
        lens: gives the target phase, or the target geometry if it has a radial geometry.
        library: the meta-atoms: a library's name or file, one as it was computed, or a scalar one.
        options: pitch, lattice, design wavelengths and criteria of the choice.
        progress: called with the number of rows done and their total.

    Returns:
        The structure. Its ``provenance`` contains the design wavelengths, their weights, pistons and efficiencies,
        the root mean square phase error, and remarks.

    Raises:
        InputError: the library does not cover the phase (with the remaining error), the pitch is too large for
            it, or the options do not fit together.
    """
    wanted = wanted_of(lens, options)
    pitch, lattice = options.pitch, options.lattice
    check_size(lens, pitch, lattice)
    candidates = candidates_of(library, pitch, geometry=options.geometry, step=options.step, kind=options.kind)
    remarks = check_pitch(lens, pitch, lattice, wanted.wavelengths)
    offered = candidates.offered(wanted.wavelengths)
    judged = offered if options.weigh_amplitude else offered / np.abs(offered)
    over_the_lens = wanted.at(*opening_points(lens, SAMPLES))
    piston = best_pistons(over_the_lens, judged, wanted.weights, candidates.family)
    delay = _group_delay(lens, candidates, wanted) if wanted.dispersion else None
    if delay is not None and not delay.possible:
        remarks.append(f"no meta-atoms of this height delay enough: {delay.told()}")
    radial = lens.structure if isinstance(lens.structure, RadialGeometry) else None

    def choose(y: np.ndarray, x: np.ndarray, inside: np.ndarray) -> np.ndarray:
        if radial is not None:
            return _nearest(candidates.number, np.asarray(jax.jit(radial.geometry_at)(y, x))[inside])
        return best_candidate(wanted.at(y, x)[inside], judged, wanted.weights, piston)

    site_index = fill_sites(lens, pitch, lattice, choose, progress)
    fit = _fit(lens, site_index, pitch, lattice, wanted, offered)
    remarks += _gaps(fit, wanted, options.allow_gaps or radial is not None, delay)
    for remark in remarks:
        _log.warning("structure %s: %s", options.name, remark)
    return Structure(
        lattice=lattice,
        pitch=pitch,
        site_index=site_index,
        geometry=np.asarray(candidates.geometry, dtype=np.float64),
        family=candidates.family,
        parameter_names=parameters_of(candidates.kind.shape),
        name=options.name,
        provenance=_provenance(wanted, fit, remarks, delay),
        **vars(candidates.kind),
    )


def check_choice(lens: Metalens, library: str | os.PathLike[str], options: StructureOptions) -> None:
    """Check what :func:`choose_structure` is asked for, before the sites are gone through.

    Args:
        lens: as :func:`choose_structure`.
        library: as :func:`choose_structure`, a name or a file.
        options: as :func:`choose_structure`.

    Raises:
        InputError: as :func:`choose_structure`.
    """
    wanted = wanted_of(lens, options)
    check_size(lens, options.pitch, options.lattice)
    check_range(candidates_of(library, options.pitch).library, wavelength=wanted.wavelengths)
    check_pitch(lens, options.pitch, options.lattice, wanted.wavelengths)


def check_size(lens: Metalens, pitch: float, lattice: Lattice) -> None:
    """Refuse pitches that do not fit a lens.

    Args:
        lens: whose sites they are.
        pitch: of the sites in metres.
        lattice: of the sites.

    Raises:
        InputError: the pitch is no length between a nanometre and half of the lens, or there are too many sites.
    """
    diameter = float(lens.aperture_diameter)
    if not (math.isfinite(pitch) and 1e-9 <= pitch <= 0.5 * diameter):
        raise InputError(
            f"structure: a pitch of {1e9 * pitch:g} nm does not fit a lens of {1e6 * diameter:g} "
            "µm; metres are expected, and more than two sites across."
        )
    rows, columns = lattice_size(lattice, pitch, diameter)
    if max(rows, columns) > LARGEST_SIDE:
        raise InputError(
            f"structure: {rows} × {columns} sites, {1e9 * pitch:g} nm apart, are more than {LARGEST_SIDE} a side; "
            "choose a larger pitch."
        )


def fill_sites(
    lens: Metalens,
    pitch: float,
    lattice: Lattice,
    choose: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    progress: Callable[[int, int], None] | None,
    *,
    symmetric: bool | None = None,
) -> np.ndarray:
    """Choose for the sites of a lens, a block of rows at a time.

    Args:
        lens: whose opening the sites fill.
        pitch: of the sites in metres.
        lattice: of the sites.
        choose: called with y and x ``[row, column]`` in metres and which sites are wanted; returns their numbers.
        progress: called with the number of rows done and their total.
        symmetric: whether the choice is rotationally symmetric; None takes that of the lens' phase.

    Returns:
        ``[row, column]`` uint16; ``EMPTY`` outside the opening.
    """
    radius = 0.5 * float(lens.aperture_diameter)
    size = lattice_size(lattice, pitch, 2 * radius)
    folds = lattice == "square" and (lens.phase.rotationally_symmetric if symmetric is None else symmetric)
    # One quarter stands for all, if the opening has the symmetry, too.
    quarter = folds and lens.aperture.rotationally_symmetric
    tall, wide = (-(-side // 2) for side in size) if quarter else size
    found = np.full((tall, wide), EMPTY, dtype=np.uint16)
    rows = min(tall, max(1, ROWS_SITES // wide))
    for start in range(0, tall, rows):
        # All blocks have one size, for which one function is compiled; the last one overlaps.
        first = min(start, tall - rows)
        y, x = site_positions(lattice, pitch, size, np.arange(first, first + rows))
        y, x = np.broadcast_arrays(y, x[:, :wide])
        inside = np.asarray(_edge_distance(lens.aperture, y, x, radius)) <= cell_reach(lattice, pitch)
        if folds:
            # All sites of an orbit get the same numbers, so that the structure has the lattice's symmetry to the bit.
            y, x = np.minimum(np.abs(y), np.abs(x)), np.maximum(np.abs(y), np.abs(x))
        found[first : first + rows][inside] = choose(y, x, inside)
        if progress is not None:
            progress(first + rows, tall)
    return _unfolded(found, size) if quarter else found


def _unfolded(quarter: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A lattice from its upper left quarter, which holds the middle row and column of an odd number of them."""
    if quarter.shape[0] == quarter.shape[1]:
        # Of two sites with equal phases to the last bit but one, the choice may differ: one stands for both.
        for row in range(len(quarter)):
            quarter[row + 1 :, row] = quarter[row, row + 1 :]
    whole = np.empty(size, dtype=quarter.dtype)
    (tall, wide), (rows, columns) = quarter.shape, size
    whole[:tall, :wide] = quarter
    whole[:tall, wide:] = quarter[:, : columns - wide][:, ::-1]
    whole[tall:] = whole[: rows - tall][::-1]
    return whole


@jax.jit
def _edge_distance(aperture: Aperture, y: jax.Array, x: jax.Array, radius: float) -> jax.Array:
    return aperture.edge_distance(y, x, radius)


def _nearest(offered: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Indices of the available values that are nearest to the requested ones."""
    order = np.argsort(offered)
    ascending = offered[order]
    return order[np.searchsorted(0.5 * (ascending[1:] + ascending[:-1]), asked)]


def _fit(
    lens: Metalens,
    site_index: np.ndarray,
    pitch: float,
    lattice: Lattice,
    wanted: Wanted,
    offered: np.ndarray,
) -> Fit:
    """Phase error and efficiency of the choice, at the sites themselves."""
    places = opening_points(lens, 2**16)
    size = (site_index.shape[0], site_index.shape[1])
    row, column = (np.asarray(each) for each in nearest_site(lattice, pitch, size, *map(jnp.asarray, places)))
    y, x = site_positions(lattice, pitch, size, np.arange(size[0]))
    phase = wanted.at(y[row, 0], x[row, column])
    return fit_of_products(offered[site_index[row, column]] * np.exp(-1j * phase.astype(float)))


def _group_delay(lens: Metalens, candidates: Candidates, wanted: Wanted) -> GroupDelay:
    """Group delay of the lens' own phase, at the places that stand for all."""
    phase = replace(wanted, dispersion=0.0).at(*opening_points(lens, SAMPLES))
    return group_delay(phase, wanted.wavelengths, wanted.dispersion, candidates)


def _gaps(fit: Fit, wanted: Wanted, allowed: bool, delay: GroupDelay | None) -> list[str]:
    """Refuse, or remark on, a library that does not cover the target phase."""
    error = math.sqrt(float(wanted.weights @ fit.phase_error**2))
    if error <= LARGEST_PHASE_ERROR:
        return []
    worst = int(fit.phase_error.argmax())
    told = (
        f"the library does not reach the wanted phase: the best choice errs by {error:.2f} rad root mean square, by "
        f"{fit.phase_error[worst]:.2f} rad at {1e9 * wanted.wavelengths[worst]:.0f} nm"
    )
    if delay is not None:
        told = f"{told} ({delay.told()})"
    if not allowed:
        raise InputError(
            f"structure: {told}, at most {LARGEST_PHASE_ERROR:g} rad was expected; take higher meta-atoms or a wider "
            f"range of them, or weigh one wavelength more{', or ask for a smaller dispersion' if delay else ''}."
        )
    return [told]


def _provenance(wanted: Wanted, fit: Fit, remarks: list[str], delay: GroupDelay | None = None) -> dict[str, str]:
    def row(values: np.ndarray, digits: str) -> str:
        return " ".join(format(value, digits) for value in values)

    told = {
        "design_wavelengths_nm": row(1e9 * wanted.wavelengths, ".6g"),
        "design_weights": row(wanted.weights, ".4g"),
        "design_pistons_rad": row(fit.piston, ".4f"),
        "design_efficiency": row(fit.efficiency, ".4f"),
        "design_phase_error_rad": row(fit.phase_error, ".4f"),
        "model": "local periodic approximation",
    }
    if delay is not None:
        told |= {
            "design_dispersion": f"{wanted.dispersion:g}",
            "group_delay_asked_fs": f"{1e15 * delay.asked:z.3f}",
            "group_delay_of_meta_atoms_fs": f"{1e15 * delay.offered:z.3f}",
            "delay_times_bandwidth": f"{delay.product:.4f}",
        }
        if delay.bound is not None:
            told["delay_times_bandwidth_bound"] = f"{delay.bound:.4f}"
    return told | ({"remarks": "; ".join(remarks)} if remarks else {})


def radial_geometry_of(
    lens: Metalens,
    library: MetaAtomLibrary,
    *,
    spacing: float,
    wavelengths: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray | None = None,
    phases: Sequence[Phase] | None = None,
) -> RadialGeometry:
    """Starting geometry of a design: the radial geometry nearest to the phase of a rotationally symmetric lens.

    Args:
        lens: gives the target phase.
        library: the meta-atoms.
        spacing: of the control points in metres, such as the pitch.
        wavelengths: of the design in metres.
        weights: weight of each wavelength.
        phases: a target phase for each wavelength, instead of the lens' phase for all; rotationally symmetric.

    Returns:
        Geometry in metres at equal distances of radius.

    Raises:
        InputError: the lens is not rotationally symmetric, the spacing does not fit it, or a wavelength lies outside
            the library.
    """
    if not all(phase.rotationally_symmetric for phase in phases or [lens.phase]):
        raise InputError("structure: a radial geometry was asked for a phase that is not rotationally symmetric.")
    wanted = wanted_of(lens, StructureOptions(spacing, wavelengths, weights=weights, phases=phases))
    radius = 0.5 * float(lens.aperture_diameter)
    if not (math.isfinite(spacing) and 0 < spacing <= radius):
        raise InputError(
            f"structure: a spacing of {1e9 * spacing:.6g} nm does not fit a radius of {1e9 * radius:.6g} nm; give "
            "metres, and at most the radius."
        )
    number = np.linspace(float(library.geometry[0]), float(library.geometry[-1]), 1024)
    candidates = Candidates(number[:, None], number, library, AtomKind("round_pillar", 1e-6))
    offered = candidates.offered(wanted.wavelengths)
    piston = best_pistons(wanted.at(*opening_points(lens, SAMPLES)), offered, wanted.weights)
    along = spacing * np.arange(math.ceil(radius / spacing - 1e-9) + 1)
    chosen = best_candidate(wanted.at(np.zeros_like(along), along), offered, wanted.weights, piston)
    return RadialGeometry(number[chosen], spacing, library)


def with_structure(lens: Metalens, library: MetaAtomLibrary | AtomLibrary, structure: Structure) -> Metalens:
    """The lens as fabricated: its transmission follows from the sites, windows and samplings from its phase.

    Args:
        lens: as it was designed.
        library: of the meta-atoms.
        structure: which of them stands at each site.

    Returns:
        A lens that responds by its sites; the phase stays as the nominal one.
    """
    return replace(lens, structure=sites_of(structure, library))
