"""One candidate of an exploration: the search for its lens, its check and its figures; a job of a worker."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json, write_camera
from metalens.formats.camera.size import entrance_diameter_um, track_length_um
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.psf.camera_fields import view_of
from metalens.psf.design.evaluation import decibels, evaluate_for
from metalens.psf.design.problem import Problem, field_positions, sensor_shares
from metalens.psf.design.run import designed_camera, task_of
from metalens.psf.design.search import best_of, first_state, run_search
from metalens.psf.design.tolerance_estimate import tolerance_loss_db
from metalens.psf.design.whole_sensor import corner_deg
from metalens.psf.rays import seen_cone
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.window import reachable_light
from metalens.runners.job import Progress

EVALUATE = "metalens.psf.design.candidate:evaluate_candidate"
"""The job's name."""


def job_of_candidate(spec: DesignSpec, output: Path) -> dict[str, Any]:
    """What :func:`evaluate_candidate` is called with.

    Args:
        spec: of the candidate.
        output: its lens.toml.

    Returns:
        Plain values that every runner can carry.
    """
    return {
        "design": spec.model_dump(mode="json", exclude={"camera"}, exclude_none=True),
        "camera": camera_to_json(spec.camera),
        "output": str(output.resolve()),
    }


def evaluate_candidate(spec: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Design and measure the lens of one architecture, and write its lens.toml; runs as a job in a worker process.

    Args:
        spec: ``design`` and ``camera`` of the candidate, and ``output``, its lens.toml.
        progress: not used.

    Returns:
        ``figures``, or ``failed``, the sentence that says why there are none; and ``seconds``.

    Raises:
        InputError: the disk refuses the lens.toml.
    """
    del progress
    began = time.monotonic()
    content = dict(spec["design"]) | {"camera": camera_of_json(spec["camera"])}
    try:
        told: dict[str, Any] = {"figures": _designed(DesignSpec.model_validate(content), Path(spec["output"]))}
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise  # a full disk is no fault of the architecture: --resume does the candidate again
        told = {"failed": str(error)}
    finally:
        # Each architecture has its own samplings: functions compiled for this one are not needed any more.
        jax.clear_caches()
    return told | {"seconds": round(time.monotonic() - began, 3)}


def _designed(spec: DesignSpec, output: Path) -> dict[str, Any]:
    task = task_of(spec)
    state = run_search(task, first_state(task))
    camera = designed_camera(task, state, output)
    figures = figures_of(task.problem, camera)
    if not all(map(math.isfinite, figures.values())):
        raise InputError(f"design {spec.name}: a figure is not finite: {figures}.")
    write_camera(output, camera)
    return figures | {"loss": best_of(state)[1], "steps": len(state.history), "lens_hash": camera.hash}


def figures_of(problem: Problem, camera: Camera) -> dict[str, float]:
    """Figures of a candidate's camera, without those of the search.

    Args:
        problem: the candidate's specification.
        camera: with the designed lens.

    Returns:
        Name → value, the unit at the end of the name.

    Raises:
        InputError: the camera cannot be simulated.
    """
    found = evaluate_for(problem, camera, camera.name)
    share = sensor_shares(camera, found.fields_deg)
    share /= share.sum()
    restored = _by_field(found.restored)
    wavelength, weight = spectral_quadrature(camera.spectrum, problem.spec.sampling.wavelengths_per_channel)
    lens = camera.lens
    position, _ = field_positions(camera, found.fields_deg)
    view = view_of(camera, position, float(weight[1] @ wavelength))
    cone_um = 1e6 * float(seen_cone(view.lens, float(weight[1] @ wavelength)).focal_length)
    f_number = cone_um / entrance_diameter_um(lens)
    efficiency = float(share @ _by_field(reachable_light(view, wavelength) @ weight.T))
    return {
        "restored_db": decibels(float(share @ restored)),
        "restored_centre_db": decibels(restored[0]),
        "restored_edge_db": decibels(restored[-1]),
        "captured_db": decibels(float(share @ _by_field(found.captured))),
        "tolerance_loss_db": tolerance_loss_db(problem, camera),
        "track_length_um": track_length_um(lens),
        "diameter_um": lens.aperture_um,
        "f_number": f_number,
        "field_deg": corner_deg(camera),
        "light": efficiency / f_number**2,
    }


def _by_field(values: np.ndarray) -> np.ndarray:
    """``[field]`` means over what comes after the first axis."""
    return np.asarray(np.mean(np.reshape(values, (len(values), -1)), axis=1))
