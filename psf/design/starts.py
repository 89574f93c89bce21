"""Starting lenses of a search: known families for several colours, and random variations of them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from metalens.formats.files.errors import InputError
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Hyperbolic, LogAsphere, Phase, Quadratic, Zernike
from metalens.psf.design.doublet_variables import DoubletVariables
from metalens.psf.design.geometry_variables import GeometryVariables
from metalens.psf.design.problem import Problem
from metalens.psf.design.smallest_spots import smallest_spots
from metalens.psf.design.variables import LensVariables, PolynomialVariables, zernike_indices

RANDOM_ORDER = 8
"""Highest radial order of the phase that random starts add."""

OF_RAYS = 8
"""Terms of the polynomial that is fitted to rays where the variables are of another family."""

SAME_COLOUR = 1e-13
"""Metres by which the wavelengths of two channels differ at least."""


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

    Returns:
        One start or more, each with a name and the numbers of the variables.
    """
    start = problem.spec.start
    wavelengths = 1e-9 * np.array(start.wavelengths_nm) if start.wavelengths_nm else channel_middles(problem)
    lens = problem.view.lens
    # A textbook phase focuses by itself.
    single = lens.single_surface if isinstance(variables, DoubletVariables) else lens
    drawn = [each for family in start.families for each in _family(family, wavelengths, problem, variables, single)]
    found = [StartingLens(name, variables.closest(each)) for name, each in drawn]
    found += _of_several_colours(problem, variables, wavelengths)
    generator = np.random.default_rng([problem.spec.search.seed, 0])
    radius = 0.5 * float(lens.aperture_diameter)
    indices = zernike_indices(RANDOM_ORDER, "rotation" if variables.rotationally_symmetric else "mirror")
    for number in range(start.random):
        name, begun = drawn[number % len(drawn)]
        added = generator.normal(scale=start.random_rad / np.sqrt(len(indices)), size=len(indices))
        perturbed = variables.closest(replace(begun, phase=begun.phase + Zernike(indices, added, radius)))
        found.append(StartingLens(f"{name}, random phase {number + 1}", perturbed))
    return found


def channel_middles(problem: Problem) -> np.ndarray:
    """Mean wavelengths of the channels in metres, from the shortest; channels of one colour have one."""
    middles = np.sort(problem.channel_weight @ problem.wavelength)
    return np.asarray(middles[np.append(True, np.diff(middles) > SAME_COLOUR)])


def _family(
    family: str, wavelengths: np.ndarray, problem: Problem, variables: LensVariables, single: Metalens
) -> list[tuple[str, Metalens]]:
    match family:
        case "camera":
            return [("the camera's own phase", problem.view.lens)]
        case "smallest_spots":
            return [("smallest spots of rays", _by_rays(wavelengths, problem, variables, single))]
        case _:
            return [(name, replace(single, phase=phase)) for name, phase in _textbook(family, wavelengths, problem)]


def _by_rays(wavelengths: np.ndarray, problem: Problem, variables: LensVariables, single: Metalens) -> Metalens:
    """Even polynomials, also for other variables: fits of many numbers to few rays are not unique."""
    of_lens = variables.of_lens if isinstance(variables, DoubletVariables) else variables
    if not isinstance(of_lens, PolynomialVariables):
        of_lens = PolynomialVariables(OF_RAYS, 0.5 * float(single.aperture_diameter))
    fitted = replace(variables, of_lens=of_lens) if isinstance(variables, DoubletVariables) else of_lens
    textbook = "hyperbolic" if single.stop is None else "quadratic"
    _, phase = _textbook(textbook, np.array([wavelengths.mean()]), problem)[0]
    begun = replace(single, phase=phase)
    try:
        numbers = smallest_spots(problem.view, wavelengths, fitted, begun)
    except InputError:
        # As the textbook lens, this start does not image the whole sensor: it is left out with that lens' reason.
        return begun
    return fitted.lens(problem.view.lens, jnp.asarray(numbers))


def _textbook(family: str, wavelengths: np.ndarray, problem: Problem) -> list[tuple[str, Phase]]:
    lens = problem.view.lens
    focus, radius = float(lens.focal_length), 0.5 * float(lens.aperture_diameter)

    def first_order(wavelength: np.ndarray) -> np.ndarray:
        """The order m bends λ as the first order bends mλ."""
        return wavelength * np.asarray(lens.image_order(jnp.asarray(wavelength)))

    named = [(f"{family} {1e9 * each:.0f} nm", float(first_order(each))) for each in wavelengths]
    match family:
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
