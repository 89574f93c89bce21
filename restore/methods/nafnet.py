"""NAFNet (Chen et al., ECCV 2022, arXiv 2204.04676): convolutions and gates, no other non-linearity.

In training, channel attention averages over the whole crop. In restoration it averages over windows of the crop's size,
since the statistics of a crop and of a whole picture differ (test-time local converter, Chu et al., ECCV 2022, arXiv
2112.04491).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class NafBlock(nn.Module):
    """NAFNet block: gated depth-wise convolution with channel attention, then a gated feed-forward layer.

    Args:
        channels: channels of input and output.
        window: side in pixels of channel attention's averaging window, for larger inputs outside training.
    """

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.first_norm = ChannelNorm(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attend = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.second_norm = ChannelNorm(channels)
        self.feed = nn.Conv2d(channels, 2 * channels, 1)
        self.forth = nn.Conv2d(channels, channels, 1)
        self.first_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.second_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """``[batch, channel, y, x]`` → the same shape."""
        gated = gate(self.depthwise(self.expand(self.first_norm(features))))
        mean = gated.mean(dim=(-2, -1), keepdim=True) if self.training else box_mean(gated, self.window)
        features = features + self.first_scale * self.project(gated * self.attend(mean))
        return features + self.second_scale * self.forth(gate(self.feed(self.second_norm(features))))


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, in float32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """``[batch, channel, y, x]`` → the same shape."""
        values = features.float()
        variance, mean = torch.var_mean(values, dim=1, keepdim=True, correction=0)
        return self.scale * (values - mean) * (variance + 1e-6).rsqrt() + self.offset


class NafNet(nn.Module):
    """A U-Net of NAFNet blocks.

    Args:
        inputs: input channels.
        outputs: output channels.
        width: channels of the finest level; each coarser level has twice as many.
        encoder: blocks of each encoder level, from the finest.
        middle: blocks of the coarsest level.
        decoder: blocks of each decoder level, from the coarsest.
        window: side of a training crop in pixels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        encoder: Sequence[int],
        middle: int,
        decoder: Sequence[int],
        window: int,
    ) -> None:
        super().__init__()
        self.stride = 2 ** len(encoder)
        self.entry = nn.Conv2d(inputs, width, 3, padding=1)
        self.exit = silent(nn.Conv2d(width, outputs, 3, padding=1))

        def blocks(count: int, level: int) -> nn.Sequential:
            return nn.Sequential(*(NafBlock(width << level, max(1, window >> level)) for _ in range(count)))

        levels = range(len(encoder))
        self.encoders = nn.ModuleList(blocks(count, level) for level, count in enumerate(encoder))
        self.downs = nn.ModuleList(nn.Conv2d(width << level, width << (level + 1), 2, stride=2) for level in levels)
        self.middle = blocks(middle, len(encoder))
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width << (level + 1), width << (level + 2), 1, bias=False), nn.PixelShuffle(2))
            for level in reversed(levels)
        )
        self.decoders = nn.ModuleList(
            blocks(count, level) for level, count in zip(reversed(levels), decoder, strict=True)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """``[batch, inputs, y, x]``, sides multiples of ``stride`` → ``[batch, outputs, y, x]``; 0 before training."""
        features = self.entry(pictures)
        kept = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            features = blocks(features)
            kept.append(features)
            features = down(features)
        features = self.middle(features)
        for blocks, up, before in zip(self.decoders, self.ups, reversed(kept), strict=True):
            features = blocks(up(features) + before)
        restored: Tensor = self.exit(features)
        return restored


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a convolution to 0, for the end of a residual branch: before training the branch adds nothing."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def gate(features: Tensor) -> Tensor:
    """The first half of the channels times the second."""
    first, second = features.chunk(2, dim=1)
    return first * second


def box_mean(features: Tensor, window: int) -> Tensor:
    """Means over square windows; windows that would cross the border are shifted inside.

    Args:
        features: ``[batch, channel, y, x]``.
        window: side in pixels.

    Returns:
        ``[batch, channel, y, x]`` of the features' dtype.
    """
    for axis in (-2, -1):
        length = features.shape[axis]
        place = torch.arange(length, device=features.device)
        low = (place - window // 2).clamp(0, max(0, length - window))
        high = (low + window).clamp(max=length)
        # In float64: each mean is a difference of cumulative sums over the whole side, which would cancel in float32.
        sums = torch.nn.functional.pad(features.double().transpose(axis, -1).cumsum(-1), (1, 0))
        means = (sums[..., high] - sums[..., low]) / (high - low)
        features = means.to(features.dtype).transpose(axis, -1)
    return features
