"""Jobs on a cluster of Ray or Slurm, by the same functions as on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import missing_package
from metalens.runners.job import Specs, Tell, answer_of, do_job
from metalens.runners.processes import available_cores, one_thread


class Ray:
    """Runs jobs on a Ray cluster: the one that ``RAY_ADDRESS`` names, or one of this machine's cores.

    Args:
        workers: jobs that run at the same time; ``None`` as many as the cluster has cores.
    """

    def __init__(self, workers: int | None) -> None:
        self.ray = _import("ray")
        self.workers = workers
        self.started = False

    def run(self, job: str, specs: Specs, tell: Tell = lambda place, made: None) -> Iterator[tuple[int, Any]]:
        """See :class:`metalens.runners.job.Runner`; a task tells nothing before it is done."""
        del tell
        ray = self.ray
        if not ray.is_initialized():
            self.started = True
            address = os.environ.get("RAY_ADDRESS")
            size = {} if address else {"num_cpus": self.workers or available_cores(), "include_dashboard": False}
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **size)
        remote = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": one_thread()})(do_job)
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

    def run(self, job: str, specs: Specs, tell: Tell = lambda place, made: None) -> Iterator[tuple[int, Any]]:
        """See :class:`metalens.runners.job.Runner`; a job tells nothing before it is done."""
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
    """Do one job on several specs, in a process whose environment this package did not set.

    Args:
        job: its name.
        specs: one for each time that it is done.

    Returns:
        A reply for each spec, in their order.
    """
    os.environ.update(one_thread())
    return [do_job(job, spec) for spec in specs]


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        backend = "slurm" if package == "submitit" else package
        raise InputError(f"--backend {backend}: {missing_package(package)}.") from error
