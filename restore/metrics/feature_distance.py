"""What LPIPS and its shift-tolerant form have in common: weighted differences of a frozen network's features.

Features of five depths are scaled to length 1 along their channels, and the weighted squared differences are averaged
over the picture and summed over the depths.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError


class FeatureDistance(nn.Module):
    """Perceptual distance between pictures; frozen, and differentiable in both of them.

    Attributes:
        smallest_side: pixels of the smallest picture that it takes.
        shift: ``[3, 1, 1]`` that is subtracted from pictures in −1..1.
        scale: ``[3, 1, 1]`` by which they are divided then.
    """

    smallest_side: int
    shift: Tensor
    scale: Tensor

    def features(self, picture: Tensor) -> list[Tensor]:
        """The five feature maps of ``[batch, 3, y, x]`` pictures in 0..1, to be compared with many others."""
        raise NotImplementedError

    def hold(self, name: str, value: Tensor) -> None:
        """Keep a weight, which is not trained; those of depth n's differences are ``importance_n``."""
        self.register_parameter(name, nn.Parameter(value.float().clone(), requires_grad=False))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare pictures pair by pair.

        Args:
            first: ``[batch, 3, y, x]`` sRGB in 0..1.
            second: the same.

        Returns:
            ``[batch]`` float32, 0 for equal pictures; symmetric.

        Raises:
            InputError: shapes that differ, are no colour pictures, or are smaller than ``smallest_side``.
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


def _unit_length(features: Tensor) -> Tensor:
    """Scale each position's features to length 1, in float32 also under autocast.

    The floor under the square keeps the gradient finite where all features are 0.
    """
    features = features.float()
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
