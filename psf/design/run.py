"""The complete design: from a specification to the camera with the optimised lens."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metalens.formats.camera.camera import Camera, write_camera
from metalens.formats.design import variables as records
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.claim import held
from metalens.formats.files.errors import InputError
from metalens.psf.design.checkpoint import SearchState, read_state, write_state
from metalens.psf.design.doublet_variables import DoubletVariables
from metalens.psf.design.geometry_variables import geometry_variables
from metalens.psf.design.problem import Problem, problem_of
from metalens.psf.design.search import Task, best_of, first_state, run_search
from metalens.psf.design.starts import starting_lenses
from metalens.psf.design.variables import (
    FreeformVariables,
    LensVariables,
    PolynomialVariables,
    ZernikeVariables,
    zernike_indices,
)
from metalens.psf.tolerance.draws import draw_samples


@dataclass(frozen=True)
class Design:
    """Result of a search.

    Attributes:
        problem: what was asked for.
        task: what the search worked on.
        state: the search's last state.
        camera: the camera with the best lens.
        output: where its lens.toml is.
    """

    problem: Problem
    task: Task
    state: SearchState
    camera: Camera
    output: Path

    @property
    def loss(self) -> float:
        """Loss of the best lens."""
        return best_of(self.state)[1]


def task_of(spec: DesignSpec) -> Task:
    """Prepare the search for a specification.

    Raises:
        InputError: the specification contradicts itself.
    """
    problem = problem_of(spec)
    lens = problem.view.lens
    variables = variables_of(problem)
    draws = None
    if spec.fabrication is not None:
        table = spec.fabrication
        draws = draw_samples(table.errors, spec.camera, lens, table.seed, table.samples)
    return _with_sound_starts(Task(problem, variables, starting_lenses(problem, variables), draws))


def _with_sound_starts(task: Task) -> Task:
    """Leave out the starts that cannot be simulated on the whole sensor.

    Raises:
        InputError: none can.
    """
    faults = [task.fault(start.numbers) for start in task.starts]
    if None not in faults:
        raise InputError(
            f"design {task.problem.spec.name}: none of its starts can be simulated on the whole sensor; of "
            f"{task.starts[0].name}: {faults[0]}"
        )
    sound = [start for start, fault in zip(task.starts, faults, strict=True) if fault is None]
    unsound = tuple(start.name for start, fault in zip(task.starts, faults, strict=True) if fault is not None)
    return replace(task, starts=sound, left_out=unsound)


def variables_of(problem: Problem) -> LensVariables:
    """The variables that the specification's table describes.

    Raises:
        InputError: the library of its meta-atoms cannot be read, or does not reach the wavelengths.
    """
    variables = _of_lens(problem)
    stop, terms = problem.camera.lens.stop, problem.spec.stop_terms
    if terms is None:
        return variables
    assert stop is not None, "stop_terms without a stop are a contradiction"
    return DoubletVariables(variables, PolynomialVariables(terms, 0.5e-6 * stop.diameter_um), stop)


def _of_lens(problem: Problem) -> LensVariables:
    radius = 0.5 * float(problem.view.lens.aperture_diameter)
    match problem.spec.variables:
        case records.EvenPolynomialVariables(terms=terms):
            return PolynomialVariables(terms, radius)
        case records.ZernikeVariables(order=order, symmetry=symmetry):
            return ZernikeVariables(zernike_indices(order, symmetry), radius)
        case records.FreeformVariables(samples=samples):
            return FreeformVariables(samples, radius)
        case records.RadialGeometryVariables() as record:
            return geometry_variables(record, problem)


def checkpoint_of(output: Path) -> Path:
    """Where the state of the search for a lens.toml is kept until it is finished."""
    return output.with_name(f"{output.stem}.checkpoint.npz")


def check_output(output: Path, *, resume: bool) -> None:
    """Check, before a search, that its output is new or can be continued.

    Args:
        output: as :func:`design_lens`.
        resume: as :func:`design_lens`.

    Raises:
        InputError: the output or the state of a search exists, or the search that is to be continued is finished.
    """
    place = checkpoint_of(output)
    if not resume:
        for path, what in ((output, "give another place with -o"), (place, "go on with --resume, or delete it")):
            # Links that lead nowhere count.
            if os.path.lexists(path):
                raise InputError(f"{path}: exists already, and nothing is overwritten; {what}.")
    elif not place.exists() and output.exists():
        raise InputError(f"{output}: its search is finished; leave out --resume and give another place with -o.")


def state_of(task: Task, output: Path) -> SearchState:
    """Where the search for a ``lens.toml`` stands: its checkpoint's state, or the first one.

    Args:
        task: the specification and its free parameters.
        output: the lens.toml to write.

    Returns:
        The state; its step is 0 where nothing was searched yet.

    Raises:
        InputError: the checkpoint is damaged, or of another specification.
    """
    place, first = checkpoint_of(output), first_state(task)
    return read_state(place, _asked(task.problem.spec), first, len(task.starts)) if place.exists() else first


def _asked(spec: DesignSpec) -> dict[str, Any]:
    # Descriptions do not affect the result.
    return spec.model_dump(mode="json", exclude={"description": True, "camera": {"description"}}, exclude_none=True)


def design_lens(
    spec: DesignSpec,
    output: Path,
    *,
    resume: bool = False,
    minutes: float | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Design:
    """Design a lens and write its ``lens.toml``.

    The state of the search is saved next to the output, and deleted when the search has ended.

    Args:
        spec: what is asked for.
        output: the lens.toml to write.
        resume: go on with the search whose state lies beside the output; where there is none, begin.
        minutes: time limit; the best lens so far is written, and ``resume`` continues from there.
        progress: called with the steps done, their largest number and the best loss.

    Returns:
        The problem, its last state, the camera and where it was written.

    Raises:
        InputError: the specification contradicts itself, the output exists, is being written by another run, or was
            begun with another specification.
    """
    check_output(output, resume=resume)
    place = checkpoint_of(output)
    with held(output.with_name(f".{output.name}.lock"), output):
        task = task_of(spec)
        state = state_of(task, output)

        def save(now: SearchState) -> None:
            write_state(place, now, _asked(spec))

        save(state)
        state = run_search(task, state, minutes=minutes, save=save, progress=progress)
        camera = designed_camera(task, state, output)
        write_camera(output, camera)
        if state.finished:
            place.unlink()
        return Design(task.problem, task, state, camera, output)


def designed_camera(task: Task, state: SearchState, output: Path) -> Camera:
    """The camera with the best lens so far; its description says how it came about.

    Args:
        task: the specification and its free parameters.
        state: of the search.
        output: of the ``lens.toml``; files that it names are written beside it.

    Returns:
        The camera, as ``lens.toml`` holds it.
    """
    spec = task.problem.spec
    numbers, loss = best_of(state)
    parts = ", ".join(each.kind for each in spec.objectives)
    told = (
        f"{spec.description} Designed by metalens design from {spec.name} ({spec.hash[:12]}): {parts}; "
        f"loss {loss:z.4f} after {len(state.history)} steps."
    ).strip()
    lens = spec.camera.lens.model_copy(update=task.variables.tables(numbers, output))
    return spec.camera.model_copy(update={"name": spec.name, "description": told, "lens": lens})
