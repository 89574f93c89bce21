"""The lens that a design is compared with: the hyperbolic one of the same size, for the best design wavelength."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera import Camera
from metalens.formats.lens_phase import HyperbolicPhase
from metalens.optics.phase import Hyperbolic
from metalens.psf.design.loss import loss_of
from metalens.psf.design.problem import Problem

CANDIDATES = 9
"""Design wavelengths that are tried, from the shortest to the longest of the specification."""


def best_hyperbolic(problem: Problem) -> tuple[Camera, float]:
    """The specification's camera with the hyperbolic lens that has the lowest loss, and that loss.

    It is judged as it is drawn, also where the specification has errors of fabrication.
    """
    lens = problem.view.lens
    losses = []
    nanometres = candidate_wavelengths(problem)
    for each in nanometres:
        plain = replace(lens, phase=Hyperbolic(jnp.asarray(lens.focal_length), jnp.asarray(1e-9 * each)))
        losses.append(float(loss_of(problem, problem.simulator(plain), plain)[0]))
    best = int(np.argmin(losses))
    return hyperbolic_camera(problem.camera, nanometres[best]), losses[best]


def candidate_wavelengths(problem: Problem) -> tuple[float, ...]:
    """In nm, evenly from the shortest to the longest wavelength."""
    shortest, longest = (1e9 * float(problem.wavelength[end]) for end in (0, -1))
    return tuple(round(float(each), 1) for each in np.unique(np.linspace(shortest, longest, CANDIDATES)))


def hyperbolic_camera(camera: Camera, nanometres: float) -> Camera:
    """A camera with a hyperbolic lens of its own size."""
    phase = HyperbolicPhase(family="hyperbolic", wavelength_nm=nanometres)
    return camera.model_copy(update={"lens": camera.lens.model_copy(update={"phase": phase})})
