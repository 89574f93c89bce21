"""The machine: which device computes, and what it is called where figures were measured on it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from metalens.formats.files.errors import InputError


def usable_device(name: str) -> torch.device:
    """The device of torch of this name, which must work here.

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
    return device


def _works(device: torch.device) -> bool:
    if device.type == "cuda":  # without taking memory of it, as each process of a distributed training would
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError):  # torch not built for it raises the latter
        return False
    return True


def processor_name() -> str:
    """The processor's name, where the system tells it, and how many cores this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        return f"{names[0]}, {len(names)} cores"
    except (OSError, IndexError):
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def machine_name(device: torch.device) -> str:
    """The accelerator's name, if the device is one, else the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()
