"""Shared parts of the methods on the latent diffusion prior: a one-step learner, noised latents, guidance.

All of them weigh L2 by 40, as DMDiff's training does here; the published weights are 1 or 2
(:mod:`metalens.restore.training.config` says why). The other terms keep their published ratios to the perceptual term.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metalens.restore.methods.learning import Learner
from metalens.restore.metrics.perceptual_loss import perceptual_network
from metalens.restore.prior.prior import Prior
from metalens.restore.prior.prior_folder import load_prior

L2_WEIGHT = 40.0


class DiffusionLearner(Learner):
    """A learner on the diffusion prior, with L2 and a perceptual term as its picture loss.

    Args:
        prior: path or name of the prior, as :func:`~metalens.restore.prior.prior_folder.load_prior` takes it.
        device: device of the networks.
        perceptual: weight of the perceptual term, where L2 has :data:`L2_WEIGHT`; 0 leaves it out.
    """

    aids: tuple[str, ...] = ("perceptual",)

    def __init__(self, prior: str, device: torch.device, perceptual: float) -> None:
        super().__init__()
        self.prior: Prior = load_prior(prior)
        self.prior.to(device)
        # Registered here so that parameters() lists them: the prior itself is no nn.Module.
        self.encoder_decoder, self.denoiser = self.prior.vae, self.prior.unet
        self.multiple = self.prior.size_multiple
        self.weight = perceptual
        self.metric, network = perceptual_network("auto") if perceptual else (None, None)
        self.perceptual = None if network is None else network.to(device)

    def picture_losses(self, predicted: Tensor, clean: Tensor) -> dict[str, Tensor]:
        """Weighted sum of the squared error and the perceptual distance of predicted pictures.

        Args:
            predicted: ``[batch, 3, y, x]`` sRGB, nominally in 0..1.
            clean: ground truth of the same shape, in 0..1.

        Returns:
            ``loss``, the weighted sum, and its unweighted terms ``l2`` and ``perceptual`` (absent if its weight is 0).
        """
        predicted = predicted.float()
        l2 = (predicted - clean).square().mean()
        if self.perceptual is None:
            return {"loss": L2_WEIGHT * l2, "l2": l2}
        distance = self.perceptual(predicted.clamp(0, 1), clean).mean()
        return {"loss": L2_WEIGHT * l2 + self.weight * distance, "l2": l2, "perceptual": distance}

    def prompts(self, path: str, count: int) -> Tensor:
        """Text embedding of a path's prompt, repeated for a batch.

        Args:
            path: name of the prompt, such as ``"positive"``.
            count: pictures in the batch.

        Returns:
            ``[batch, token, feature]``.
        """
        return self.prior.prompt([path] * count)


def noised(clean: Tensor, noise: Tensor, alpha_cumprod: Tensor) -> Tensor:
    """Latents at a timestep, √ᾱ z + √(1 − ᾱ) ε (Ho et al. 2020, Eq. 4).

    Args:
        clean: ``[batch, …]`` z.
        noise: ε, of the same shape.
        alpha_cumprod: ``[batch]`` ᾱ at each sample's timestep.

    Returns:
        ``[batch, …]`` noisy latents.
    """
    alpha = alpha_cumprod.reshape(-1, *[1] * (clean.ndim - 1))
    return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise


def prediction_target(clean: Tensor, noise: Tensor, alpha_cumprod: Tensor, prediction_type: str) -> Tensor:
    """Training target of a denoiser; the inverse of :func:`metalens.restore.prior.prior.clean_from_prediction`.

    Args:
        clean: ``[batch, …]`` clean latents z.
        noise: ε, of the same shape.
        alpha_cumprod: ``[batch]`` ᾱ at each sample's timestep, in 0..1.
        prediction_type: ``"epsilon"``, ``"v_prediction"`` or ``"sample"``, as the scheduler's configuration names it.

    Returns:
        The target, of the latents' shape.
    """
    alpha = alpha_cumprod.reshape(-1, *[1] * (clean.ndim - 1))
    targets = {
        "epsilon": noise,
        "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * clean,
        "sample": clean,
    }
    return targets[prediction_type]


def drawn_noise(like: Tensor, random: torch.Generator) -> Tensor:
    """Draw Gaussian noise of a tensor's shape; the values are the same on every device.

    Args:
        like: gives shape, dtype and device.
        random: generator on the CPU.

    Returns:
        Noise of mean 0 and variance 1.
    """
    return torch.randn(like.shape, generator=random).to(like)


def drawn_timesteps(count: int, bounds: tuple[int, int], random: torch.Generator, device: torch.device) -> Tensor:
    """Draw timesteps with equal probability.

    Args:
        count: timesteps to draw.
        bounds: first timestep, and the one after the last.
        random: generator on the CPU.
        device: device of the result.

    Returns:
        ``[count]`` int64.
    """
    return torch.randint(bounds[0], bounds[1], (count,), generator=random).to(device)


def guided(negative: Tensor, positive: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance from the negative to the positive prompt (Ho & Salimans 2021, arXiv 2207.12598).

    Args:
        negative: the network's output for the negative prompt.
        positive: its output for the positive prompt, of the same shape.
        scale: guidance scale; 1 returns ``positive``.

    Returns:
        The guided output, of the same shape.
    """
    return negative + scale * (positive - negative)
