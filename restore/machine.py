"""The machine that figures were measured on, in a few words."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch


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
