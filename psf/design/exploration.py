"""An exploration: each architecture is a design of its own, by gradients, and is then measured independently."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from metalens.formats.design.exploration import Architecture
from metalens.formats.design.exploration_run import LENSES, Candidate, open_exploration
from metalens.formats.design.spec import DesignSpec
from metalens.formats.files.errors import InputError
from metalens.psf.design.architecture import candidate_spec
from metalens.psf.design.architecture_sampling import Sampler
from metalens.psf.design.candidate import EVALUATE, job_of_candidate
from metalens.psf.design.run import task_of
from metalens.psf.design.search import Task
from metalens.runners.backend import BackendSettings
from metalens.runners.job import Runner

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


def versions_here() -> dict[str, str]:
    """Versions of the packages that decide the numbers."""
    return {package: version(package) for package in _PACKAGES}


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

    Returns:
        The folder and its candidates, those that failed with the reason.

    Raises:
        InputError: the table contradicts itself, nothing fits in its envelope, the folder cannot be used, all
            candidates failed, or a worker was lost.
    """
    sampler = sampler_of(spec)
    place = BackendSettings() if backend is None else backend
    with open_exploration(folder, spec, versions_here(), resume=resume) as (done, append):
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


def first_task(sampler: Sampler) -> Task:
    """The search of the first candidate that can be designed; :func:`check_designs` says what is wrong with the others.

    Raises:
        InputError: none can be.
    """
    problem: InputError | None = None
    for number, architecture in enumerate(sampler.first):
        try:
            return task_of(candidate_spec(sampler.branches[architecture.choice], architecture, number))
        except InputError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def check_designs(sampler: Sampler) -> None:
    """Prepare the search of the first candidate of each choice, to find what is wrong with all of them before the work.

    Args:
        sampler: of the run.

    Raises:
        InputError: none of them can be designed.
    """
    problems = []
    firsts = {each.choice: (number, each) for number, each in reversed(list(enumerate(sampler.first)))}
    for choice, (number, architecture) in firsts.items():
        try:
            task_of(candidate_spec(sampler.branches[choice], architecture, number))
        except InputError as error:
            problems.append(str(error))
    if len(problems) == len(firsts):
        raise InputError("; ".join(each.rstrip(".") for each in dict.fromkeys(problems)) + ".")


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
        jobs[number] = job_of_candidate(spec, folder / LENSES / lens_name(number))
    numbers = list(jobs)
    for place, told in runner.run(EVALUATE, list(jobs.values())):
        yield numbers[place], told
