"""Phase error and efficiency of a lens that consists of meta-atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.formats.meta_atoms.library import Lattice
from metalens.optics.structure.lattice import reciprocal_pitch

if TYPE_CHECKING:
    from metalens.optics.built import Built
    from metalens.optics.metalens import Metalens

POINTS = 2**16
"""Points of the lens from which the figures are: a mean of numbers up to 1 is known to 1/√65536, or better."""


@dataclass(frozen=True)
class Fit:
    """Phase error and efficiency of a structure, at some wavelengths.

    Attributes:
        efficiency: ``[wavelength]`` |mean of t exp(−iφ)|², the share of the incident light that forms the image.
        phase_error: ``[wavelength]`` root mean square of arg t − φ − c in radians.
        piston: ``[wavelength]`` c, the constant phase in radians.
    """

    efficiency: np.ndarray
    phase_error: np.ndarray
    piston: np.ndarray


def fit_of(lens: Metalens, wavelengths: np.ndarray, points: int = POINTS) -> Fit:
    """Compare the structure of a lens with its phase, point by point, so that the steps of flat cells count.

    Args:
        lens: with a structure.
        wavelengths: ``[wavelength]`` in metres.
        points: number of points, evenly distributed.

    Returns:
        ``[wavelength]`` efficiency, from 0 to 1, error and constant of the phase in radians.

    Raises:
        InputError: a wavelength lies outside the library, or the lens has no structure.
    """
    if lens.structure is None:
        raise InputError("structure: this lens has none, its light follows from phase and response; give it one.")
    lens.structure.check(wavelengths)
    y, x = (jnp.asarray(each) for each in opening_points(lens, points))
    wanted = np.exp(-1j * np.asarray(lens.phase.at(y, x), dtype=float))
    rows = [np.asarray(_transmission(lens.structure, y, x, jnp.asarray(value))) for value in np.asarray(wavelengths)]
    return fit_of_products(np.stack([row * wanted for row in rows], axis=-1))


@jax.jit
def _transmission(structure: Built, y: jax.Array, x: jax.Array, wavelength: jax.Array) -> jax.Array:
    return structure.transmission(y, x, wavelength)


def fit_of_products(products: np.ndarray) -> Fit:
    """The figures from t exp(−iφ) at many places, ``[place, wavelength]``."""
    order = products.mean(axis=0)
    error = np.angle(products * np.exp(-1j * np.angle(order)))
    return Fit(np.abs(order) ** 2, np.sqrt((error**2).mean(axis=0)), np.angle(order))


def opening_points(lens: Metalens, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points evenly over the lens' opening.

    Args:
        lens: whose opening it is.
        count: points on the whole disc, about.

    Returns:
        y and x ``[point]`` in metres from the centre.
    """
    radius = 0.5 * float(lens.aperture_diameter)
    distance = radius * np.sqrt((np.arange(count) + 0.5) / count)
    # The golden angle: no two points line up with rows of sites.
    angle = np.pi * (3 - math.sqrt(5)) * np.arange(count)
    y, x = distance * np.sin(angle), distance * np.cos(angle)
    inside = np.asarray(lens.aperture.edge_distance(jnp.asarray(y), jnp.asarray(x), radius)) <= 0
    return y[inside], x[inside]


def check_pitch(
    lens: Metalens, pitch: float, lattice: Lattice, wavelengths: np.ndarray, substrate_index: float | None = None
) -> list[str]:
    """Check the lattice: it must sample the phase and have no diffraction orders in air.

    Args:
        lens: the metalens.
        pitch: of the sites in metres.
        lattice: of the sites.
        wavelengths: of the design in metres.
        substrate_index: of refraction; by default that of the lens' substrate, if it has one.

    Returns:
        Remarks, a sentence each.

    Raises:
        InputError: the phase turns by more than half a turn from site to site, or the lattice has diffraction orders
            in air.
    """
    finest, shortest = reciprocal_pitch(lattice, pitch), float(np.min(wavelengths))
    steepest = steepest_turn(lens)
    if steepest > 0.5 * finest:
        raise InputError(
            f"structure: the lens' phase turns by {steepest * 1e-9 / finest * 1e9:.2f} of a turn from site to site at "
            f"its steepest, at most 0.5 was expected; use a pitch under {0.5e9 * pitch * finest / steepest:.0f} nm, a "
            "smaller aperture or a longer focal length."
        )
    if shortest * finest <= 1:
        raise InputError(
            f"structure: a {lattice} lattice of {1e9 * pitch:g} nm has diffraction orders in air at "
            f"{1e9 * shortest:.0f} nm; use a pitch under {1e9 * shortest * pitch * finest:.0f} nm."
        )
    if substrate_index is None and lens.substrate is not None:
        substrate_index = float(lens.substrate.index)
    if substrate_index is not None and shortest * finest <= substrate_index:
        longest = 1e9 * substrate_index / finest
        return [
            f"the lattice has diffraction orders in a substrate of index {substrate_index:.3g} at wavelengths up to "
            f"{longest:.0f} nm; a pitch under {1e9 * shortest * pitch * finest / substrate_index:.0f} nm has none"
        ]
    return []


def steepest_turn(lens: Metalens) -> float:
    """Largest slope of the wanted phase in cycles per metre; 0 of a map of flat pixels, which has no slope."""
    if lens.phase.flat_pixel is not None:
        return 0.0
    y, x = opening_points(lens, 4096)
    rim = 0.5 * float(lens.aperture_diameter) * np.exp(2j * np.pi * np.arange(64) / 64)
    if lens.aperture.rotationally_symmetric:
        y, x = np.append(y, rim.imag), np.append(x, rim.real)
    _, back = jax.vjp(lens.phase.at, jnp.asarray(y), jnp.asarray(x))
    slope_y, slope_x = back(jnp.ones(len(y)))
    return float(jnp.hypot(slope_y, slope_x).max()) / (2 * math.pi)
