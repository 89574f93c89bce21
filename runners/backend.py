"""The choice of where work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from metalens.runners.clusters import Ray, Slurm
from metalens.runners.job import Runner
from metalens.runners.local import Here, LocalWorkers, check_workers

BackendName = Literal["local", "ray", "slurm"]


@dataclass(frozen=True)
class BackendSettings:
    """Where the work is done; it does not change what comes out.

    Attributes:
        backend: ``local``, ``ray`` or ``slurm``.
        workers: processes at the same time; 1 with ``local`` is this process itself.
        own_process: whether one local worker is a process of its own, of one thread as several are: sums over more
            threads differ in the last bits, which a search of many steps enlarges.
        options: of submitit's executor.
    """

    backend: BackendName = "local"
    workers: int = 1
    own_process: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def open(self, folder: Path, here: Mapping[str, Any]) -> Runner:
        """Start the backend.

        Args:
            folder: of the output; files of a cluster's jobs lie beside it.
            here: what runs under each job's name in this process.

        Returns:
            A runner on Ray, on Slurm, on processes of this machine, or in this process.

        Raises:
            InputError: its package is missing, or there are no workers.
        """
        check_workers(self.workers)
        if self.backend == "ray":
            return Ray(self.workers)
        if self.backend == "slurm":
            target = folder.resolve()
            return Slurm(self.workers, target.with_name(f"{target.name}-slurm"), self.options)
        return LocalWorkers(self.workers) if self.workers > 1 or self.own_process else Here(here)
