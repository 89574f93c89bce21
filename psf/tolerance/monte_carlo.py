"""Monte Carlo run: many drawn lenses evaluated by one or several processes, resumable."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np

from metalens.formats.camera.camera import Camera, camera_of_json, camera_to_json, dump_camera
from metalens.formats.design.tolerance_run import LensLine, ToleranceRun, open_tolerance_run
from metalens.formats.design.tolerance_spec import Errors, Fixed, ToleranceSpec
from metalens.formats.files.arguments import require_whole
from metalens.formats.files.errors import InputError
from metalens.optics.from_lens_toml import metalens_of
from metalens.psf.tolerance.draws import FABRICATION, applicable_errors, draw_of, drawn_numbers, geometry_unit
from metalens.psf.tolerance.evaluation import FIGURES, Evaluation, check_places, evaluation_of, warn_of_window
from metalens.runners.job import Progress, in_order
from metalens.runners.local import check_workers, workers_of

Task = tuple[str, dict[str, float]]
"""Key and errors of a lens."""

_PACKAGES = ("metalens", "numpy", "jax")


@dataclass(frozen=True)
class MonteCarlo:
    """Results of a Monte Carlo run; figures of merit in the order and units of ``FIGURES``.

    Attributes:
        run: settings of the run.
        errors: the distributions of the errors that the lens has.
        names: of the errors that differ between draws.
        numbers: ``[draw, error]`` in the units of their names.
        figures: ``[draw, figure, field, channel]``.
        drawn: ``[figure, field, channel]`` of the lens as it was drawn, without any error.
        nominal: ``[figure, field, channel]`` with every error at its nominal number.
        steps: ``[error, (−σ, +σ), figure, field, channel]`` with one error a standard deviation to either side.
    """

    run: ToleranceRun
    errors: Errors
    names: tuple[str, ...]
    numbers: np.ndarray
    figures: np.ndarray
    drawn: np.ndarray
    nominal: np.ndarray
    steps: np.ndarray


def tolerance_run_of(
    camera: Camera,
    spec: ToleranceSpec,
    *,
    explicit: bool,
    draws: int,
    seed: int = 0,
    fields: tuple[int, int] = (3, 3),
    wavelengths_per_channel: int = 1,
    window: int | None = None,
) -> ToleranceRun:
    """Check and collect the settings of a run.

    Args:
        camera: the camera.
        spec: errors and limits.
        explicit: whether the errors were written for this lens: an error that does not apply then raises; otherwise
            it is left out and reported.
        draws: how many lenses.
        seed: of the draws.
        fields: rows and columns of places on the sensor.
        wavelengths_per_channel: at each place.
        window: side of the functions in pixels; by default chosen for the lens as drawn.

    Returns:
        The settings, with the hash by which a folder is known again.

    Raises:
        InputError: the lens cannot have an error, has none of them, or a number is out of range.
    """
    require_whole(draws, "tolerance: draws")
    require_whole(seed, "tolerance: seed")
    if not 1 <= draws <= 10**6:
        raise InputError(f"tolerance: {draws} draws were asked for, 1 to 1000000 were expected; 200 is usual.")
    if not 0 <= seed < 2**63:
        raise InputError(f"tolerance: seed {seed} was expected from 0 to 2^63 - 1.")
    check_places(fields, wavelengths_per_channel, window)
    lens = metalens_of(camera)
    kept, reasons = applicable_errors(spec.errors, lens)
    if explicit and reasons:
        name, reason = next(iter(reasons.items()))
        raise InputError(
            f"tolerance: {camera.name} cannot have {name}: {reason}; leave it out of the spec{_remedy(name)}."
        )
    if not kept.terms:
        raise InputError(f"tolerance: {camera.name} can have none of these errors; give others in the spec.")
    _unit(camera, kept)
    return ToleranceRun(
        lens_toml=dump_camera(camera),
        lens_hash=camera.hash,
        spec=spec,
        not_applied=reasons,
        seed=seed,
        draws=draws,
        fields=fields,
        wavelengths_per_channel=wavelengths_per_channel,
        window=window,
        figures=tuple(FIGURES),
        versions={package: version(package) for package in _PACKAGES},
    )


def _remedy(name: str) -> str:
    of_atoms = name in FABRICATION and name != "pitch_error_percent"
    return ", or give the lens a [lens.response] with a library of meta-atoms" if of_atoms else ""


def applied_errors(run: ToleranceRun) -> Errors:
    """The errors of a run, without those that do not apply to its lens."""
    return run.spec.errors.model_copy(update=dict.fromkeys(run.not_applied))


def run_monte_carlo(
    camera: Camera,
    run: ToleranceRun,
    folder: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MonteCarlo:
    """Evaluate all lenses of a run that are not in its folder yet.

    Args:
        camera: the camera.
        run: of :func:`tolerance_run_of`.
        folder: receives each lens as soon as it is evaluated.
        workers: number of processes; it does not change the results.
        resume: continue an interrupted run with the same settings.
        progress: called with the number of lenses done and their total.

    Returns:
        Errors and figures ``[draw]`` of all lenses, those of the folder included.

    Raises:
        InputError: the folder cannot be used, the camera cannot be simulated, or a worker died.
    """
    check_workers(workers)
    errors = applied_errors(run)
    tasks = _tasks(errors, run)
    with open_tolerance_run(folder, run, resume=resume) as (done, append):
        missing = [task for task in tasks if task[0] not in done]
        for key, numbers, figures in _evaluated(camera, run, missing, workers):
            done[key] = LensLine(key, numbers, figures)
            append(done[key])
            if progress is not None:
                progress(len(done), len(tasks))
    drawn = done["drawn"].figures[list(FIGURES).index("window_share")]
    warn_of_window(camera, run.fields, run.wavelengths_per_channel, run.window, drawn)
    return _collected(run, errors, done)


def _moving(errors: Errors) -> dict[str, float]:
    """Name → standard deviation of the errors that differ between lenses."""
    return {name: each.sigma_of_numbers for name, each in errors.terms.items() if not isinstance(each, Fixed)}


def _tasks(errors: Errors, run: ToleranceRun) -> list[Task]:
    nominal = {name: each.nominal for name, each in errors.terms.items()}
    tasks: list[Task] = [("drawn", dict.fromkeys(nominal, 0.0)), ("nominal", nominal)]
    for name, sigma in _moving(errors).items():
        tasks += [(f"step {name} {sign}", nominal | {name: nominal[name] + step}) for sign, step in _signs(sigma)]
    return tasks + [(f"draw {index}", drawn_numbers(errors, run.seed, index)) for index in range(run.draws)]


def _signs(sigma: float) -> Sequence[tuple[str, float]]:
    return ("-", -sigma), ("+", sigma)


def _collected(run: ToleranceRun, errors: Errors, done: dict[str, LensLine]) -> MonteCarlo:
    names = tuple(_moving(errors))
    lenses = [done[f"draw {index}"] for index in range(run.draws)]
    shape = done["nominal"].figures.shape
    steps = [[done[f"step {name} {sign}"].figures for sign in "-+"] for name in names]
    return MonteCarlo(
        run=run,
        errors=errors,
        names=names,
        numbers=np.array([[lens.numbers[name] for name in names] for lens in lenses]).reshape(run.draws, len(names)),
        figures=np.stack([lens.figures for lens in lenses]),
        drawn=done["drawn"].figures,
        nominal=done["nominal"].figures,
        steps=np.array(steps).reshape(len(names), 2, *shape),
    )


def _evaluated(
    camera: Camera, run: ToleranceRun, tasks: Sequence[Task], workers: int
) -> Iterator[tuple[str, dict[str, float], np.ndarray]]:
    """Key, errors and figures of each lens, in the order of the tasks."""
    settings = {"fields": run.fields, "wavelengths_per_channel": run.wavelengths_per_channel, "window": run.window}
    settings |= {"camera": camera_to_json(camera), "unit": _unit(camera, run.spec.errors)}
    specs = [{"settings": json.dumps(settings), "numbers": numbers} for _, numbers in tasks]
    with closing(workers_of(workers)) as runner:
        for (key, numbers), figures in zip(tasks, in_order(runner.run(EVALUATE, specs)), strict=True):
            yield key, numbers, np.array(figures, dtype=np.float64)


def _unit(camera: Camera, errors: Errors) -> float:
    """Metres in one unit of the library's geometry, where the errors have a width."""
    if not {"width_error_nm", "width_spread_nm"} & set(errors.terms):
        return 1.0
    return geometry_unit(camera, metalens_of(camera))


EVALUATE = "metalens.psf.tolerance.monte_carlo:evaluate"
"""The job's name."""


def evaluate(spec: Mapping[str, Any], progress: Progress) -> list[Any]:
    """Evaluate one drawn lens; runs as a job in a worker process.

    Args:
        spec: ``settings`` of the evaluation and ``numbers`` of the draw.
        progress: not used.

    Returns:
        Figures of merit ``[figure, field, channel]`` as nested lists.
    """
    del progress
    evaluation, unit = _evaluation(spec["settings"])
    figures: list[Any] = evaluation.figures(draw_of(spec["numbers"], unit)).tolist()
    return figures


@lru_cache(maxsize=1)
def _evaluation(settings: str) -> tuple[Evaluation, float]:
    """What this process evaluates, and the unit of its widths; compiled once."""
    told = json.loads(settings)
    camera, unit = camera_of_json(told.pop("camera")), float(told.pop("unit"))
    return evaluation_of(camera, **told | {"fields": tuple(told["fields"])}), unit
