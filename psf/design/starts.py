"""Starting lenses of a search: known families for several colours, and random variations of them."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from metalens.optics.phase import Hyperbolic, LogAsphere, Phase, Quadratic, Zernike
from metalens.psf.design.geometry_variables import GeometryVariables
from metalens.psf.design.problem import Problem
from metalens.psf.design.variables import LensVariables, zernike_indices

RANDOM_ORDER = 8
"""Highest radial order of the phase that random starts add."""


class StartingLens(NamedTuple):
    """A lens to begin with.

    Attributes:
        name: what it is, in words.
        numbers: of the variables.
    """

    name: str
    numbers: np.ndarray


def starting_lenses(problem: Problem, variables: LensVariables) -> list[StartingLens]:
    """All starts of a specification, the random ones last; the same ones for the same seed.

    Args:
        problem: the specification.
        variables: its free parameters.
    """
    start = problem.spec.start
    wavelengths = 1e-9 * np.array(start.wavelengths_nm) if start.wavelengths_nm else channel_middles(problem)
    named = [each for family in start.families for each in _family(family, wavelengths, problem)]
    found = [StartingLens(name, variables.closest(phase)) for name, phase in named]
    found += _of_several_colours(problem, variables, wavelengths)
    generator = np.random.default_rng([problem.spec.search.seed, 0])
    radius = 0.5 * float(problem.view.lens.aperture_diameter)
    indices = zernike_indices(RANDOM_ORDER, "rotation" if variables.rotationally_symmetric else "mirror")
    for number in range(start.random):
        name, phase = named[number % len(named)]
        added = generator.normal(scale=start.random_rad / np.sqrt(len(indices)), size=len(indices))
        perturbed = variables.closest(phase + Zernike(indices, added, radius))
        found.append(StartingLens(f"{name}, random phase {number + 1}", perturbed))
    return found


def channel_middles(problem: Problem) -> np.ndarray:
    """Mean wavelength ``[channel]`` of each channel in metres, from the shortest."""
    return np.sort(problem.channel_weight @ problem.wavelength)


def _family(family: str, wavelengths: np.ndarray, problem: Problem) -> list[tuple[str, Phase]]:
    lens = problem.view.lens
    focus, radius = float(lens.focal_length), 0.5 * float(lens.aperture_diameter)

    def first_order(wavelength: np.ndarray) -> np.ndarray:
        """The order m bends λ as the first order bends mλ."""
        return wavelength * np.asarray(lens.image_order(jnp.asarray(wavelength)))

    named = [(f"{family} {1e9 * each:.0f} nm", float(first_order(each))) for each in wavelengths]
    match family:
        case "camera":
            return [("the camera's own phase", lens.phase)]
        case "hyperbolic":
            return [(name, Hyperbolic(focus, each)) for name, each in named]
        case "quadratic":
            return [(name, Quadratic(focus, each)) for name, each in named]
        case "log_asphere":
            return _log_aspheres(focus, radius, first_order(problem.wavelength))
        case _:
            return []


def _of_several_colours(problem: Problem, variables: LensVariables, wavelengths: np.ndarray) -> list[StartingLens]:
    """Lenses with a focus of its own for each colour; the geometry of meta-atoms can be one, a phase cannot."""
    asked = [each for each in problem.spec.start.families if each in ("independent", "interleaved")]
    if not asked:
        return []
    assert isinstance(variables, GeometryVariables), "other variables with these starts are a contradiction"
    focus = float(problem.view.lens.focal_length)
    phases = [Hyperbolic(focus, float(each)) for each in wavelengths]
    colours = ", ".join(f"{1e9 * each:.0f}" for each in wavelengths)
    return [StartingLens(f"{each} {colours} nm", getattr(variables, each)(phases, wavelengths)) for each in asked]


def _log_aspheres(focus: float, radius: float, wavelength: np.ndarray) -> list[tuple[str, Phase]]:
    """Some ring brings each wavelength to the sensor: f λ₀/λ is where a diffractive ring of focus f sends λ."""
    shortest, longest = float(wavelength.min()), float(wavelength.max())
    middle = float(np.sqrt(shortest * longest))
    if shortest == longest:
        shortest, longest = 0.98 * middle, 1.02 * middle
    ends = [("red in the centre", longest, shortest), ("blue in the centre", shortest, longest)]
    return [
        (f"log-asphere, {name}", LogAsphere(focus * centre / middle, focus * rim / middle, radius, middle))
        for name, centre, rim in ends
    ]
