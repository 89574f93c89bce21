"""Time and size of a comparison before it is run, from what its steps took on one core, scaled to this machine.

The constants are those of lenses of about 1 mm³ and a sensor of 400 × 400 pixels. Times of training are exact if they
are given in minutes; everything else is right within a factor of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metalens.workflows.compare.stages import LensWork
from metalens.workflows.machine_speed import relative_time

PIXELS = 400 * 400
"""For which the constants hold."""

START = 10.0
"""Seconds in which a command or a method starts."""

PSF_PER_NODE = 0.2
PAIR = 0.25
BASELINES_PER_PICTURE = 12.0
RESTORER_PER_PICTURE = 12.0
TRAINING_STEP = 1.5
DRAW = 1.0
"""Seconds."""

PSF_NODE_BYTES = 0.6e6
BYTES_PER_PIXEL = 2.0
"""Bytes for a pixel of a picture as PNG or in a shard, all channels."""

VERSIONS = {"baselines": 5, "restorer": 4}
"""Pictures that are kept of each test photograph."""


def seconds_of(work: LensWork, name: str) -> float:
    """Estimated seconds of a step; 0 if it is done.

    Args:
        work: the lens.
        name: name of the step, of :meth:`LensWork.names`.

    Returns:
        Seconds on this machine.
    """
    step = work.steps.get(name)
    if step is not None and step.done:
        return 0.0
    terms, tests = work.terms, len(work.photographs.test)
    rows, columns = work.lens.camera.sensor.pixels
    frames = rows * columns / PIXELS
    pace = relative_time()
    if name == "psf":
        return pace * (START + PSF_PER_NODE * terms.fields[0] * terms.fields[1])
    if name == "exposed":
        return pace
    if name in ("pairs", "test", "chart"):
        return pace * (START + PAIR * frames * {"pairs": terms.pairs, "test": tests, "chart": 1}[name])
    if name == "tolerance":
        return pace * (START + DRAW * terms.draws)
    if name == "baselines":
        return pace * (START + BASELINES_PER_PICTURE * frames * (tests + 2))
    one = pace * TRAINING_STEP * terms.batch / 4 * (terms.crop / 96) ** 2
    limits = [60 * terms.minutes] if terms.minutes else []
    limits += [one * terms.steps] if terms.steps else []
    return min(limits) + pace * (START + RESTORER_PER_PICTURE * frames * (tests + 1))


def bytes_of(work: LensWork, name: str) -> float:
    """Estimated bytes of a step's result; 0 if it is done.

    Args:
        work: the lens.
        name: name of the step, of :meth:`LensWork.names`.

    Returns:
        Bytes on the disk.
    """
    step = work.steps.get(name)
    if step is not None and step.done:
        return 0.0
    terms, tests = work.terms, len(work.photographs.test)
    rows, columns = work.lens.camera.sensor.pixels
    picture = BYTES_PER_PIXEL * rows * columns
    if name in ("psf", "exposed"):
        return PSF_NODE_BYTES * terms.fields[0] * terms.fields[1]
    if name in ("pairs", "test", "chart"):
        return 2 * picture * {"pairs": terms.pairs, "test": tests, "chart": 1}[name]
    if name == "tolerance":
        return 1e6
    bank = PSF_NODE_BYTES * terms.fields[0] * terms.fields[1]
    return bank + picture * (tests + 1) * VERSIONS[name] + (5e6 if name == "restorer" else 0.0)


def estimate(works: Sequence[LensWork]) -> dict[str, Any]:
    """Time and size of what is still to be done.

    Args:
        works: the lenses.

    Returns:
        ``seconds`` and ``bytes`` in all, and ``lenses``: name → step → seconds, 0 for a step that is done.
    """
    seconds = {work.lens.name: {name: seconds_of(work, name) for name in work.names()} for work in works}
    return {
        "seconds": sum(sum(steps.values()) for steps in seconds.values()),
        "bytes": sum(bytes_of(work, name) for work in works for name in work.names()),
        "lenses": seconds,
    }
