"""A rotationally symmetric phase for ray tracers: as a table over the radius, and as a Binary 2 surface.

OpticStudio's surface Binary 2 adds the phase M Σ Aᵢ ρ^(2i) to a ray, M the diffraction order, ρ the radius over the
normalisation radius and Aᵢ in radians, and so the optical path λ/2π times it; all lengths are lens units, here
millimetres. A ray bends by n₂ sin θ₂ − n₁ sin θ₁ = (λ/2π) dφ/dr. Where the rim's path is to be shorter, for a lens that
converges, A₁ is negative: the sign is that of this project, and the coefficients of ``family = "even_polynomial"`` are
the Aᵢ for M = 1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.atomic import atomic_file
from metalens.formats.files.errors import InputError
from metalens.formats.files.text_file import cells_of, check_separator, numbers_of, text_lines
from metalens.optics.phase import EvenPolynomial, Phase

MOST_TERMS = 20
TABLE_LENGTH = 1001
FINE = 4
"""Number of check points of the polynomial per sample of the table."""

TOLERANCE = 0.01
"""Largest difference of a polynomial from the phase in radians: λ/628."""

READ_TOLERANCE = 0.05
"""Largest difference in radians between a table and its coefficients in a file."""

LARGEST_FILE = 2**26
MILLI = 1e-3
TITLE = "# metalens phase for ray tracers"
EXPLAINED = (
    "# Binary 2: phase = M (A1 p^2 + A2 p^4 + ...) in rad, p = r / normalisation radius; lengths in mm.",
    "# It adds phase * wavelength / 2 pi to the path of a ray; negative A1 converges. A phase at r = 0 is left out.",
)


@dataclass(frozen=True)
class RadialPhaseTable:
    """A phase over the radius, as a table and as a polynomial.

    Attributes:
        semi_diameter: of the lens in metres.
        radius: normalisation radius in metres.
        coefficients: ``[term]`` A₁, A₂, … in radians.
        largest_error: between the polynomial and the phase, in radians, up to the semi-diameter.
        table: ``[sample, 2]`` r in metres and phase in radians, 0 at r = 0.
    """

    semi_diameter: float
    radius: float
    coefficients: np.ndarray
    largest_error: float
    table: np.ndarray


def radial_phase_table(phase: Phase, diameter: float, *, tolerance: float = TOLERANCE) -> RadialPhaseTable:
    """The phase of a lens over its radius, and the shortest even polynomial within a tolerance.

    Args:
        phase: of the lens; an even polynomial keeps its coefficients.
        diameter: of the lens in metres.
        tolerance: largest error of the polynomial in radians.

    Returns:
        The table in metres and radians, the coefficients in radians, and their largest error.

    Raises:
        InputError: the phase is not rotationally symmetric, or no polynomial of up to 20 terms is within the tolerance.
    """
    if not phase.rotationally_symmetric:
        raise InputError(
            "lens.phase: is not rotationally symmetric, which a radial table and a Binary 2 surface need; export it "
            "without --zemax."
        )
    rim = 0.5 * diameter
    # Chebyshev-like nodes in ρ² distribute the error evenly.
    nodes = rim * np.sqrt(0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 2 * TABLE_LENGTH)))
    values = _of_radius(phase, np.concatenate([np.linspace(0, rim, FINE * (TABLE_LENGTH - 1) + 1), nodes]))
    fine = np.stack([np.linspace(0, rim, FINE * (TABLE_LENGTH - 1) + 1), values[: -len(nodes)]], axis=1)
    table, wanted = fine[::FINE], values[-len(nodes) :]
    if isinstance(phase, EvenPolynomial):
        coefficients, radius = np.asarray(phase.coefficients, dtype=float), float(phase.radius)
        return RadialPhaseTable(rim, radius, coefficients, _largest_error(fine, coefficients, radius), table)
    least = np.inf
    for terms in range(1, MOST_TERMS + 1):
        fit = np.polynomial.Chebyshev.fit((nodes / rim) ** 2, wanted, terms, domain=[0, 1])
        coefficients = fit.convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1]).coef[1:]
        error = _largest_error(fine, coefficients, rim)
        least = min(least, error)
        if error <= tolerance:
            return RadialPhaseTable(rim, rim, coefficients, error, table)
    raise InputError(
        f"lens.phase: {MOST_TERMS} terms of an even polynomial differ from it by {least:.3g} rad at best, more than "
        f"{tolerance:g}; allow more with --zemax-tolerance-rad."
    )


def _of_radius(phase: Phase, r: np.ndarray) -> np.ndarray:
    """The phase in radians from the one at the centre, r[0] = 0, on; in double precision."""
    with jax.enable_x64(True):
        values = np.asarray(jax.jit(phase.at)(jnp.zeros(len(r)), jnp.asarray(r, dtype=jnp.float64)), dtype=float)
    return values - values[0]


def _largest_error(samples: np.ndarray, coefficients: np.ndarray, radius: float) -> float:
    return float(np.abs(binary_2(coefficients, radius, samples[:, 0]) - samples[:, 1]).max())


def binary_2(coefficients: np.ndarray, radius: float, r: np.ndarray) -> np.ndarray:
    """Phase in radians of a Binary 2 surface in the first order.

    Args:
        coefficients: ``[term]`` A₁, A₂, … in radians.
        radius: normalisation radius.
        r: any shape, in the same unit.

    Returns:
        ``[...]`` in radians.
    """
    squared = (np.asarray(r) / radius) ** 2
    return np.asarray(np.polynomial.polynomial.polyval(squared, np.r_[0.0, coefficients]))


def write_radial_phase(path: str | os.PathLike[str], found: RadialPhaseTable) -> None:
    """Write the coefficients and the table as text; the file appears whole or not at all.

    Args:
        path: of the new file.
        found: coefficients and table.

    Raises:
        InputError: the folder does not exist or the disk refuses the write.
    """
    lines = [
        TITLE,
        *EXPLAINED,
        "SURFACE BINARY_2",
        "DIFFRACTION_ORDER 1",
        f"SEMI_DIAMETER_MM {found.semi_diameter / MILLI:.12g}",
        f"NORMALISATION_RADIUS_MM {found.radius / MILLI:.12g}",
        f"TERMS {len(found.coefficients)}",
        *(f"A{number} {value!r}" for number, value in enumerate(found.coefficients.tolist(), start=1)),
        f"LARGEST_ERROR_RAD {found.largest_error:.3g}",
        "r_mm,phase_rad",
        *(f"{r / MILLI:.9g},{value:.12g}" for r, value in found.table.tolist()),
    ]
    with atomic_file(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii")


def is_radial_phase(first_line: str) -> bool:
    """Whether a file that begins with this line is a radial phase: a Binary 2 surface as :func:`write_radial_phase`
    writes it, or a table r_mm,phase_rad or r_um,phase_rad.
    """
    return first_line.startswith("SURFACE ") or _is_head(first_line)


def _is_head(line: str) -> bool:
    return [name.lower() for name in cells_of(line)] in (["r_mm", "phase_rad"], ["r_um", "phase_rad"])


def read_radial_phase(path: str | os.PathLike[str], *, tolerance: float = READ_TOLERANCE) -> RadialPhaseTable:
    """Read a radial phase; a table without coefficients is fitted.

    Args:
        path: of the file.
        tolerance: largest difference in radians between a fitted polynomial and the table.

    Returns:
        Radii in metres, phases and coefficients in radians.

    Raises:
        InputError: the file is missing or no such table, its coefficients are not those of its table, or no
            polynomial of up to 20 terms comes near it.
    """
    target = Path(path)
    try:
        keys, table = _parsed(list(text_lines(target, "radial phase", largest=LARGEST_FILE)))
        found = _given(keys, table) if "TERMS" in keys else _fitted(table, tolerance)
    except InputError:
        raise
    except (ValueError, KeyError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{target}: no radial phase for ray tracers: {what}.") from error
    if found.largest_error > tolerance:
        raise InputError(
            f"{target}: coefficients and table differ by {found.largest_error:.3g} rad, more than {tolerance:g}; "
            "correct one of them, or leave the coefficients out."
        )
    return found


def _parsed(lines: list[str]) -> tuple[dict[str, str], np.ndarray]:
    """The keys before the table with their values, and the table in metres and radians."""
    for line in lines:
        check_separator(line)
    heads = [number for number, line in enumerate(lines) if _is_head(line)]
    if len(heads) != 1 or len(lines) < heads[0] + 4:
        raise ValueError("a line r_mm,phase_rad or r_um,phase_rad with three samples or more was expected")
    keys = dict(line.split(maxsplit=1) for line in lines[: heads[0]])
    table = numbers_of(lines[heads[0] + 1 :], columns=2)
    if not np.isfinite(table).all() or (np.diff(table[:, 0]) <= 0).any() or table[0, 0] < 0:
        raise ValueError("two finite columns with an ascending radius from 0 on were expected")
    table[:, 0] *= MILLI if "r_mm" in lines[heads[0]].lower() else 1e-6
    return keys, table


def _given(keys: dict[str, str], table: np.ndarray) -> RadialPhaseTable:
    if keys.get("SURFACE", "BINARY_2") != "BINARY_2" or float(keys.get("DIFFRACTION_ORDER", "1")) != 1:
        raise ValueError("a Binary 2 surface in the diffraction order 1 was expected")
    terms = int(keys["TERMS"])
    if not 1 <= terms <= 32:
        raise ValueError(f"{terms} terms; 1 to 32 were expected")
    coefficients = np.array([float(keys[f"A{number}"]) for number in range(1, terms + 1)])
    radius = float(keys["NORMALISATION_RADIUS_MM"]) * MILLI
    if not (np.isfinite(coefficients).all() and 0 < radius < 1):
        raise ValueError("finite coefficients and a positive normalisation radius were expected")
    # A table may begin at another phase than 0, which changes no image.
    difference = binary_2(coefficients, radius, table[:, 0]) - table[:, 1]
    error = 0.5 * float(np.ptp(difference))
    return RadialPhaseTable(float(table[-1, 0]), radius, coefficients, error, table)


def _fitted(table: np.ndarray, tolerance: float) -> RadialPhaseTable:
    rim, least = float(table[-1, 0]), np.inf
    for terms in range(1, min(MOST_TERMS, len(table) - 2) + 1):
        fit = np.polynomial.Chebyshev.fit((table[:, 0] / rim) ** 2, table[:, 1], terms, domain=[0, 1])
        coefficients = fit.convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1]).coef[1:]
        error = 0.5 * float(np.ptp(binary_2(coefficients, rim, table[:, 0]) - table[:, 1]))
        if error <= tolerance:
            return RadialPhaseTable(rim, rim, coefficients, error, table)
        least = min(least, error)
    raise ValueError(
        f"an even polynomial comes no nearer to it than {least:.3g} rad, {tolerance:g} was expected; is the phase "
        "wrapped into 2π?"
    )
