"""The latent diffusion prior: a variational autoencoder, a denoising U-Net and its text prompts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from metalens.formats.files.errors import InputError
from metalens.restore.prior.networks import AutoencoderKL, UNet2DConditionModel

PATHS = ("positive", "neutral", "negative")
"""The three paths of DMDiff, in the order in which prompt banks and reports list them."""

PROMPTS = {
    "positive": "a crisp and clean photograph with fine detail, true colours and high contrast",
    "neutral": "a plain smooth photograph with clear edges, true colours and no fine texture",
    "negative": "a blurred and hazy photograph with colour fringes, sensor noise and low contrast",
}
"""Prompts describe quality, never content (DMDiff section 3.2); the wording is this project's."""


@dataclass
class Prior:
    """A latent diffusion model, ready for one-step prediction.

    Attributes:
        name: folder or hub id of its source.
        vae: the autoencoder, pictures in −1..1.
        unet: the denoiser.
        alpha_cumprod: ``[timestep]`` ᾱ of the noise schedule, float32.
        prediction_type: what the U-Net predicts: ``epsilon``, ``v_prediction`` or ``sample``.
        prompts: path → ``[token, feature]`` embedding.
        identity: SHA-256 of the weights, which an adapter records so that it is not used on another prior.
        own_prompts: whether the embeddings came from the prior's bank, not from a text encoder.
    """

    name: str
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    alpha_cumprod: Tensor
    prediction_type: str
    prompts: dict[str, Tensor]
    identity: str = field(default="")
    own_prompts: bool = True

    @property
    def last_timestep(self) -> int:
        """Timestep of one-step prediction: the end of the noise schedule (999 for 1000 steps)."""
        return len(self.alpha_cumprod) - 1

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this many pixels: the latent stride times the U-Net's stride."""
        return self.latent_stride * 2 ** (len(self.unet.config.block_out_channels) - 1)

    @property
    def latent_stride(self) -> int:
        """Pixels per latent sample along one axis."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def timesteps(self, steps: int) -> list[int]:
        """The timesteps of a prediction in ``steps`` steps, trailing: the first is always the last of the schedule."""
        count = len(self.alpha_cumprod)
        return [round(count - number * count / steps) - 1 for number in range(steps)]

    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures ``[batch, 3, y, x]`` in 0..1 to the mode (no sample) of their scaled latents, float32."""
        mean = self.vae.encode((pictures * 2 - 1).to(self.vae.dtype)).latent_dist.mode().float()
        shift, scale = self._latent_scaling(mean)
        return (mean - shift) * scale

    def decode(self, latents: Tensor) -> Tensor:
        """Decode scaled latents to pictures ``[batch, 3, y, x]``, near 0..1 and not clipped, float32."""
        shift, scale = self._latent_scaling(latents)
        decoded = self.vae.decode((latents / scale + shift).to(self.vae.dtype)).sample.float()
        return (decoded + 1) / 2

    def _latent_scaling(self, latents: Tensor) -> tuple[float | Tensor, float | Tensor]:
        """Shift that is subtracted from the autoencoder's latents, and the factor that then scales them."""
        config = self.vae.config
        scale = config.scaling_factor
        if config.get("latents_mean") is None or config.get("latents_std") is None:
            return config.get("shift_factor") or 0.0, scale
        mean, deviation = (
            torch.tensor(config[key], device=latents.device).reshape(1, -1, 1, 1)
            for key in ("latents_mean", "latents_std")
        )
        return mean, scale / deviation

    def prompt(self, paths: list[str]) -> Tensor:
        """Embeddings ``[len(paths), token, feature]`` of the named paths."""
        return torch.stack([self.prompts[path] for path in paths])

    def predict_clean(self, latents: Tensor, prompts: Tensor, timestep: int | Tensor | None = None) -> Tensor:
        """Predict the clean latents x̂₀ from latents at ``timestep`` (by default the last one), in float32.

        x̂₀ is formed in float32 whatever the U-Net's precision: for an ε-predictor at t = 999 it is
        14.65 z − 14.61 ε, so that rounding ε to bfloat16 would cost 0.025 of latent deviation.

        Args:
            latents: ``[batch, channel, y, x]`` noisy latents.
            prompts: ``[batch, token, feature]`` text embeddings.
            timestep: one timestep, or one for each sample ``[batch]``; by default the last one.

        Returns:
            x̂₀ of the latents' shape, float32.
        """
        if isinstance(timestep, Tensor):
            steps = timestep.to(latents.device).expand(len(latents))
        else:
            number = self.last_timestep if timestep is None else timestep
            steps = torch.full((len(latents),), number, device=latents.device)
        dtype = self.unet.dtype
        output = self.unet(latents.to(dtype), steps, encoder_hidden_states=prompts.to(dtype)).sample.float()
        return clean_from_prediction(latents.float(), output, self.alpha_cumprod[steps], self.prediction_type)

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        return self.alpha_cumprod.device

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Prior:
        """Move everything to a device, in place; convolution weights in channels-last order.

        Args:
            device: where to.
            dtype: of both networks, if it is to change; latents, the schedule and x̂₀ stay float32.

        Returns:
            The same prior.
        """
        for module in (self.vae, self.unet):
            # Not diffusers' own method: it warns about a list of exceptions that is empty for these classes.
            nn.Module.to(module, device=device, dtype=dtype)
            nn.Module.to(module, memory_format=torch.channels_last)
        self.alpha_cumprod = self.alpha_cumprod.to(device)
        self.prompts = {path: embedding.to(device) for path, embedding in self.prompts.items()}
        return self


def clean_from_prediction(noisy: Tensor, output: Tensor, alpha_cumprod: Tensor, prediction_type: str) -> Tensor:
    """x̂₀ from a denoiser's output (Ho et al. 2020, Eq. 15; v: Salimans & Ho 2022, appendix D).

    Args:
        noisy: ``[batch, …]`` the denoiser's input.
        output: of the same shape.
        alpha_cumprod: ``[batch]`` ᾱ at each sample's timestep.
        prediction_type: ``epsilon``, ``v_prediction`` or ``sample``.

    Returns:
        ``[batch, …]`` x̂₀.

    Raises:
        InputError: the prediction is of another type.
    """
    alpha = alpha_cumprod.reshape(-1, *[1] * (noisy.ndim - 1)).to(noisy)
    if prediction_type == "epsilon":
        return (noisy - (1 - alpha).sqrt() * output) / alpha.sqrt()
    if prediction_type == "v_prediction":
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * output
    if prediction_type == "sample":
        return output
    raise InputError(
        f"scheduler: prediction_type {prediction_type!r} is unknown; expected epsilon, v_prediction or sample."
    )


def ddim_step(noisy: Tensor, clean: Tensor, alpha_cumprod: Tensor, next_alpha_cumprod: Tensor) -> Tensor:
    """Deterministic step from one timestep to an earlier one (DDIM with η = 0; Song et al. 2021, Eq. 12).

    Args:
        noisy: ``[batch, …]`` latents at the timestep.
        clean: x̂₀ predicted from them.
        alpha_cumprod: ᾱ at the timestep.
        next_alpha_cumprod: ᾱ at the earlier one.

    Returns:
        ``[batch, …]`` latents at the earlier timestep.
    """
    noise = (noisy - alpha_cumprod.sqrt() * clean) / (1 - alpha_cumprod).sqrt()
    return next_alpha_cumprod.sqrt() * clean + (1 - next_alpha_cumprod).sqrt() * noise
