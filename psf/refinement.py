"""Numerical error of a point spread function, estimated by comparison with a finer sampling."""

from __future__ import annotations

import numpy as np

from metalens.optics.metalens import Metalens
from metalens.psf.engines.choice import Engine
from metalens.psf.engines.grid import direction_spread
from metalens.psf.rays import seen_cone
from metalens.psf.simulator import PsfSimulator, simulator_of_directions

FINER = 1.5
"""Factor in sample spacing, padding and tiles; an error of second order shrinks to less than half."""

SLANTED = 1.2
"""Spread of direction cosines, of NA 0.6, from which on the angular spectrum is compared with the reference."""


def estimate_error(simulator: PsfSimulator, lens: Metalens) -> np.ndarray:
    """Relative L2 distance of each point spread function from the same engine's on a finer sampling.

    The angular spectrum of a lens of NA 0.6 or more is compared with the reference engine.

    What both samplings have in common, such as the scalar model, it cannot see.

    Args:
        simulator: from :func:`metalens.psf.psf_simulator`.
        lens: what to simulate.

    Returns:
        ``[field, wavelength]``.

    Raises:
        InputError: the finer sampling is beyond the engine's reach.
    """
    finer = finer_simulator(simulator, lens)
    fields = range(len(simulator.direction))
    exact, found = (np.stack([each.of_field(lens, field) for field in fields]) for each in (finer, simulator))
    return distance_from(exact, found)


def finer_simulator(simulator: PsfSimulator, lens: Metalens) -> PsfSimulator:
    """The simulator of the same functions on the finer sampling, or by the reference engine.

    Args:
        simulator: from :func:`metalens.psf.psf_simulator`.
        lens: what to simulate.

    Returns:
        A simulator of the same window, fields and wavelengths.

    Raises:
        InputError: the finer sampling is beyond the engine's reach.
    """
    return simulator_of_directions(
        lens,
        simulator.wavelength,
        simulator.direction,
        simulator.window,
        centres=simulator.centre,
        engine=_judge(simulator, lens),
        conjugates=simulator.conjugates,
        refinement=FINER,
    )


def distance_from(exact: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Relative L2 distance ``[...]`` of images from exact ones.

    Args:
        exact: ``[..., y, x]``.
        found: of the same shape.

    Returns:
        ``[...]``, 0 for equal images.
    """
    difference = np.linalg.norm(found.astype(float) - exact, axis=(-2, -1))
    return np.asarray(difference / np.linalg.norm(exact.astype(float), axis=(-2, -1)))


def _judge(simulator: PsfSimulator, lens: Metalens) -> Engine:
    """The engine to compare with: itself, or the reference for waves so slanted that finer grids hardly help.

    At the edge of the angular spectrum's grid such waves fade out, by an error that falls with its width alone.
    """
    plain, cone = lens.stop is None and lens.cover_glass is None, seen_cone(lens, float(simulator.wavelength.mean()))
    if simulator.plan.engine == "angular_spectrum" and plain and direction_spread(cone) > SLANTED:
        return "rayleigh_sommerfeld"
    return simulator.plan.engine
