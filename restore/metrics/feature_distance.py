"""Base class of perceptual distances: weighted differences of a frozen network's features, as in LPIPS.

Features of several depths are normalised to length 1 along the channels. Their weighted squared differences are
averaged over the picture and summed over the depths.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metalens.formats.files.errors import InputError


class FeatureDistance(nn.Module, ABC):
    """Perceptual distance between pictures; its weights are frozen, and it is differentiable in both pictures.

    Attributes:
        smallest_side: smallest side of a picture in pixels.
        shift: ``[3, 1, 1]``, subtracted from pictures in −1..1.
        scale: ``[3, 1, 1]``, by which the difference is divided.
        binomial: ``[1, 1, 3, 3]``, the blur of :meth:`sample`.
    """

    smallest_side: int
    shift: Tensor
    scale: Tensor
    binomial: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("binomial", torch.outer(line, line)[None, None])

    @abstractmethod
    def features(self, picture: Tensor) -> list[Tensor]:
        """The feature maps of pictures ``[batch, 3, y, x]`` in 0..1, for :meth:`compare`."""

    def hold(self, name: str, value: Tensor) -> None:
        """Register a frozen weight.

        Args:
            name: of the parameter; the channel weights of depth n are named ``importance_n``.
            value: the weight, stored as float32.
        """
        self.register_parameter(name, nn.Parameter(value.float().clone(), requires_grad=False))

    def sample(self, features: Tensor, border: int = 1) -> Tensor:
        """Keep every second sample of the features after a binomial blur, which suppresses aliasing (arXiv 1904.11486).

        Args:
            features: ``[batch, channel, y, x]``.
            border: rows and columns that are reflected at each side.

        Returns:
            ``[batch, channel, y, x]`` of half the size; with a border of 1 the first sample stays in its place.
        """
        channels = features.shape[1]
        mirrored = F.pad(features, (border, border, border, border), mode="reflect")
        return F.conv2d(mirrored, self.binomial.to(features.dtype).expand(channels, 1, 3, 3), stride=2, groups=channels)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare pictures pair by pair.

        Args:
            first: ``[batch, 3, y, x]`` sRGB in 0..1.
            second: the same.

        Returns:
            ``[batch]`` float32, 0 for equal pictures; symmetric.

        Raises:
            InputError: the shapes differ, are not those of colour pictures, or are smaller than ``smallest_side``.
        """
        if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
            raise InputError(
                f"perceptual distance: found shapes {tuple(first.shape)} and {tuple(second.shape)}, "
                "expected twice the same [batch, 3, y, x]."
            )
        if min(first.shape[-2:]) < self.smallest_side:
            raise InputError(
                f"perceptual distance: pictures of {first.shape[-2]} × {first.shape[-1]} pixels, "
                f"each side must have at least {self.smallest_side}."
            )
        return self.compare(self.features(first), self.features(second))

    def compare(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Distance between pictures whose :meth:`features` are computed already.

        Args:
            first: feature maps of one batch of pictures, one ``[batch, channel, y, x]`` for each depth.
            second: feature maps of the other batch.

        Returns:
            ``[batch]`` float32.
        """
        distance = torch.zeros(len(first[0]), device=first[0].device)
        for difference in self.difference_maps(first, second):
            distance = distance + difference.mean(dim=(1, 2))
        return distance

    def difference_maps(self, first: list[Tensor], second: list[Tensor]) -> list[Tensor]:
        """Weighted squared differences of each depth, before the averaging of :meth:`compare`.

        Args:
            first: feature maps of one batch of pictures, one ``[batch, channel, y, x]`` for each depth.
            second: feature maps of the other batch.

        Returns:
            ``[batch, y, x]`` for each depth.
        """
        found = []
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            difference = (_unit_length(one) - _unit_length(other)).square()
            found.append((difference * self.get_parameter(f"importance_{number}")).sum(dim=1))
        return found


def _unit_length(features: Tensor) -> Tensor:
    """Scale each position's features to length 1, in float32 also under autocast.

    The floor under the square keeps the gradient finite where all features are 0.
    """
    features = features.float()
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
