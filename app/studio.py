"""What all pages of one app share: the project, running jobs, and the processes that keep something loaded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from metalens.app.job import Jobs
from metalens.app.project import Project
from metalens.app.service import Service


@dataclass
class Studio:
    """One run of the app.

    Attributes:
        project: the folder it was started in.
        jobs: commands in processes of their own.
        restoring: the process that holds a restorer.
        simulating: the process that simulates single point spread functions.
    """

    project: Project
    jobs: Jobs = field(init=False)
    restoring: Service = field(init=False)
    simulating: Service = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.project)
        self.restoring = Service("metalens.app.restore_service", self.project)
        self.simulating = Service("metalens.app.lens_service", self.project)

    async def end(self) -> None:
        """Stop everything at the same time; nothing half-written is left."""
        await asyncio.gather(asyncio.to_thread(self.jobs.end_all), self.restoring.stop(), self.simulating.stop())

    def end_all(self) -> None:
        """End all processes where no event loop runs; otherwise as :meth:`end`."""
        self.jobs.end_all()
        self.restoring.end()
        self.simulating.end()
