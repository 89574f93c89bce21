"""LPIPS on VGG-16, with weights that are already on this machine: nothing is ever downloaded.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018 (arXiv 1801.03924),
version 0.1. It is the perceptual term of DMDiff's loss.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.hub
from torch import Tensor
from torch.nn import functional as F

from metalens.formats.files.errors import InputError
from metalens.restore.metrics.feature_distance import FeatureDistance
from metalens.restore.metrics.weight_files import read_weights

NETWORK = "vgg16-397923af.pth"
"""VGG-16 under torchvision's file name, in ``checkpoints/`` of torch's hub folder."""

HEADS = "LPIPS_v0.1_vgg-a78928a0.pth"
"""The five heads under pyiqa's file name, in ``pyiqa/`` of torch's hub folder; the package lpips has them as well."""

# Indices of the convolutions in torchvision's VGG-16; the stages are separated by max pooling.
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def find_lpips() -> tuple[Path, Path] | None:
    """Paths of the weights of the network and the heads on this machine, or ``None``; nothing is downloaded."""
    hub = Path(torch.hub.get_dir())
    heads = [hub / "pyiqa" / HEADS, hub / "checkpoints" / HEADS]
    package = importlib.util.find_spec("lpips")
    if package is not None and package.submodule_search_locations:
        heads.append(Path(next(iter(package.submodule_search_locations))) / "weights" / "v0.1" / "vgg.pth")
    network = hub / "checkpoints" / NETWORK
    found = next((path for path in heads if path.is_file()), None)
    return (network, found) if network.is_file() and found is not None else None


class LPIPS(FeatureDistance):
    """LPIPS with VGG-16.

    Raises:
        InputError: the weights are not on this machine, or the files hold something else.
    """

    smallest_side = 16

    def __init__(self) -> None:
        super().__init__()
        found = find_lpips()
        if found is None:
            hub = Path(torch.hub.get_dir())
            raise InputError(
                f"perceptual distance: the weights of LPIPS are not on this machine; put {NETWORK} into "
                f"{hub / 'checkpoints'} and {HEADS} into {hub / 'pyiqa'}, or train with --perceptual st-lpips."
            )
        network, heads = (read_weights(path) for path in found)
        for number, stage in enumerate(_STAGES):
            for index in stage:
                for part in ("weight", "bias"):
                    self.hold(f"{part}_{index}", _tensor(network, f"features.{index}.{part}", found[0]))
            self.hold(f"importance_{number}", _tensor(heads, f"lin{number}.model.1.weight", found[1]))
        # Mean and standard deviation of ImageNet, rescaled to pictures in −1..1.
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        self.eval()

    def features(self, picture: Tensor) -> list[Tensor]:
        """The features before each pooling. See :class:`FeatureDistance`."""
        current = (2 * picture - 1 - self.shift) / self.scale
        maps = []
        for number, stage in enumerate(_STAGES):
            if number:
                current = F.max_pool2d(current, 2)
            for index in stage:
                weight, bias = self.get_parameter(f"weight_{index}"), self.get_parameter(f"bias_{index}")
                current = F.relu(F.conv2d(current, weight, bias, padding=1))
            maps.append(current)
        return maps


def _tensor(tensors: dict[str, Tensor], key: str, origin: Path) -> Tensor:
    if key not in tensors:
        raise InputError(f"{origin}: lacks {key}; fetch the file again.")
    return tensors[key]
