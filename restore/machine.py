"""The machine: the computing device, and its name beside measured figures."""

from __future__ import annotations

import torch

from metalens.formats.files.errors import InputError
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
    return device


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
