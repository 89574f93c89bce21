"""The held-out photographs with which an empty project begins: one is captured already, further ones follow."""

from __future__ import annotations

from pathlib import Path

from metalens.app.embedded import embedded_bank
from metalens.app.job import Job
from metalens.app.photographs import add_pairs, photographs_in
from metalens.app.project import Project
from metalens.app.studio import Studio
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.example import EXAMPLE
from metalens.formats.pairs.reader import is_pairs_folder, read_pairs

_NAME = "held-out"
_FURTHER = ("embedded:china", "embedded:motorcycle")
"""The held-out photographs without that of the example."""


def held_out_folder(project: Project) -> Path:
    """The folder of their pairs; no training uses these photographs."""
    return project.own / _NAME


def held_out_job(studio: Studio) -> Job:
    """The command that makes the pairs."""
    return studio.jobs.job(_NAME)


def begin_project(project: Project) -> None:
    """Give a project without photographs the captured one that comes with the package.

    Args:
        project: of the app.

    Raises:
        InputError: the disk refuses it.
    """
    if not photographs_in(project):
        add_pairs(project, EXAMPLE)


def begin_held_out(studio: Studio) -> Job | None:
    """Start the command that captures the further ones, at low priority, unless it runs or its pairs are whole.

    Args:
        studio: of the app.

    Returns:
        The job, which may have ended; None if the project began with photographs of its own, or has all of them.

    Raises:
        InputError: a command of an app that was ended still makes them, or the disk refuses.
    """
    project, job = studio.project, held_out_job(studio)
    pairs = held_out_folder(project)
    sources = {each.about.source for each in photographs_in(project)}
    if EXAMPLE not in sources or project.relative(pairs) in sources:
        return None
    if job.state() != "running" and not _whole(pairs):
        arguments = ["synth", *_FURTHER, "-o", project.relative(pairs)]
        arguments += ["--psf", project.relative(embedded_bank(project)), "--whole", "--seed", "1", "--json"]
        # The app may have been ended while they were made.
        job.start(arguments + ["--resume"] * is_pairs_folder(pairs), patient=True)
    return job


def add_held_out(project: Project) -> None:
    """Take the further ones, whose pairs are whole, among the photographs.

    Args:
        project: of the app.

    Raises:
        InputError: the pairs are damaged, or the disk refuses.
    """
    add_pairs(project, project.relative(held_out_folder(project)))


def _whole(folder: Path) -> bool:
    """Whether a folder holds all the pairs that it is to hold."""
    try:
        read_pairs(folder).close()
    except InputError:
        return False
    return True
