"""The held-out photographs with which an empty project begins: the embedded camera takes them while the page loads."""

from __future__ import annotations

from pathlib import Path

from metalens.app.embedded import ADAPTERS, embedded_bank
from metalens.app.job import Job
from metalens.app.photographs import photographs_in
from metalens.app.project import Project
from metalens.app.studio import Studio
from metalens.formats.files.errors import InputError
from metalens.formats.pairs.reader import is_pairs_folder, read_pairs

_NAME = "held-out"


def held_out_folder(project: Project) -> Path:
    """The folder of their pairs; no training uses these photographs."""
    return project.own / _NAME


def held_out_job(studio: Studio) -> Job:
    """The command that makes the pairs."""
    return studio.jobs.job(_NAME)


def begin_held_out(studio: Studio) -> Job:
    """Start the command, unless it runs, its pairs are whole, or the project has photographs already.

    Args:
        studio: of the app.

    Returns:
        The job, which may have ended.
    """
    project, job = studio.project, held_out_job(studio)
    pairs = held_out_folder(project)
    if job.state() != "running" and not photographs_in(project) and not _whole(pairs):
        arguments = ["synth", "embedded:held-out", "-o", project.relative(pairs)]
        arguments += ["--psf", project.relative(embedded_bank(project)), "--whole", "--seed", "1", "--json"]
        # The app may have been ended while they were made.
        job.start(arguments + ["--resume"] * is_pairs_folder(pairs))
    return job


async def load_adapter(studio: Studio) -> None:
    """Let the restoring process load the adapter that is chosen first, before a page asks for it.

    Args:
        studio: of the app.

    Raises:
        InputError: a package is missing, or the process was stopped.
    """
    await studio.restoring.ask({"do": "warm", "adapter": ADAPTERS[0]})


def _whole(folder: Path) -> bool:
    """Whether a folder holds all the pairs that it is to hold."""
    try:
        read_pairs(folder).close()
    except InputError:
        return False
    return True
