"""Contrast of each colour of a designed lens, and which colours the search gave up."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from metalens.formats.camera.spectrum import CHANNEL_NAMES
from metalens.psf.design.light import light_of
from metalens.psf.design.objectives import modulation
from metalens.psf.design.search import Task

FREQUENCY = 0.25
"""Share of Nyquist, at which the colours are compared."""

GIVEN_UP = 1 / 3
"""Share of the sharpest colour's contrast below which a colour counts as given up."""


def colour_contrast(task: Task, numbers: np.ndarray) -> dict[str, float]:
    """Contrast at a quarter of Nyquist by channel, the mean over the specification's fields.

    Args:
        task: specification and variables.
        numbers: ``[count]`` of the lens.

    Returns:
        Name of the channel → contrast in 0..1.
    """
    problem = task.problem
    lens = task.lens(jnp.asarray(numbers, dtype=jnp.float32))
    light = light_of(problem, problem.simulator(lens), lens)
    found = np.asarray(modulation(problem, light, np.array([FREQUENCY])).mean(axis=(2, 3)))
    return dict(zip(CHANNEL_NAMES, (float(each) for each in problem.field_weight @ found), strict=True))


def colours_given_up(contrast: Mapping[str, float]) -> str:
    """A clause that names the colours with far less contrast than the sharpest one; empty if there are none.

    Args:
        contrast: of :func:`colour_contrast`.

    Example:
        >>> colours_given_up({"red": 0.05, "green": 0.4, "blue": 0.3})
        'red was given up: contrast 0.05 at a quarter of Nyquist, green has 0.40'
        >>> colours_given_up({"red": 0.2, "green": 0.4, "blue": 0.3})
        ''
    """
    sharpest = max(contrast, key=lambda name: contrast[name])
    lost = [name for name, value in contrast.items() if value < GIVEN_UP * contrast[sharpest]]
    if not lost:
        return ""
    values = " and ".join(f"{contrast[name]:.2f}" for name in lost)
    verb = "was" if len(lost) == 1 else "were"
    return (
        f"{' and '.join(lost)} {verb} given up: contrast {values} at a quarter of Nyquist, "
        f"{sharpest} has {contrast[sharpest]:.2f}"
    )
