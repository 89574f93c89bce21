"""LPIPS on VGG-16, from weights that are already on this machine: nothing is ever downloaded.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018 (arXiv 1801.03924),
version 0.1: features of five depths, scaled to length 1 along their channels, and the weighted squared differences
averaged over the picture. It is the perceptual term of DMDiff's loss.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.hub
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.formats.files.errors import InputError

NETWORK = "vgg16-397923af.pth"
"""VGG-16 as torchvision names it, below ``checkpoints/`` of torch's hub folder."""

HEADS = "LPIPS_v0.1_vgg-a78928a0.pth"
"""The five heads as pyiqa names them, below ``pyiqa/`` of torch's hub folder; the package lpips has them as well."""

SMALLEST_SIDE = 16

# Convolutions of torchvision's VGG-16 by their index; max pooling stands between the stages.
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def find_lpips() -> tuple[Path, Path] | None:
    """Where the network's and the heads' weights lie on this machine, or ``None``; looks only, fetches nothing."""
    hub = Path(torch.hub.get_dir())
    heads = [hub / "pyiqa" / HEADS, hub / "checkpoints" / HEADS]
    package = importlib.util.find_spec("lpips")
    if package is not None and package.submodule_search_locations:
        heads.append(Path(next(iter(package.submodule_search_locations))) / "weights" / "v0.1" / "vgg.pth")
    network = hub / "checkpoints" / NETWORK
    found = next((path for path in heads if path.is_file()), None)
    return (network, found) if network.is_file() and found is not None else None


class LPIPS(nn.Module):
    """Perceptual distance between pictures; frozen, and differentiable in both of them.

    Raises:
        InputError: the weights are not on this machine, or are something else.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        found = find_lpips()
        if found is None:
            hub = Path(torch.hub.get_dir())
            raise InputError(
                f"perceptual distance: the weights of LPIPS are not on this machine; put {NETWORK} into "
                f"{hub / 'checkpoints'} and {HEADS} into {hub / 'pyiqa'}, or train with --perceptual st-lpips."
            )
        network, heads = (_read(path) for path in found)
        for number, stage in enumerate(_STAGES):
            for index in stage:
                for part in ("weight", "bias"):
                    self._hold(f"{part}_{index}", network, f"features.{index}.{part}", found[0])
            self._hold(f"importance_{number}", heads, f"lin{number}.model.1.weight", found[1])
        # The usual mean and deviation of ImageNet, for pictures in −1..1.
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        self.eval()

    def _hold(self, name: str, tensors: dict[str, Tensor], key: str, origin: Path) -> None:
        if key not in tensors:
            raise InputError(f"{origin}: lacks {key}; fetch the file again.")
        self.register_parameter(name, nn.Parameter(tensors[key].float(), requires_grad=False))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare pictures pair by pair.

        Args:
            first: ``[batch, 3, y, x]`` sRGB in 0..1, at least 16 pixels a side.
            second: the same.

        Returns:
            ``[batch]`` float32, 0 for equal pictures; symmetric.
        """
        if first.shape != second.shape or first.ndim != 4 or min(first.shape[-2:]) < SMALLEST_SIDE:
            raise InputError(
                f"perceptual distance: found shapes {tuple(first.shape)} and {tuple(second.shape)}, expected twice the "
                f"same [batch, 3, y, x] with at least {SMALLEST_SIDE} pixels a side."
            )
        distance = torch.zeros(len(first), device=first.device)
        for number, (one, other) in enumerate(zip(self._features(first), self._features(second), strict=True)):
            difference = (_unit_length(one) - _unit_length(other)).square()
            distance = distance + F.conv2d(difference, self.get_parameter(f"importance_{number}")).mean(dim=(1, 2, 3))
        return distance

    def _features(self, pictures: Tensor) -> list[Tensor]:
        current = (2 * pictures - 1 - self.shift) / self.scale
        maps = []
        for number, stage in enumerate(_STAGES):
            if number:
                current = F.max_pool2d(current, 2)
            for index in stage:
                weight, bias = self.get_parameter(f"weight_{index}"), self.get_parameter(f"bias_{index}")
                current = F.relu(F.conv2d(current, weight, bias, padding=1))
            maps.append(current)
        return maps


def _unit_length(features: Tensor) -> Tensor:
    # The floor under the square keeps the gradient finite where all features are 0.
    features = features.float()
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): tensor for key, tensor in tensors.items()}
    except Exception as error:  # torch and pickle raise many kinds for a damaged file
        raise InputError(
            f"{path}: not a readable weight file ({type(error).__name__}); remove it and fetch it again."
        ) from error
