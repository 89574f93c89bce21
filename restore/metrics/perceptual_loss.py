"""The perceptual term of losses: LPIPS, its shift-tolerant form, or features of EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from metalens.restore.metrics.efficientnet_distance import EfficientNetDistance
from metalens.restore.metrics.lpips import LPIPS, find_lpips
from metalens.restore.metrics.shift_tolerant_lpips import ShiftTolerantLPIPS

PERCEPTUAL: dict[str, Callable[[], nn.Module]] = {
    "lpips": LPIPS,
    "st-lpips": lambda: ShiftTolerantLPIPS("alex"),
    "efficientnet": EfficientNetDistance,
}
"""Name of each distance → its network."""


def perceptual_metric(wanted: str) -> str:
    """Resolve ``auto`` on this machine: ``lpips`` if its weights are there, else ``st-lpips``."""
    if wanted != "auto":
        return wanted
    return "st-lpips" if find_lpips() is None else "lpips"


def perceptual_network(wanted: str) -> tuple[str, nn.Module]:
    """Load the metric: its name and its frozen network.

    Raises:
        InputError: its weights are not on this machine.
    """
    metric = perceptual_metric(wanted)
    return metric, PERCEPTUAL[metric]()
