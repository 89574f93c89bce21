"""How far a point spread function may be wrong: the engine against itself, made finer."""

from __future__ import annotations

import numpy as np

from metalens.optics.metalens import Metalens
from metalens.psf.simulator import PsfSimulator, simulator_of_directions

FINER = 1.5
"""Factor in sample spacing, padding and tiles; an error of second order shrinks to less than half."""


def estimate_error(simulator: PsfSimulator, lens: Metalens) -> np.ndarray:
    """Relative L2 distance of each point spread function from the same engine's on a finer sampling.

    What both samplings have in common, such as the scalar model, it cannot see.

    Args:
        simulator: from :func:`metalens.psf.psf_simulator`.
        lens: what to simulate.

    Returns:
        ``[field, wavelength]``.

    Raises:
        InputError: the finer sampling is beyond the engine's reach.
    """
    finer = simulator_of_directions(
        lens,
        simulator.wavelength,
        simulator.direction,
        centres=simulator.centre,
        window=simulator.window,
        pixel_pitch=simulator.pixel_pitch,
        engine=simulator.plan.engine,
        integrate_pixels=simulator.integrate_pixels,
        object_distance=simulator.object_distance,
        defocus=simulator.defocus,
        sensor_tilt=simulator.sensor_tilt,
        refinement=FINER,
    )
    exact = np.asarray(finer(lens), dtype=float)
    difference = np.linalg.norm(np.asarray(simulator(lens), dtype=float) - exact, axis=(-2, -1))
    return difference / np.linalg.norm(exact, axis=(-2, -1))
