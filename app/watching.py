"""Follow a job on a page until it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from metalens.app.frame import Progress
from metalens.app.job import Job

_SECONDS = 0.3


async def watch(job: Job, progress: Progress, text: str, seen: Callable[[], None] = lambda: None) -> bool:
    """Show the progress of a job until it has ended or the page has gone.

    Args:
        job: that runs.
        progress: the bar.
        text: what is being done.
        seen: called at each look.

    Returns:
        Whether it has done its work.
    """
    while job.state() == "running" and not progress.row.is_deleted:
        progress.show(job.share(), text)
        seen()
        await asyncio.sleep(_SECONDS)
    progress.hide()
    seen()
    return job.state() == "done"
