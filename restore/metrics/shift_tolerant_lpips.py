"""Shift-tolerant LPIPS: how different two pictures look, without any download.

Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022 (arXiv 2207.13686): features of a
network whose strided layers are blurred before they are sampled, normalised along their channels, and the weighted
squared differences averaged over the picture. A misalignment of a pixel hardly counts, blur and noise do.

The weights are the two files in the wheel ``stlpips-pytorch``; they are read as tensors, and its code is never
imported.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metalens.formats.files.errors import InputError

Backbone = Literal["alex", "vgg"]

SMALLEST_SIDE = 32
"""Pixels; the blurred sampling mirrors two rows of the coarsest features, which smaller pictures do not have."""


@dataclass(frozen=True)
class _Convolution:
    """A convolution; its index is its name in the weight file."""

    index: int
    padding: int
    sampled_after: bool = False


@dataclass(frozen=True)
class _Stage:
    """What leads from one compared feature map to the next.

    Attributes:
        pool: side of the max pooling (stride 1) that opens the stage, with blurred sampling after it; 0 for none.
        convolutions: in their order, each followed by a rectifier.
    """

    pool: int
    convolutions: tuple[_Convolution, ...]


def _vgg_stage(pool: int, *indices: int) -> _Stage:
    return _Stage(pool, tuple(_Convolution(index, padding=1) for index in indices))


_STAGES: dict[str, tuple[_Stage, ...]] = {
    "alex": (
        _Stage(0, (_Convolution(0, padding=2, sampled_after=True),)),
        _Stage(3, (_Convolution(5, padding=2),)),
        _Stage(3, (_Convolution(9, padding=1),)),
        _Stage(0, (_Convolution(11, padding=1),)),
        _Stage(0, (_Convolution(13, padding=1),)),
    ),
    "vgg": (
        _vgg_stage(0, 0, 2),
        _vgg_stage(2, 6, 8),
        _vgg_stage(2, 12, 14, 16),
        _vgg_stage(2, 20, 22, 24),
        _vgg_stage(2, 28, 30, 32),
    ),
}


class ShiftTolerantLPIPS(nn.Module):
    """Perceptual distance between pictures; frozen, and differentiable in both of them.

    Args:
        backbone: ``"alex"`` (2.5 million weights, quick, the loss in training) or ``"vgg"`` (14.7 million, the
            figure in evaluation).

    Raises:
        InputError: the package that holds the weights is not installed, or holds something else.
    """

    shift: Tensor
    scale: Tensor
    binomial: Tensor

    def __init__(self, backbone: Backbone = "alex") -> None:
        super().__init__()
        if backbone not in _STAGES:
            raise InputError(f"perceptual distance: backbone {backbone!r}, expected one of {sorted(_STAGES)}.")
        self.backbone = backbone
        weights = _read_weights(backbone)
        for number, stage in enumerate(_STAGES[backbone]):
            for convolution in stage.convolutions:
                key = f"net.slice{number + 1}.{convolution.index}"
                self._hold(f"kernel_{convolution.index}", weights[f"{key}.weight"])
                self._hold(f"bias_{convolution.index}", weights[f"{key}.bias"])
            self._hold(f"importance_{number}", weights[f"lin{number}.model.1.weight"])
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("binomial", torch.outer(line, line)[None, None])
        self.register_buffer("shift", weights["scaling_layer.shift"].clone())
        self.register_buffer("scale", weights["scaling_layer.scale"].clone())
        # On a processor convolutions and poolings are faster with channels last.
        nn.Module.to(self, memory_format=torch.channels_last)
        self.eval()

    def _hold(self, name: str, value: Tensor) -> None:
        self.register_parameter(name, nn.Parameter(value.clone(), requires_grad=False))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare pictures pair by pair.

        Args:
            first: ``[batch, 3, y, x]`` sRGB in 0..1.
            second: the same.

        Returns:
            ``[batch]`` float32, 0 for equal pictures; symmetric.

        Raises:
            InputError: shapes that differ, are no colour pictures, or are smaller than 32 pixels.
        """
        if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
            raise InputError(
                f"perceptual distance: found shapes {tuple(first.shape)} and {tuple(second.shape)}, "
                "expected twice the same [batch, 3, y, x]."
            )
        if min(first.shape[-2:]) < SMALLEST_SIDE:
            raise InputError(
                f"perceptual distance: pictures of {first.shape[-2]} × {first.shape[-1]} pixels, "
                f"each side must have at least {SMALLEST_SIDE}."
            )
        return self.compare(self.features(first), self.features(second))

    def compare(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Distance between pictures whose :meth:`features` are at hand, ``[batch]`` float32."""
        distance = torch.zeros(len(first[0]), device=first[0].device)
        for difference in self.difference_maps(first, second):
            distance = distance + difference.mean(dim=(1, 2))
        return distance

    def difference_maps(self, first: list[Tensor], second: list[Tensor]) -> list[Tensor]:
        """What :meth:`compare` averages: the weighted squared differences of each layer, ``[batch, y, x]``."""
        found = []
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            difference = (_unit_length(one) - _unit_length(other)).square()
            found.append((difference * self.get_parameter(f"importance_{number}")).sum(dim=1))
        return found

    def features(self, picture: Tensor) -> list[Tensor]:
        """The five feature maps of ``[batch, 3, y, x]`` pictures in 0..1, to be compared with many others."""
        maps = []
        current = ((2 * picture - 1 - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        for stage in _STAGES[self.backbone]:
            if stage.pool:
                current = self._sample(F.max_pool2d(current, stage.pool, stride=1))
            for convolution in stage.convolutions:
                kernel = self.get_parameter(f"kernel_{convolution.index}")
                bias = self.get_parameter(f"bias_{convolution.index}")
                current = F.conv2d(current, kernel, bias, padding=convolution.padding)
                if convolution.sampled_after:
                    current = self._sample(current)
                current = F.relu(current)
            maps.append(current)
        return maps

    def _sample(self, features: Tensor) -> Tensor:
        """Keep every second sample of the features after a binomial blur, which leaves little to alias."""
        channels = features.shape[1]
        mirrored = F.pad(features, (2, 2, 2, 2), mode="reflect")
        return F.conv2d(mirrored, self.binomial.to(features.dtype).expand(channels, 1, 3, 3), stride=2, groups=channels)


@functools.lru_cache(maxsize=2)
def shift_tolerant_lpips(backbone: Backbone = "alex") -> ShiftTolerantLPIPS:
    """The module on the CPU, read once per process."""
    return ShiftTolerantLPIPS(backbone)


def _unit_length(features: Tensor) -> Tensor:
    """Scale each position's features to length 1, in float32 also under autocast.

    The floor under the square keeps the gradient finite where all features are 0.
    """
    features = features.float()
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()


def _read_weights(backbone: str) -> dict[str, Tensor]:
    package = importlib.util.find_spec("stlpips_pytorch")
    if package is None or not package.submodule_search_locations:
        raise InputError(
            "perceptual distance: the package that holds its weights is not installed; "
            "run `pip install stlpips-pytorch==0.0.2`."
        )
    folder = Path(next(iter(package.submodule_search_locations)))
    path = folder / "weights" / "vST0.0" / f"{backbone}_shift_tolerant.pth"
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise many kinds for a missing or damaged file
        raise InputError(
            f"{path}: not a readable weight file ({type(error).__name__}); "
            "run `pip install --force-reinstall --no-deps stlpips-pytorch==0.0.2`."
        ) from error
    return {key: tensor.float() for key, tensor in weights.items()}
