"""What methods on the latent diffusion prior have in common: a one-step learner, noised latents, guidance.

The loss of pictures weighs L2 by 40 in all of them, as the training of DMDiff's adapters does here, where published
weights are 1 or 2; the other terms keep their published ratios to the perceptual one, and the perceptual term its ratio
to L2 between the methods (:mod:`metalens.restore.training.config` says why).
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalens.restore.methods.learning import Learner
from metalens.restore.metrics.perceptual_loss import perceptual_network
from metalens.restore.prior.prior import Prior, load_prior

L2_WEIGHT = 40.0


class DiffusionLearner(Learner):
    """A learner that stands on the prior, and compares pictures by L2 and a perceptual term.

    Args:
        prior: where the prior is.
        device: where it computes.
        perceptual: weight of the perceptual term beside :data:`L2_WEIGHT`; 0 leaves it out.
    """

    aids: tuple[str, ...] = ("perceptual",)

    def __init__(self, prior: str, device: torch.device, perceptual: float) -> None:
        super().__init__()
        self.prior: Prior = load_prior(prior)
        self.prior.to(device)
        # Registered, so that their parameters are found; the prior itself is no module.
        self.encoder_decoder, self.denoiser = self.prior.vae, self.prior.unet
        self.multiple = self.prior.size_multiple
        self.weight = perceptual
        self.perceptual = perceptual_network("auto")[1].to(device) if perceptual else None

    def picture_losses(self, predicted: Tensor, clean: Tensor) -> dict[str, Tensor]:
        """``loss``, and its terms ``l2`` and ``perceptual`` without their weights."""
        predicted = predicted.float()
        l2 = (predicted - clean).square().mean()
        if self.perceptual is None:
            return {"loss": L2_WEIGHT * l2, "l2": l2}
        distance = self.perceptual(predicted.clamp(0, 1), clean).mean()
        return {"loss": L2_WEIGHT * l2 + self.weight * distance, "l2": l2, "perceptual": distance}

    def prompts(self, path: str, count: int) -> Tensor:
        """The embedding of a path's prompt for each picture of a batch."""
        return self.prior.prompt([path] * count)


def noised(clean: Tensor, noise: Tensor, alpha_cumprod: Tensor) -> Tensor:
    """Latents at a timestep, √ᾱ z + √(1 − ᾱ) ε (Ho et al. 2020, Eq. 4).

    Args:
        clean: ``[batch, …]`` z.
        noise: ε, of the same shape.
        alpha_cumprod: ``[batch]`` ᾱ at each sample's timestep.
    """
    alpha = alpha_cumprod.reshape(-1, *[1] * (clean.ndim - 1))
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise


def prediction_target(clean: Tensor, noise: Tensor, alpha_cumprod: Tensor, prediction_type: str) -> Tensor:
    """What a denoiser of a kind should put out; the reverse of
    :func:`metalens.restore.prior.prior.clean_from_prediction`."""
    alpha = alpha_cumprod.reshape(-1, *[1] * (clean.ndim - 1))
    targets = {
        "epsilon": noise,
        "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * clean,
        "sample": clean,
    }
    return targets[prediction_type]


def drawn_noise(like: Tensor, random: torch.Generator) -> Tensor:
    """Gaussian noise of a tensor's shape, the same on every device."""
    return torch.randn(like.shape, generator=random).to(like)


def drawn_timesteps(count: int, bounds: tuple[int, int], random: torch.Generator, device: torch.device) -> Tensor:
    """``[count]`` timesteps, uniform from the first bound up to the second."""
    return torch.randint(bounds[0], bounds[1], (count,), generator=random).to(device)


def guided(negative: Tensor, positive: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance from the negative towards the positive prompt's prediction (Ho & Salimans 2021)."""
    return negative + scale * (positive - negative)
