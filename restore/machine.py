"""The machine: the computing device, its memory, and its name beside measured figures."""

from __future__ import annotations

import ctypes
import sys

import torch

from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import is_own_process
from metalens.runners.processes import processor_name


def usable_device(name: str) -> torch.device:
    """Get a device of torch by name, and check that it works here.

    Args:
        name: such as ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        InputError: torch knows no such device, or finds none here.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(
            f"--device {name}: torch knows no such device; expected cpu, cuda, cuda:1 or the like."
        ) from error
    if not _works(device):
        raise InputError(f"--device {name}: torch finds no such device here; use --device cpu.")
    if device.type == "cpu" and is_own_process():
        keep_freed_memory()
    return device


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""

_LARGEST_KEPT = 2**30


def keep_freed_memory() -> bool:
    """Let this process use the memory of freed tensors again, up to a gigabyte each.

    By default glibc takes a new piece from the system for every tensor of more than 32 MiB, and the system clears it
    page by page: a fifth of the time of the networks on a CPU. Other C libraries stay as they are.

    Returns:
        Whether the C library does so.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))


def _works(device: torch.device) -> bool:
    if device.type == "cuda":  # an allocation would take GPU memory in each process of a distributed training
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError):  # AssertionError: torch is not built for this device
        return False
    return True


def machine_name(device: torch.device) -> str:
    """Name of the accelerator, or of the processor for the CPU device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()
