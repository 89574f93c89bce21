"""Where jobs run: here, in other processes of this machine, or on a cluster of Ray or Slurm.

All run the same functions on the same specs; which one, and with how many workers, changes the time and nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal, Protocol

from metalens.formats.files.errors import InputError
from metalens.synth.dataset.worker import JOBS, Job, answer_of, do_job, environment

BackendName = Literal["local", "ray", "slurm"]

Specs = Sequence[Mapping[str, Any]]
Tell = Callable[[int, int], None]
"""Is told the place of a spec and how much of it is made, where a backend knows."""


class Backend(Protocol):
    """Runs jobs; the results come in any order, each with the place of its spec."""

    def run(self, job: str, specs: Specs, tell: Tell) -> Iterator[tuple[int, Any]]:
        """Run one job on many specs.

        Raises:
            InputError: a job raised one, or the backend cannot work.
        """
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Here:
    """Runs jobs one after another in this process.

    Args:
        jobs: what runs under each name, if not what a worker would run.
    """

    def __init__(self, jobs: Mapping[str, Job] | None = None) -> None:
        self.jobs = {**JOBS, **(jobs or {})}

    def run(self, job: str, specs: Specs, tell: Tell) -> Iterator[tuple[int, Any]]:
        """See :class:`Backend`."""
        for place, spec in enumerate(specs):
            yield place, self.jobs[job](spec, partial(tell, place))

    def close(self) -> None:
        """There is nothing to let go."""


class LocalWorkers:
    """Runs jobs in processes of this machine, started afresh.

    Args:
        workers: how many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.processes: list[subprocess.Popen[str]] = []

    def run(self, job: str, specs: Specs, tell: Tell) -> Iterator[tuple[int, Any]]:
        """See :class:`Backend`."""
        waiting: SimpleQueue[int] = SimpleQueue()
        for place in range(len(specs)):
            waiting.put(place)
        events: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
        while len(self.processes) < min(self.workers, len(specs)):
            self.processes.append(_start_worker())
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
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                with suppress(OSError):
                    stream.close()
        self.processes = []


def _start_worker() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from metalens.synth.dataset.worker import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | environment(),
        # An interrupt from the keyboard is for this process, which stops them.
        start_new_session=True,
    )


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


class Ray:
    """Runs jobs on a Ray cluster: the one that ``RAY_ADDRESS`` names, or one of this machine's cores.

    Args:
        workers: jobs that run at the same time; ``None`` as many as the cluster has cores.
    """

    def __init__(self, workers: int | None) -> None:
        self.ray = _import("ray")
        self.workers = workers
        self.started = False

    def run(self, job: str, specs: Specs, tell: Tell) -> Iterator[tuple[int, Any]]:
        """See :class:`Backend`; a task tells nothing before it is done."""
        del tell
        ray = self.ray
        if not ray.is_initialized():
            self.started = True
            address = os.environ.get("RAY_ADDRESS")
            size = {} if address else {"num_cpus": self.workers or available_cores(), "include_dashboard": False}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **size)
        remote = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": environment()})(do_job)
        places: dict[Any, int] = {}
        waiting = list(range(len(specs)))[::-1]
        limit = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        try:
            while waiting or places:
                while waiting and len(places) < limit:
                    place = waiting.pop()
                    places[remote.remote(job, dict(specs[place]))] = place
                (done, *_), _ = ray.wait(list(places), num_returns=1)
                place = places.pop(done)
                yield place, answer_of(self._get(done))
        finally:
            for task in places:
                ray.cancel(task, force=True)

    def close(self) -> None:
        """Leave the cluster, or end it if it was begun here."""
        if self.started:
            self.ray.shutdown()
            self.started = False

    def _get(self, task: Any) -> Mapping[str, Any]:
        try:
            reply: Mapping[str, Any] = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            sentence = str(error).strip().splitlines()[0]
            raise InputError(f"ray: a task was lost ({sentence}); run again with --resume.") from error
        return reply


class Slurm:
    """Runs jobs on a Slurm cluster by submitit, each worker a job of an array with its part of the specs.

    Args:
        workers: jobs of the array.
        logs: a folder that every node sees, for submitit's scripts and logs.
        options: of submitit's executor, such as ``partition`` or ``timeout_min``; ``cluster`` = ``local`` runs the
            jobs on this machine, without Slurm.
    """

    def __init__(self, workers: int, logs: Path, options: Mapping[str, str]) -> None:
        self.submitit = _import("submitit")
        self.workers = workers
        self.logs = logs
        self.options = {key: int(value) if value.isdigit() else value for key, value in options.items()}

    def run(self, job: str, specs: Specs, tell: Tell) -> Iterator[tuple[int, Any]]:
        """See :class:`Backend`; a job tells nothing before it is done."""
        del tell
        options = dict(self.options)
        cluster = options.pop("cluster", "slurm")
        try:
            executor = self.submitit.AutoExecutor(folder=self.logs, cluster=cluster)
            executor.update_parameters(**({"name": "metalens", "cpus_per_task": 1, "tasks_per_node": 1} | options))
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise InputError(f"slurm: {error}; check the options of --slurm.") from error
        parts = [list(range(first, len(specs), self.workers)) for first in range(min(self.workers, len(specs)))]
        running = []
        try:
            with executor.batch():
                running = [executor.submit(do_jobs, job, [dict(specs[place]) for place in part]) for part in parts]
            for part, task in zip(parts, running, strict=True):
                for place, reply in zip(part, self._result(task), strict=True):
                    yield place, answer_of(reply)
        finally:
            for task in running:
                if not task.done():
                    task.cancel()

    def close(self) -> None:
        """There is nothing to let go: a job ends by itself."""

    def _result(self, task: Any) -> list[dict[str, Any]]:
        try:
            replies: list[dict[str, Any]] = task.result()
        except Exception as error:  # submitit raises its own kinds, and whatever the job died of
            sentence = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"slurm: job {task.job_id} failed ({sentence}; logs in {self.logs}); run again with --resume."
            ) from error
        return replies


def do_jobs(job: str, specs: Specs) -> list[dict[str, Any]]:
    """Do one job on several specs, in a process whose environment is not ours to begin with."""
    os.environ.update(environment())
    return [do_job(job, spec) for spec in specs]


@dataclass(frozen=True)
class BackendSettings:
    """Where the work is done; it does not change what comes out.

    Attributes:
        backend: ``local``, ``ray`` or ``slurm``.
        workers: processes at the same time; 1 with ``local`` is this process itself.
        options: of submitit's executor.
    """

    backend: BackendName = "local"
    workers: int = 1
    options: Mapping[str, str] = field(default_factory=dict)

    def open(self, folder: Path, here: Mapping[str, Any]) -> Backend:
        """The backend; ``here`` says what runs under each job's name in this process.

        Raises:
            InputError: its package is missing, or there are no workers.
        """
        if self.workers < 1:
            raise InputError(f"--workers {self.workers}: at least 1 is needed.")
        if self.backend == "ray":
            return Ray(self.workers)
        if self.backend == "slurm":
            target = folder.resolve()
            return Slurm(self.workers, target.with_name(f"{target.name}-slurm"), self.options)
        return LocalWorkers(self.workers) if self.workers > 1 else Here(here)


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(
            f"--backend {'slurm' if package == 'submitit' else package} needs the package {package}; install it with "
            "pip install 'metalens[cluster]'."
        ) from error
