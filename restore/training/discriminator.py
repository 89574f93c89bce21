"""Discriminator of the adversarial term: small heads on the features of a frozen network (projected GAN).

Sauer et al. (NeurIPS 2021, arXiv 2111.01007) showed that a discriminator on pretrained features learns from few
pictures and in few steps, where one that reads pixels needs many. The features are those of EfficientNet-Lite0, from
the full resolution to an eighth of it: grain, edges and textures, not what a picture shows. Loss: hinge (Lim and Ye,
2017, arXiv 1705.02894).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from metalens.restore.metrics.efficientnet_distance import EfficientNetDistance

DEPTHS = 4
"""Feature maps that are judged: at 1, 1/2, 1/4 and 1/8 of the resolution."""

_WIDTH = 48


class FeatureDiscriminator(nn.Module):
    """Judges patches of pictures: high where they look like clean photographs.

    Raises:
        InputError: the package with the features' weights is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetDistance()
        channels = [len(self.backbone.get_parameter(f"importance_{depth}")[0]) for depth in range(DEPTHS)]
        self.heads = nn.ModuleList(_head(each) for each in channels)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Judge pictures.

        Args:
            pictures: ``[batch, 3, y, x]`` sRGB in 0..1.

        Returns:
            ``[batch, 1, patch, patch]`` of each depth.
        """
        features = self.backbone.features(pictures.clamp(0, 1))
        return [head(each.float()) for head, each in zip(self.heads, features, strict=False)]

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters of the heads by name, in a fixed order."""
        return {f"discriminator.{name}": each for name, each in sorted(self.heads.named_parameters())}

    def losses(self, predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of the generator and of the discriminator; each has gradients in its own parameters alone.

        Args:
            predicted: pictures of the generator, ``[batch, 3, y, x]`` in 0..1.
            target: clean pictures of the same shape.

        Returns:
            ``adversarial``, low where predictions pass for clean; and ``critic``, the hinge loss of the discriminator.
        """
        with frozen(self.heads):
            adversarial = -_mean(self(predicted))
        real, fake = self(target), self(predicted.detach())
        critic = _mean([F.relu(1 - each) for each in real]) + _mean([F.relu(1 + each) for each in fake])
        return adversarial, critic


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Inside the block, gradients pass through a module but do not reach its parameters."""
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _head(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.GroupNorm(1, channels),
        nn.Conv2d(channels, _WIDTH, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(_WIDTH, 1, 1),
    )


def _mean(maps: list[Tensor]) -> Tensor:
    """Mean over the depths of each map's mean."""
    total = maps[0].mean()
    for each in maps[1:]:
        total = total + each.mean()
    return total / len(maps)
