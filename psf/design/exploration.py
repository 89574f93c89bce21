"""An exploration: each architecture is a design of its own, by gradients, and is then measured independently."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json, write_camera
from metalens.formats.design.exploration import Architecture
from metalens.formats.design.exploration_run import LENSES, Candidate, open_exploration
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.psf.camera_fields import view_of
from metalens.psf.design.architecture import candidate_spec
from metalens.psf.design.architecture_sampling import Sampler
from metalens.psf.design.evaluation import decibels, evaluate_for
from metalens.psf.design.problem import Problem, field_positions, sensor_shares
from metalens.psf.design.run import designed_camera, task_of
from metalens.psf.design.search import best_of, first_state, run_search
from metalens.psf.spectra.spectrum import spectral_quadrature
from metalens.psf.window import reachable_light
from metalens.runners.backend import BackendSettings
from metalens.runners.job import Progress, Runner

_PACKAGES = ("metalens", "numpy", "scipy", "jax", "optax")


@dataclass(frozen=True)
class ExplorationResult:
    """A finished exploration.

    Attributes:
        spec: what was asked for.
        folder: of the run.
        candidates: in the order of their numbers.
    """

    spec: DesignSpec
    folder: Path
    candidates: list[Candidate]

    @property
    def best(self) -> Candidate:
        """The candidate with the best restored picture."""
        return max(self.able, key=lambda each: each.figures.restored_db if each.figures else -np.inf)

    @property
    def able(self) -> list[Candidate]:
        """The candidates that did not fail."""
        return [each for each in self.candidates if each.figures is not None]

    def lens(self, candidate: Candidate) -> Path:
        """The lens.toml of a candidate."""
        return self.folder / LENSES / lens_name(candidate.number)


def lens_name(number: int) -> str:
    """Name of a candidate's lens.toml."""
    return f"{number:03d}.toml"


def explore_architectures(
    spec: DesignSpec,
    folder: Path,
    *,
    backend: BackendSettings | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ExplorationResult:
    """Design a lens for each of many architectures; a candidate that fails does not end the run.

    Args:
        spec: with a table [explore].
        folder: receives each candidate as soon as it is done.
        backend: where the work is done; the result does not depend on it.
        resume: go on in a folder where an equal run was stopped.
        progress: called with the number of candidates done and their total.

    Raises:
        InputError: the table contradicts itself, nothing fits in its envelope, the folder cannot be used, all
            candidates failed, or a worker was lost.
    """
    sampler = sampler_of(spec)
    place = BackendSettings() if backend is None else backend
    versions = {package: version(package) for package in _PACKAGES}
    with open_exploration(folder, spec, versions, resume=resume) as (done, append):
        check_files(sampler, folder)
        with closing(place.open(folder, {})) as runner:
            for numbers in sampler.batches():
                before = [done[number] for number in range(numbers.start)]
                if before and all(each.figures is None for each in before):
                    break
                asked = dict(zip(numbers, sampler.batch(numbers, before), strict=True))
                for number, told in _done(sampler, folder, {n: asked[n] for n in numbers if n not in done}, runner):
                    done[number] = Candidate(number=number, architecture=asked[number], **told)
                    append(done[number])
                    if progress is not None:
                        progress(len(done), sampler.explore.candidates)
    found = ExplorationResult(spec, folder, [done[number] for number in sorted(done)])
    if not found.able:
        raise InputError(
            f"{folder}: all {len(done)} candidates failed, the first one as follows: {found.candidates[0].failed}"
        )
    return found


def sampler_of(spec: DesignSpec) -> Sampler:
    """What chooses the candidates, with everything checked that can be before the work.

    Raises:
        InputError: there is no table [explore], or it cannot be.
    """
    if spec.explore is None:
        raise InputError(
            f"design {spec.name}: has no table [explore], which names the ranges of the architecture; write one, or "
            "use metalens design for this camera as it is."
        )
    return Sampler(spec)


def check_files(sampler: Sampler, folder: Path) -> None:
    """A lens.toml looks for files of one's own beside itself, and those of the candidates lie in a folder.

    Args:
        sampler: of the run.
        folder: of the run.

    Raises:
        InputError: a camera names a file.
    """
    for branch in sampler.branches.values():
        try:
            branch.spec.camera.in_folder(folder / LENSES)
        except InputError as error:
            raise InputError(
                f"{folder}: the camera names a file of its own ({error}) An exploration takes libraries, spectra and "
                "sensors that come with the package."
            ) from error


def _done(
    sampler: Sampler, folder: Path, missing: Mapping[int, Architecture], runner: Runner
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Candidates as they are done: number, and the answer of :func:`evaluate_candidate`."""
    jobs = {}
    for number, architecture in missing.items():
        try:
            spec = candidate_spec(sampler.branches[architecture.choice], architecture, number)
        except InputError as error:
            yield number, {"failed": str(error), "seconds": 0.0}
            continue
        jobs[number] = _job_of(spec, folder / LENSES / lens_name(number))
    numbers = list(jobs)
    for place, told in runner.run(EVALUATE, list(jobs.values())):
        yield numbers[place], told


EVALUATE = "metalens.psf.design.exploration:evaluate_candidate"
"""The job's name."""


def _job_of(spec: DesignSpec, output: Path) -> dict[str, Any]:
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
        # Each architecture has samplings of its own: what was compiled for it is of no more use.
        jax.clear_caches()
    return told | {"seconds": round(time.monotonic() - began, 3)}


def _designed(spec: DesignSpec, output: Path) -> dict[str, Any]:
    task = task_of(spec)
    state = run_search(task, first_state(task))
    camera = designed_camera(task, state, output)
    check_corners(camera)
    figures = figures_of(task.problem, camera)
    write_camera(output, camera)
    return figures | {"loss": best_of(state)[1], "steps": len(state.history), "lens_hash": camera.hash}


def figures_of(problem: Problem, camera: Camera) -> dict[str, float]:
    """Figures of a candidate's camera, without those of the search.

    Args:
        problem: the candidate's specification.
        camera: with the designed lens.

    Raises:
        InputError: the camera cannot be simulated.
    """
    found = evaluate_for(problem, camera, camera.name)
    share = sensor_shares(camera, found.fields_deg)
    share /= share.sum()
    restored = _by_field(found.restored)
    wavelength, weight = spectral_quadrature(camera.spectrum, problem.spec.sampling.wavelengths_per_channel)
    lens = camera.lens
    pupil = lens.aperture_um if lens.stop is None else lens.stop.diameter_um
    f_number = lens.focal_length_um / pupil
    position, _ = field_positions(camera, found.fields_deg)
    view = view_of(camera, position, float(weight[1] @ wavelength))
    efficiency = float(share @ _by_field(reachable_light(view, wavelength) @ weight.T))
    corner = view_of(camera, _corners(camera)[:1], float(weight[1] @ wavelength)).direction[0]
    return {
        "restored_db": decibels(float(share @ restored)),
        "restored_centre_db": decibels(restored[0]),
        "restored_edge_db": decibels(restored[-1]),
        "captured_db": decibels(float(share @ _by_field(found.captured))),
        "track_length_um": track_length_um(camera),
        "diameter_um": lens.aperture_um,
        "f_number": f_number,
        "field_deg": math.degrees(math.asin(math.hypot(*corner))),
        "light": efficiency / f_number**2,
    }


def _by_field(values: np.ndarray) -> np.ndarray:
    """``[field]`` means over what comes after the first axis."""
    return np.asarray(np.mean(np.reshape(values, (len(values), -1)), axis=1))


def track_length_um(camera: Camera) -> float:
    """From the stop, or from the lens that is its own, to the sensor."""
    lens = camera.lens
    if lens.stop is None:
        return lens.focal_length_um
    glass = 0.0 if lens.substrate is None else lens.substrate.thickness_um
    return lens.stop.distance_um + glass + lens.focal_length_um


def check_corners(camera: Camera) -> None:
    """Check that the whole sensor can be simulated: chief rays reach its corners, and the sampling can be planned.

    Raises:
        InputError: they do not, or it cannot.
    """
    wavelength, weight = spectral_quadrature(camera.spectrum)
    view = view_of(camera, _corners(camera), float(weight[1] @ wavelength))
    view.simulator(wavelength, window=(3, 3), pixel_pitch=camera.sensor.pixel_pitch_m, engine="auto")


def _corners(camera: Camera) -> np.ndarray:
    """``[corner, (y, x)]`` on the sensor in metres."""
    y, x = (0.5 * count * camera.sensor.pixel_pitch_m for count in camera.sensor.pixels)
    return np.array([(y, x), (y, -x), (-y, x), (-y, -x)])
