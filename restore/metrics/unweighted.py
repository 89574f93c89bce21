"""Metrics that need no weights: those of pyiqa, with its default settings, and this project's PIQE.

pyiqa's licence is non-commercial (PolyForm Noncommercial and NTU S-Lab); without it these columns say so.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch

from metalens.restore.conditioning.quality import piqe
from metalens.restore.metrics.metric import WHOLE, Compare
from metalens.restore.metrics.picture_tensors import as_tensor

NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ms_ssim": ("ssim_arch", "MS_SSIM", {"downsample": False, "test_y_channel": True, "is_prod": True}),
    "fsim": ("fsim_arch", "FSIM", {"chromatic": True}),
    "vif": ("vif_arch", "VIF", {}),
    "gmsd": ("gmsd_arch", "GMSD", {"test_y_channel": True}),
}
"""Module, class and settings of pyiqa's default configuration."""


def without_pyiqa() -> str | None:
    """Why pyiqa cannot be used, if it cannot."""
    if importlib.util.find_spec("pyiqa") is None:
        return "pyiqa is not installed; run `pip install pyiqa` (its licence is non-commercial)"
    return None


def load_unweighted(name: str) -> Callable[[str], Compare]:
    """A loader of one of :data:`NETWORKS`."""

    def load(device: str) -> Compare:
        module, kind, settings = NETWORKS[name]
        return comparing(of_pyiqa(module, kind, **settings), device)

    return load


def load_piqe(device: str) -> Compare:
    """PIQE on the processor, whatever the device."""
    del device

    def compare(clean: np.ndarray, pictures: Sequence[np.ndarray]) -> list[dict[str, float]]:
        del clean
        return [{WHOLE: float(piqe(picture[None].astype(np.float32) / 255)[0])} for picture in pictures]

    return compare


def of_pyiqa(module: str, kind: str, **settings: Any) -> torch.nn.Module:
    """A network of pyiqa.

    Args:
        module: in ``pyiqa.archs``.
        kind: its class.
        settings: of the class.
    """
    with warnings.catch_warnings():
        # pyiqa imports dozens of metrics at once, and their libraries warn of their own deprecations.
        warnings.simplefilter("ignore")
        network: torch.nn.Module = getattr(import_module(f"pyiqa.archs.{module}"), kind)(**settings)
    return network.eval().requires_grad_(False)


def comparing(network: torch.nn.Module, device: str, *, reference: bool = True) -> Compare:
    """A metric from a network that takes pictures and, if it is a comparison, the clean one behind them."""
    network.to(device)

    @torch.no_grad()
    def compare(clean: np.ndarray, pictures: Sequence[np.ndarray]) -> list[dict[str, float]]:
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for picture in pictures:
                inputs = (picture, clean) if reference else (picture,)
                score = network(*(as_tensor(each)[None].to(device) for each in inputs))
                found.append({WHOLE: float(score.flatten()[0])})
        return found

    return compare
