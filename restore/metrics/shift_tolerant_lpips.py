"""Shift-tolerant LPIPS: a perceptual distance whose weights need no download.

Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022 (arXiv 2207.13686): features of a network
with anti-aliased strided layers. It is insensitive to a shift by one pixel, but sensitive to blur and noise.

The weights are two files of the wheel ``stlpips-pytorch``. They are read as tensors; the code of the wheel is never
imported.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import package_folder
from metalens.restore.metrics.feature_distance import FeatureDistance
from metalens.restore.metrics.weight_files import read_weights

Backbone = Literal["alex", "vgg"]

SMALLEST_SIDE = 32
"""Smallest side in pixels; the anti-aliasing reflects two rows of the coarsest features, which smaller pictures
lack.
"""


_BORDER = 2
"""Rows that the authors reflect before they sample."""


@dataclass(frozen=True)
class _Convolution:
    """A convolution; its index is its key in the weight file."""

    index: int
    padding: int
    sampled_after: bool = False


@dataclass(frozen=True)
class _Stage:
    """The layers between two compared feature maps.

    Attributes:
        pool: side of the max pooling (stride 1) at the start of the stage, followed by anti-aliased sampling; 0 for
            none.
        convolutions: in their order, each followed by a ReLU.
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


class ShiftTolerantLPIPS(FeatureDistance):
    """Shift-tolerant LPIPS on one of two networks.

    Args:
        backbone: ``"alex"`` (2.5 million weights, fast, the training loss) or ``"vgg"`` (14.7 million, the evaluation
            metric).

    Raises:
        InputError: the package that holds the weights is not installed, or holds something else.
    """

    smallest_side = SMALLEST_SIDE

    def __init__(self, backbone: Backbone = "alex") -> None:
        super().__init__()
        if backbone not in _STAGES:
            raise InputError(f"perceptual distance: backbone {backbone!r}, expected one of {sorted(_STAGES)}.")
        self.backbone = backbone
        weights = _read_weights(backbone)
        for number, stage in enumerate(_STAGES[backbone]):
            for convolution in stage.convolutions:
                key = f"net.slice{number + 1}.{convolution.index}"
                self.hold(f"kernel_{convolution.index}", weights[f"{key}.weight"])
                self.hold(f"bias_{convolution.index}", weights[f"{key}.bias"])
            self.hold(f"importance_{number}", weights[f"lin{number}.model.1.weight"])
        self.register_buffer("shift", weights["scaling_layer.shift"].float().clone())
        self.register_buffer("scale", weights["scaling_layer.scale"].float().clone())
        # On the CPU, convolution and pooling are faster in channels-last order.
        nn.Module.to(self, memory_format=torch.channels_last)
        self.eval()

    def features(self, picture: Tensor) -> list[Tensor]:
        """The features at the end of each stage. See :class:`FeatureDistance`."""
        maps = []
        current = ((2 * picture - 1 - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        for stage in _STAGES[self.backbone]:
            if stage.pool:
                current = self.sample(F.max_pool2d(current, stage.pool, stride=1), _BORDER)
            for convolution in stage.convolutions:
                kernel = self.get_parameter(f"kernel_{convolution.index}")
                bias = self.get_parameter(f"bias_{convolution.index}")
                current = F.conv2d(current, kernel, bias, padding=convolution.padding)
                if convolution.sampled_after:
                    current = self.sample(current, _BORDER)
                current = F.relu(current)
            maps.append(current)
        return maps


@functools.lru_cache(maxsize=2)
def shift_tolerant_lpips(backbone: Backbone = "alex") -> ShiftTolerantLPIPS:
    """The module on the CPU; its weights are read once per process."""
    return ShiftTolerantLPIPS(backbone)


def _read_weights(backbone: str) -> dict[str, Tensor]:
    folder = package_folder("perceptual distance", "stlpips_pytorch")
    return read_weights(
        folder / "weights" / "vST0.0" / f"{backbone}_shift_tolerant.pth",
        "run `pip install --force-reinstall --no-deps stlpips-pytorch==0.0.2`",
    )
