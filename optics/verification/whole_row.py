"""All meta-atoms along a diameter of a small lens as one supercell, against the local periodic approximation.

Repeated across, the row is a cylindrical lens. Its field is that of the supercell over one period, so that every
meta-atom has its own neighbours, where a zone's supercell repeats one pattern. The field behind the row, by the
approximation, with the correction by zones and as computed whole, is brought to the focus by the same angular spectrum.
Amplitudes are those of the power in each plane wave.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.verification import Verification
from metalens.formats.meta_atoms.whole_row import RowFunction, WholeRow
from metalens.optics.aperture import Circle
from metalens.optics.fabrication import library_of
from metalens.optics.neighbours import Neighbours, neighbours_of
from metalens.optics.phase.gradient import phase_slope
from metalens.optics.rcwa.supercell import SupercellSolver, supercell_of
from metalens.optics.verification.plan import VerificationPlan
from metalens.optics.verification.zone import local_transmission
from metalens.optics.verification.zones import geometry_along

MOST_ORDERS = 1600
"""Fourier orders of a row: the time grows with their cube, the memory with their square."""

SAMPLES = 14
"""Samples of the field to a site."""

WIDTHS = 8
"""Half of the line spread function's length, in wavelengths over the numerical aperture."""


@dataclass(frozen=True)
class Row:
    """The meta-atoms along a diameter.

    Attributes:
        place: ``[site]`` x in metres from the lens' centre.
        geometry: ``[site]`` in the library's unit.
        orders: Fourier orders for each meta-atom: those of the last step but one, and of the last.
    """

    place: np.ndarray
    geometry: np.ndarray
    orders: tuple[int, int]


def row_of(plan: VerificationPlan) -> Row:
    """The row of a lens, checked before anything is computed.

    Args:
        plan: of the verification.

    Returns:
        The meta-atoms from one rim to the other.

    Raises:
        InputError: the lens has a stop, a cover glass or an opening that is no disc, a site along the row is empty, or
            there are more meta-atoms than can be computed together.
    """
    lens, pitch = plan.lens, plan.library.pitch
    parts = {
        "a stop in front": lens.stop is not None,
        "a cover glass": lens.cover_glass is not None,
        "an opening that is no disc": not isinstance(lens.aperture, Circle),
    }
    for name, has in parts.items():
        if has:
            raise InputError(
                f"verify --whole-row: the lens has {name}, and the row is computed for a lens alone in air; leave it "
                "out of the lens.toml, or verify zones alone."
            )
    half = int(0.5 * float(lens.aperture_diameter) / pitch)
    place = pitch * np.arange(-half, half + 1)
    steps = [each for each in plan.orders_per_atom if each * len(place) <= MOST_ORDERS]
    if len(steps) < 2:
        second = sorted(plan.orders_per_atom)[1]
        raise InputError(
            f"verify --whole-row: {len(place)} meta-atoms lie along the diameter, and at most {MOST_ORDERS // second} "
            f"are computed together with {second} Fourier orders each; take a smaller aperture, or verify zones alone."
        )
    geometry, known = geometry_along(lens, place)
    if not known.all():
        raise InputError(
            f"verify --whole-row: {np.count_nonzero(~known)} of the {len(place)} sites along the diameter have no "
            "meta-atom; every site of the row needs one."
        )
    return Row(place, geometry, (steps[-2], steps[-1]))


def solve_row(plan: VerificationPlan, row: Row, orders: int) -> None:
    """Solve a row once, to measure its time.

    Args:
        plan: of the verification.
        row: some of its meta-atoms.
        orders: Fourier orders for each of them.
    """
    cell = supercell_of(plan.library, row.geometry[:, None], plan.wavelengths[0])
    SupercellSolver(cell, orders).scattered(plan.fields[-1], 0.0, "s")


def whole_row(
    plan: VerificationPlan,
    row: Row,
    zones: Verification | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> WholeRow:
    """Compute a row at all wavelengths and fields of a verification.

    Args:
        plan: of the verification.
        row: from :func:`row_of`.
        zones: the finished verification, from which the correction follows; None without one.
        progress: called with the number of functions done and their total.

    Returns:
        Line spread functions, the light in them, and their distances from that of the whole row.
    """
    correction, why = _correction(zones)
    total, found = 2 * len(plan.wavelengths) * len(plan.fields), list[RowFunction]()
    for wavelength in plan.wavelengths:
        cell = supercell_of(plan.library, row.geometry[:, None], wavelength)
        solvers = [SupercellSolver(cell, each) for each in row.orders]
        for field in plan.fields:
            for number, polarisation in enumerate("sp"):
                light = _Light(plan, row, wavelength, field)
                fewer, whole = (light.at_focus(light.behind(each, polarisation)) for each in solvers)
                local = light.local(number)
                corrected = None if correction is None else light.at_focus(local * light.factor(correction, number))
                found.append(_function(light, polarisation, light.at_focus(local), corrected, fewer, whole))
                progress(len(found), total)
    return WholeRow(
        camera=plan.camera.name,
        lens_hash=plan.camera.hash,
        library=plan.library.name,
        meta_atoms=len(row.place),
        orders_per_pillar=row.orders[-1],
        uncorrected=why,
        functions=tuple(found),
    )


def _correction(zones: Verification | None) -> tuple[Neighbours | None, str | None]:
    """What zones say of neighbours, or why they say nothing."""
    if zones is None:
        return None, "no zones were verified"
    try:
        return neighbours_of(zones, flat_cells=True, orders=()), None
    except InputError as error:
        return None, str(error)


class _Light:
    """Light of one wavelength and direction on the row."""

    def __init__(self, plan: VerificationPlan, row: Row, wavelength: float, field: float) -> None:
        self.plan, self.row, self.wavelength, self.field = plan, row, wavelength, field
        self.sine = math.sin(field)
        self.step = plan.library.pitch / SAMPLES
        count = len(row.place) * SAMPLES
        self.x = self.step * (np.arange(count) - 0.5 * (count - 1))
        self.site = np.arange(count) // SAMPLES

    def local(self, polarisation: int) -> np.ndarray:
        """Field ``[x]`` behind flat cells, each as in an array of its like."""
        library = library_of(self.plan.lens)
        assert library is not None
        through = local_transmission(library, polarisation, self.field, self.row.geometry, self.wavelength)
        return np.asarray(through[self.site] * np.exp(2j * np.pi * self.sine / self.wavelength * self.x))

    def factor(self, correction: Neighbours, polarisation: int) -> np.ndarray:
        """By which the correction multiplies the local field ``[x]``."""
        slope = phase_slope(self.plan.lens.phase, jnp.zeros(len(self.x)), jnp.asarray(self.x))
        direction = jnp.asarray([0.0, self.sine])
        return np.asarray(correction.factor(slope, direction, jnp.asarray(self.wavelength), polarisation))

    def behind(self, solver: SupercellSolver, polarisation: str) -> np.ndarray:
        """Field ``[x]`` behind the row as computed whole."""
        orders, coefficients = solver.scattered(self.field, 0.0, polarisation), solver.layer.coefficients
        along = coefficients[:, 1] == 0
        amplitude = np.sqrt(np.maximum(orders.order_shares[along], 0)) * np.exp(1j * orders.order_phases[along])
        period = len(self.row.place) * self.plan.library.pitch
        number = 2 * np.pi * (coefficients[along, 0] / period + self.sine / self.wavelength)
        # The supercell's origin is its first meta-atom.
        return np.asarray(np.exp(1j * (self.x - self.row.place[0])[:, None] * number) @ amplitude)

    def at_focus(self, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places about the landing of the chief ray in metres, and the share of the incident light at each sample."""
        focal_length = float(self.plan.lens.focal_length)
        landing = focal_length * math.tan(self.field)
        reach = WIDTHS * self.wavelength * math.hypot(1.0, 2 * focal_length / float(self.plan.lens.aperture_diameter))
        # Light that is bent far aside returns by the period only behind the window.
        needed = 4 * (len(field) * self.step + abs(landing) + reach + focal_length) / self.step
        length = 2 ** math.ceil(math.log2(needed))
        sines = np.fft.fftfreq(length, self.step) * self.wavelength
        travels = np.abs(sines) < 1
        path = focal_length * np.sqrt(np.where(travels, 1 - np.square(sines), 0))
        turned = np.where(travels, np.exp(2j * np.pi / self.wavelength * path), 0)
        light = np.square(np.abs(np.fft.ifft(np.fft.fft(field, length) * turned))) / len(field)
        place = self.step * (np.arange(length) - 0.5 * (len(field) - 1)) - landing
        place -= length * self.step * np.round(place / (length * self.step))
        near = np.flatnonzero(np.abs(place) < reach)
        near = near[np.argsort(place[near])]
        return place[near], light[near]


def _function(
    light: _Light,
    polarisation: str,
    local: tuple[np.ndarray, np.ndarray],
    corrected: tuple[np.ndarray, np.ndarray] | None,
    fewer: tuple[np.ndarray, np.ndarray],
    whole: tuple[np.ndarray, np.ndarray],
) -> RowFunction:
    peak, norm = float(whole[1].max()), float(np.linalg.norm(whole[1]))

    def distance(found: np.ndarray) -> float:
        return float(np.linalg.norm(found - whole[1])) / norm

    def told(found: np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(each), 6) for each in found / peak)

    return RowFunction(
        wavelength_nm=1e9 * light.wavelength,
        field_deg=math.degrees(light.field),
        polarisation="s" if polarisation == "s" else "p",
        place_um=tuple(round(1e6 * float(each), 4) for each in whole[0]),
        whole=told(whole[1]),
        local=told(local[1]),
        corrected=() if corrected is None else told(corrected[1]),
        light_whole=float(whole[1].sum()),
        light_local=float(local[1].sum()),
        light_corrected=None if corrected is None else float(corrected[1].sum()),
        distance_local=distance(local[1]),
        distance_corrected=None if corrected is None else distance(corrected[1]),
        change=distance(fewer[1]),
    )
