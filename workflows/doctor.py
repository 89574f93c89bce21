"""What this installation has, and what is slow on this machine: the report of ``metalens doctor``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from metalens.formats.files.extras import DISTRIBUTION_OF, EXTRA_OF, SERVES, is_installed
from metalens.runners.processes import available_cores, processor_name

BASE = ("jax", "jaxlib", "numpy", "scipy", "h5py", "pydantic", "pillow", "OpenEXR", "matplotlib", "click")
"""Packages of the base installation whose versions matter to results."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS", "CUDA_VISIBLE_DEVICES")
"""Variables of the environment that set threads and devices."""

DEMO_BYTES = 2_530_000_000
"""Peak memory of the largest stage of ``make demo``, as README has it."""

_HUB_PRIORS = ("stabilityai/sd-turbo",)


def examine() -> dict[str, Any]:
    """Look at the installation and the machine.

    Returns:
        ``versions``, ``machine``, ``devices``, ``threads``, ``extras``, ``weights``, ``measured`` and ``slow``, made of
        what JSON has.
    """
    found: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "devices": devices(),
        "threads": threads(),
        "extras": extras(),
        "weights": weights(),
        "measured": measured(),
    }
    return found | {"slow": slow(found)}


def versions() -> dict[str, str | None]:
    """Distribution → its version; None if it is not installed."""
    from metalens import __version__

    named = dict.fromkeys([*BASE, *(DISTRIBUTION_OF.get(name, name) for name in EXTRA_OF)])
    return {
        "metalens": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in sorted(named, key=str.lower)},
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """System, processor, cores and memory."""
    from metalens.psf.engines.grid import machine_memory

    return {
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "usable_cores": available_cores(),
        "memory_bytes": machine_memory() if hasattr(os, "sysconf") else None,
    }


def devices() -> dict[str, list[str]]:
    """Devices of JAX (simulation) and of PyTorch (restoration)."""
    import jax

    found = {"jax": [f"{each.platform}: {each.device_kind}" for each in jax.devices()], "torch": []}
    if is_installed("torch"):
        import torch

        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        accelerators = [f"cuda:{number}: {name}" for number, name in enumerate(names)]
        found["torch"] = ["cpu", *accelerators, *(["mps"] if torch.backends.mps.is_available() else [])]
    return found


def threads() -> dict[str, Any]:
    """Threads with which a process computes, and the variables that set them."""
    from threadpoolctl import threadpool_info

    found: dict[str, Any] = {name: os.environ[name] for name in THREADS if name in os.environ}
    found["pools"] = {each["filepath"].rpartition("/")[2]: each["num_threads"] for each in threadpool_info()}
    if is_installed("torch"):
        import torch

        found["torch"] = torch.get_num_threads()
    return found


def extras() -> dict[str, dict[str, Any]]:
    """Extra → the packages of it that are missing, and the commands that it serves."""
    return {
        extra: {
            "missing": [
                DISTRIBUTION_OF.get(name, name)
                for name, smallest in EXTRA_OF.items()
                if smallest == extra and not is_installed(name)
            ],
            "serves": list(commands),
        }
        for extra, commands in SERVES.items()
    }


def weights() -> dict[str, Any]:
    """Weights on this machine: embedded ones, and those of others in the places where they are looked for."""
    if not is_installed("torch"):
        return {}
    from metalens.restore.adapter.adapter_file import embedded_adapters
    from metalens.restore.conditioning.quality import cached_musiq_weights
    from metalens.restore.metrics.lpips import find_lpips
    from metalens.restore.prior.prior_folder import embedded_prior_folder

    prior = sum(each.stat().st_size for each in embedded_prior_folder().rglob("*.safetensors"))
    return {
        "embedded_prior_bytes": prior,
        "embedded_adapters": embedded_adapters(),
        "lpips": find_lpips() is not None,
        "musiq": cached_musiq_weights() is not None,
        "hub_priors": [name for name in _HUB_PRIORS if _in_hub_cache(name)],
    }


def _in_hub_cache(name: str) -> bool:
    if not is_installed("huggingface_hub"):
        return False
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "model_index.json"), str)


def measured() -> dict[str, float]:
    """Short measurements, about a second in all: the median of a few repetitions each.

    Returns:
        Milliseconds of a complex Fourier transform of 1024² (what blur and point spread functions are made of), MB/s
        that reach the disk of temporary files, 0 if it takes none, and GFLOP/s of a convolution of the restorer's size,
        if PyTorch is here.
    """
    found = {"fft_1024_ms": 1e3 * _seconds(_transform()), "disk_mb_per_s": 0.0}
    # A disk that is full or read-only is told, and is no reason to tell nothing else.
    with suppress(OSError):
        found["disk_mb_per_s"] = 16 / _seconds(_write, repetitions=2)
    if is_installed("torch"):
        convolve, operations = _convolution()
        found["convolution_gflop_per_s"] = 1e-9 * operations / _seconds(convolve)
    return {name: round(value, 2) for name, value in found.items()}


def _seconds(work: Callable[[], object], repetitions: int = 5) -> float:
    work()
    taken = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _transform() -> Callable[[], object]:
    import numpy as np
    from scipy import fft

    field = np.ones((1024, 1024), dtype=np.complex64)
    return lambda: fft.fft2(field, workers=available_cores())


def _convolution() -> tuple[Callable[[], object], int]:
    import torch

    side, channels = 100, 64
    picture = torch.ones(1, channels, side, side)
    kernel = torch.ones(channels, channels, 3, 3)
    return lambda: torch.nn.functional.conv2d(picture, kernel, padding=1), 2 * 9 * channels**2 * side**2


def _write() -> None:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "block").open("wb") as file:
        file.write(bytes(16_000_000))
        file.flush()
        os.fsync(file.fileno())


def slow(found: Mapping[str, Any]) -> list[str]:
    """What makes this machine slower than it could be, or than others, each as a sentence.

    Args:
        found: the other entries of :func:`examine`.
    """
    machine, threads, told = found["machine"], found["threads"], []
    usable, torch_devices = machine["usable_cores"], found["devices"]["torch"]
    if torch_devices == ["cpu"]:
        told.append("PyTorch finds no GPU: train, restore and bench compute on the processor.")
    if any(each.startswith("cuda") for each in torch_devices) and found["devices"]["jax"][0].startswith("cpu"):
        told.append("JAX does not use the GPU: psf, design and tolerance compute on the processor.")
    if usable < (machine["cores"] or usable):
        told.append(f"{usable} of {machine['cores']} cores may be used by this process.")
    if usable == 1:
        told.append("One core: --workers gains nothing.")
    limited = threads.get("OMP_NUM_THREADS", "")
    if limited.isdecimal() and int(limited) < usable:
        told.append(f"OMP_NUM_THREADS is {limited} of {usable} cores: unset it, or a single process leaves cores idle.")
    if machine["memory_bytes"] is not None and machine["memory_bytes"] < DEMO_BYTES:
        told.append(f"The largest stage of make demo takes {DEMO_BYTES / 1e9:.1f} GB of memory, more than there is.")
    if not found["measured"]["disk_mb_per_s"]:
        told.append("The disk of temporary files takes no 16 MB: free some space, or set TMPDIR to another folder.")
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        told.append("PYTHONDONTWRITEBYTECODE is set: every start of a command compiles its modules anew.")
    return told
