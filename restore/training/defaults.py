"""Defaults of a recipe, which depend on the prior and on the perceptual metric.

The published rate of 2 · 10⁻⁵ belongs to a prior of a billion weights, which was pretrained for long; the embedded
prior learns 25 times as fast. The published weights of the loss, 2 L2 + 5 LPIPS (λ = 2.5), belong to LPIPS.
"""

from __future__ import annotations

from metalens.restore.metrics.perceptual_loss import perceptual_metric
from metalens.restore.prior.prior import Prior
from metalens.restore.training.config import TrainConfig

LARGE = 10**8
"""Weights of a U-Net from which a prior is large: the embedded one has 6 · 10⁶, SD-Turbo's 9 · 10⁸."""

PUBLISHED_RATE = 2e-5

PUBLISHED_WEIGHTS = {"l2_weight": 2.0, "perceptual_weight": 5.0}

CELLS = 4
"""Cells of the U-Net's coarsest level along a side of the default crop."""


def default_config(prior: Prior, perceptual: str = "auto") -> TrainConfig:
    """The recipe of a training of which nothing is said but its prior and its metric.

    Args:
        prior: the latent diffusion model. The crop has four cells of its coarsest level along a side and at least the
            96 pixels of the embedded one; large priors learn at the published rate.
        perceptual: ``lpips``, ``st-lpips``, or ``auto``, which is resolved by what is on this machine. LPIPS has the
            published weights.

    Returns:
        The recipe.
    """
    plain = TrainConfig()
    multiple = prior.size_multiple
    changes: dict[str, float] = {}
    if sum(each.numel() for each in prior.unet.parameters()) >= LARGE:
        changes["learning_rate"] = PUBLISHED_RATE
    if perceptual_metric(perceptual) == "lpips":
        changes |= PUBLISHED_WEIGHTS
    crop = max(CELLS * multiple, -(-plain.crop // multiple) * multiple)
    return TrainConfig(crop=crop, perceptual=perceptual, **changes)  # type: ignore[arg-type]
