"""L2 + λ perceptual, the loss of every path (DMDiff Eq. 7); or L1 alone, for a neutral path of fidelity."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metalens.restore.metrics.perceptual_loss import perceptual_network
from metalens.restore.metrics.picture_tensors import light_of_display
from metalens.restore.training.config import TrainConfig


class PathLoss(nn.Module):
    """Loss between predicted pictures and targets; its networks are frozen.

    Args:
        config: the weights of the terms, and the perceptual metric.

    Raises:
        InputError: the metric's weights are not on this machine.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.l2_weight = config.l2_weight
        self.perceptual_weight = config.perceptual_weight
        self.l1_weight = config.l1_weight
        self.fidelity = config.neutral == "fidelity"
        self.metric, self.perceptual = perceptual_network(config.perceptual)

    def forward(self, predicted: Tensor, target: Tensor, path: str = "positive") -> dict[str, Tensor]:
        """Loss between predicted and target pictures.

        Args:
            predicted: ``[batch, 3, y, x]``, nominally in 0..1.
            target: of the same shape, in 0..1.
            path: the path that predicted them.

        Returns:
            ``loss``, and its terms without their weights: ``l2`` and ``perceptual``; ``l2`` and ``l1`` for a neutral
            path of fidelity.
        """
        l2 = (predicted - target).square().mean()
        if self.fidelity and path == "neutral":
            in_light = light_of_display(predicted) - light_of_display(target)
            l1 = (predicted - target).abs().mean() + in_light.abs().mean()
            return {"loss": self.l1_weight * l1, "l2": l2, "l1": l1}
        if self.perceptual_weight:
            perceptual = self.perceptual(predicted.clamp(0, 1), target.clamp(0, 1)).mean()
        else:
            perceptual = torch.zeros_like(l2)
        return {"loss": self.l2_weight * l2 + self.perceptual_weight * perceptual, "l2": l2, "perceptual": perceptual}
