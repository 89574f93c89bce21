"""Times and memory that stand comparison: the shortest of interleaved runs, and the machine that they are from."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax

LEAST_TURN = 0.25
"""Seconds for which a short task is repeated."""


class Cost(NamedTuple):
    """Of a task: shortest wall-clock time, and least processor time of all threads together, in seconds."""

    wall: float = float("inf")
    processor: float = float("inf")


def interleaved_costs(tasks: Mapping[str, Callable[[], object]], rounds: int, *, warm: bool = True) -> dict[str, Cost]:
    """What each task costs, all of them run in turn, so that a busy minute strikes all alike.

    Args:
        tasks: what to time; one that returns an array of JAX is waited for.
        rounds: how often; a short task is repeated in its turn, as a long one has more than one slice of time.
        warm: run each once more before, so that what compiles is not counted.
    """
    costs = dict.fromkeys(tasks, Cost())
    for task in tasks.values() if warm else ():
        jax.block_until_ready(task())
    for _ in range(rounds):
        for name, task in tasks.items():
            costs[name] = _turn(task, costs[name])
    return costs


def _turn(task: Callable[[], object], best: Cost) -> Cost:
    until = time.perf_counter() + LEAST_TURN
    while True:
        started, used = time.perf_counter(), time.process_time()
        jax.block_until_ready(task())
        now = time.perf_counter()
        best = Cost(min(best.wall, now - started), min(best.processor, time.process_time() - used))
        if now > until:
            return best


def peak_megabytes() -> dict[str, float]:
    """Largest memory of this process so far, and of the accelerator where there is one."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}
    used = jax.devices()[0].memory_stats()
    if used and "peak_bytes_in_use" in used:
        peak["device"] = used["peak_bytes_in_use"] / 1e6
    return peak


def machine() -> str:
    """Processor, cores, load and the devices that JAX computes on, in a line."""
    name = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        models = [line.split(":", 1)[1].strip() for line in described.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    devices = ", ".join(f"{device.platform} {device.device_kind}" for device in jax.devices())
    return (
        f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"jax {jax.__version__} on {devices}"
    )
