"""Jobs of this machine: one after another in this process, or in processes of their own."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from metalens.formats.files.arguments import require_whole
from metalens.formats.files.errors import InputError
from metalens.runners.job import Job, Runner, Specs, Tell, answer_of, job_of
from metalens.runners.processes import end, one_thread, start_python

MOST_WORKERS = 256


def check_workers(workers: int) -> None:
    """Refuse a number of processes that makes no sense.

    Raises:
        InputError: it is below 1 or very large.
    """
    require_whole(workers, "--workers")
    if not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"--workers {workers}: at least 1 and at most {MOST_WORKERS} can be asked for.")


class Here:
    """Runs jobs one after another in this process.

    Args:
        jobs: what runs under each name, if not what a worker would run.
    """

    def __init__(self, jobs: Mapping[str, Job] | None = None) -> None:
        self.jobs = jobs or {}

    def run(self, job: str, specs: Specs, tell: Tell = lambda place, made: None) -> Iterator[tuple[int, Any]]:
        """See :class:`metalens.runners.job.Runner`."""
        function = self.jobs.get(job) or job_of(job)
        for place, spec in enumerate(specs):
            yield place, function(spec, partial(tell, place))

    def close(self) -> None:
        """There is nothing to let go."""


def workers_of(workers: int) -> Runner:
    """So many processes of this machine; one is this process itself."""
    return LocalWorkers(workers) if workers > 1 else Here()


class LocalWorkers:
    """Runs jobs in processes of this machine, each of one thread.

    Args:
        workers: how many.
        environment: further variables of their environment.
    """

    def __init__(self, workers: int, environment: Mapping[str, str] | None = None) -> None:
        self.workers = workers
        self.environment = one_thread() | dict(environment or {})
        self.processes: list[subprocess.Popen[str]] = []

    def run(self, job: str, specs: Specs, tell: Tell = lambda place, made: None) -> Iterator[tuple[int, Any]]:
        """See :class:`metalens.runners.job.Runner`."""
        waiting: SimpleQueue[int] = SimpleQueue()
        for place in range(len(specs)):
            waiting.put(place)
        events: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
        while len(self.processes) < min(self.workers, len(specs)):
            words = ["-c", "from metalens.runners.worker import main; main()"]
            self.processes.append(start_python(words, self.environment, stdin=subprocess.PIPE))
        for process in self.processes:
            threading.Thread(target=_serve, args=(process, job, specs, waiting, events), daemon=True).start()
        left = len(specs)
        unharmed = False
        try:
            while left:
                place, reply = events.get()
                if "made" in reply:
                    tell(place, reply["made"])
                    continue
                left -= 1
                yield place, answer_of(reply)
            unharmed = True
        finally:
            if not unharmed:
                self.close()

    def close(self) -> None:
        """Stop the workers."""
        end(self.processes)
        self.processes = []


def _serve(
    process: subprocess.Popen[str],
    job: str,
    specs: Specs,
    waiting: SimpleQueue[int],
    events: SimpleQueue[tuple[int, dict[str, Any]]],
) -> None:
    """Give one worker its jobs and pass on what it says, until nothing waits or it is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    while not waiting.empty():
        try:
            place = waiting.get_nowait()
        except Empty:  # another worker took the last one
            return
        try:
            process.stdin.write(json.dumps({"job": job, "spec": specs[place]}) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                reply = json.loads(line)
                events.put((place, reply))
                if "made" not in reply:
                    break
            else:
                raise BrokenPipeError
        except (OSError, ValueError):
            status = process.wait()
            reason = f"signal {-status}, as when memory runs out" if status < 0 else f"status {status}"
            remedy = "run again with --resume, with fewer --workers if memory is short"
            events.put((place, {"error": f"a worker ended with {reason}; {remedy}."}))
            return
