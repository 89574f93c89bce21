"""Losses of a prior's autoencoder and denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metalens.restore.pretraining.degradation import degrade_generically, guided_filter
from metalens.restore.prior.networks import AutoencoderKL
from metalens.restore.prior.prior import PATHS, Prior


def autoencoder_loss(autoencoder: AutoencoderKL, pictures: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
    """L1 + L1 of the gradients + KL divergence.

    Args:
        autoencoder: the network.
        pictures: ``[batch, 3, y, x]`` in 0..1.
        kl_weight: weight of the KL divergence.

    Returns:
        The loss, and the mean squared error of the reconstruction in 0..1.
    """
    posterior = autoencoder.encode(pictures * 2 - 1).latent_dist
    reconstructed = (autoencoder.decode(posterior.mode()).sample + 1) / 2
    difference = reconstructed - pictures
    gradient = difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    loss = difference.abs().mean() + 0.5 * gradient + kl_weight * posterior.kl().mean()
    return loss, difference.detach().square().mean()


class DenoiserBatch(NamedTuple):
    """Inputs and targets of the denoiser.

    Attributes:
        source: ``[batch, channel, y, x]`` latents at the timesteps.
        target: clean latents of the path, of the same shape.
        path: ``[batch]`` number of the path in :data:`PATHS`.
        timestep: ``[batch]``.
        weight: ``[batch]`` of the squared error.
    """

    source: Tensor
    target: Tensor
    path: Tensor
    timestep: Tensor
    weight: Tensor


@torch.no_grad()
def denoiser_batch(
    prior: Prior,
    clean: Tensor,
    generator: torch.Generator,
    *,
    path_share: Sequence[float],
    diffusion_share: float,
) -> DenoiserBatch:
    """Draw a path for each crop, and whether it is ordinary diffusion or one step from a degraded picture.

    Args:
        prior: its autoencoder encodes.
        clean: ``[batch, 3, y, x]`` in 0..1.
        generator: source of randomness, on the crops' device.
        path_share: probability of each path.
        diffusion_share: fraction of crops with ordinary diffusion.

    Returns:
        For each crop its latents at a timestep, the clean latents of its path, and the weight of its loss.
    """
    count, device = len(clean), clean.device
    shares = torch.tensor(path_share, device=device)
    path = torch.multinomial(shares, count, replacement=True, generator=generator)
    diffusion = torch.rand(count, generator=generator, device=device) < diffusion_share
    degraded = degrade_generically(clean, generator)

    def of_each(mask: Tensor, one: Tensor, other: Tensor) -> Tensor:
        return torch.where(mask.reshape(-1, 1, 1, 1), one, other)

    positive, negative = path == PATHS.index("positive"), path == PATHS.index("negative")
    target = of_each(positive, clean, of_each(negative, degraded, guided_filter(clean)))
    target_latents, source_latents = prior.encode(target), prior.encode(of_each(negative, clean, degraded))
    last = prior.last_timestep
    drawn = torch.randint(0, last + 1, (count,), generator=generator, device=device)
    timestep = torch.where(diffusion, drawn, torch.full_like(drawn, last))
    alpha = prior.alpha_cumprod[timestep]
    noise = torch.randn(target_latents.shape, generator=generator, device=device)
    signal, spread = (value.reshape(-1, 1, 1, 1) for value in (alpha.sqrt(), (1 - alpha).sqrt()))
    source = of_each(diffusion, signal * target_latents + spread * noise, source_latents)
    # In v-prediction ‖v − v̂‖² = ‖x₀ − x̂₀‖² / (1 − ᾱ): the diffusion term is the usual v loss.
    weight = torch.where(diffusion, 1 / (1 - alpha), torch.ones_like(alpha))
    return DenoiserBatch(source, target_latents, path, timestep, weight)


def denoiser_loss(prior: Prior, batch: DenoiserBatch) -> dict[str, Tensor]:
    """The weighted squared error of the predicted clean latents.

    Args:
        prior: its U-Net and prompts are trained.
        batch: of :func:`denoiser_batch`.

    Returns:
        ``loss``, and ``errors`` ``[batch]`` without weights.
    """
    prompts = torch.stack([prior.prompts[path] for path in PATHS])[batch.path]
    predicted = prior.predict_clean(batch.source, prompts, batch.timestep)
    errors = (predicted - batch.target).square().mean(dim=(1, 2, 3))
    return {"loss": (batch.weight * errors).mean(), "errors": errors}
