"""Reference for a design: the hyperbolic lens of the same size with the best design wavelength."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.camera import Camera
from metalens.formats.camera.phase import HyperbolicPhase
from metalens.optics.metalens import Metalens
from metalens.optics.phase import Hyperbolic
from metalens.psf.design.geometry_variables import GeometryVariables
from metalens.psf.design.loss import loss_of
from metalens.psf.design.problem import Problem
from metalens.psf.design.search import Task

CANDIDATES = 9
"""Design wavelengths that are tried, from the shortest to the longest of the specification."""


def best_hyperbolic(task: Task, output: Path) -> tuple[Camera, float]:
    """The specification's camera with the hyperbolic lens that has the lowest loss, and that loss.

    It is judged as it is drawn, also where the specification has errors of fabrication. Where meta-atoms are what is
    free, the hyperbolic lens is built of them too.

    Args:
        task: of the design.
        output: the design's lens.toml, beside which the files are that a camera names.

    Returns:
        The camera, and the loss by which the search is judged.
    """
    problem, variables = task.problem, task.variables
    losses: list[float] = []
    compiled: dict[Any, Callable[[Metalens], jax.Array]] = {}
    # The order m bends λ as the first order bends mλ.
    nanometres = [
        each * int(problem.view.lens.image_order(jnp.asarray(1e-9 * each))) for each in candidate_wavelengths(problem)
    ]
    for each in nanometres:
        phase = Hyperbolic(float(problem.view.lens.focal_length), 1e-9 * each)
        plain = replace(problem.view.lens.single_surface, phase=phase)
        if isinstance(variables, GeometryVariables):
            plain = variables.lens(problem.view.lens, jnp.asarray(variables.closest(plain), jnp.float32))
        simulator = problem.simulator(plain)
        key = (simulator.plan, simulator.direction.tobytes())
        if key not in compiled:
            compiled[key] = jax.jit(lambda lens, simulator=simulator: loss_of(problem, simulator, lens)[0])
        losses.append(float(compiled[key](plain)))
    best = int(np.argmin(losses))
    camera = hyperbolic_camera(problem.camera, nanometres[best])
    if isinstance(variables, GeometryVariables):
        phase = Hyperbolic(float(problem.view.lens.focal_length), 1e-9 * nanometres[best])
        numbers = variables.closest(replace(problem.view.lens, phase=phase))
        camera = camera.model_copy(update={"lens": camera.lens.model_copy(update=variables.tables(numbers, output))})
    return camera, losses[best]


def candidate_wavelengths(problem: Problem) -> tuple[float, ...]:
    """Wavelengths in nm, evenly from the shortest to the longest."""
    shortest, longest = (1e9 * float(problem.wavelength[end]) for end in (0, -1))
    return tuple(round(float(each), 1) for each in np.unique(np.linspace(shortest, longest, CANDIDATES)))


def hyperbolic_camera(camera: Camera, nanometres: float) -> Camera:
    """The camera with a hyperbolic lens of the same size, and none in the plane of its stop.

    Args:
        camera: whose lens is replaced.
        nanometres: design wavelength.

    Returns:
        The camera, for the same sensor and place of it.
    """
    phase = HyperbolicPhase(family="hyperbolic", wavelength_nm=nanometres)
    return camera.model_copy(update={"lens": camera.lens.single_surface.model_copy(update={"phase": phase})})
