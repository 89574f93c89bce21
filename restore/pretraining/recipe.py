"""Size and training recipe of a prior, and its untrained networks."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator
from pydantic.dataclasses import dataclass as settings

from metalens.formats.files.record import (
    STRICT,
    Count,
    NotNegative,
    NotNegativeCount,
    Positive,
    Share,
    told_as_input_error,
)
from metalens.restore.prior.networks import AutoencoderKL, DDPMScheduler, UNet2DConditionModel


@told_as_input_error("pretraining")
@settings(frozen=True, config=STRICT)
class PretrainConfig:
    """Size and recipe of a prior.

    Attributes:
        autoencoder_channels: channels of each level of the autoencoder.
        latent_channels: channels of the latents.
        norm_groups: groups of the autoencoder's group normalisation.
        denoiser_channels: channels of each level of the U-Net.
        prompt_tokens: tokens of each prompt.
        prompt_features: features of each token.
        crop: side of the autoencoder's crops in pixels.
        denoiser_crop: side of the denoiser's crops in pixels.
        batch: crops per step of the autoencoder.
        denoiser_batch: crops per step of the denoiser.
        learning_rate: of the autoencoder, at its peak.
        denoiser_learning_rate: of the denoiser, at its peak.
        kl_weight: weight of the autoencoder's KL term.
        diffusion_share: fraction of the denoiser's crops with ordinary diffusion.
        path_share: probabilities of the positive, neutral and negative path.
        precision: of the denoiser's forward passes; weights, latents and the autoencoder stay float32.
        cuda_graphs: record each stage's step once and replay it (:mod:`metalens.restore.training.cuda_graphs`).
        checkpoint_every: steps between checkpoints.
        seed: seed of weights, crops and noise.
    """

    autoencoder_channels: tuple[Count, ...] = (16, 32)
    latent_channels: Count = 8
    norm_groups: Count = 1
    denoiser_channels: tuple[Count, ...] = (32, 64, 96, 128)
    prompt_tokens: Count = 4
    prompt_features: Count = 64
    crop: Count = 64
    denoiser_crop: Count = 96
    batch: Count = 4
    denoiser_batch: Count = 4
    learning_rate: Positive = 5e-4
    denoiser_learning_rate: Positive = 5e-4
    kl_weight: NotNegative = 1e-7
    diffusion_share: Share = 0.15
    path_share: tuple[Share, Share, Share] = (0.5, 0.25, 0.25)
    precision: Literal["fp32", "bf16"] = "fp32"
    cuda_graphs: bool = False
    checkpoint_every: Count = 200
    seed: NotNegativeCount = 0

    @model_validator(mode="after")
    def _fits_together(self) -> PretrainConfig:
        if abs(sum(self.path_share) - 1) > 1e-6:
            raise ValueError(f"path_share must sum to 1, found {self.path_share}")
        for name in ("autoencoder_channels", "denoiser_channels"):
            channels = getattr(self, name)
            if not channels or any(each % self.norm_groups for each in channels):
                raise ValueError(f"{name} must be multiples of norm_groups = {self.norm_groups}, found {channels}")
        stride = 2 ** (len(self.autoencoder_channels) - 1)
        least = stride * 2 ** (len(self.denoiser_channels) - 1)
        if self.crop % stride or self.denoiser_crop % stride or self.denoiser_crop < least:
            raise ValueError(
                f"crop {self.crop} and denoiser_crop {self.denoiser_crop} must be multiples of {stride}, the latter "
                f"{least} or more for {len(self.denoiser_channels)} levels"
            )
        return self


def build_autoencoder(config: PretrainConfig) -> AutoencoderKL:
    """A fully convolutional AutoencoderKL with one residual block a level and no attention."""
    levels = len(config.autoencoder_channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.autoencoder_channels,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def build_denoiser(config: PretrainConfig) -> UNet2DConditionModel:
    """A UNet2DConditionModel with attention, and so the prompt, on its coarsest level and in the middle."""
    levels = len(config.denoiser_channels)
    return UNet2DConditionModel(
        sample_size=100,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        down_block_types=(*("DownBlock2D",) * (levels - 1), "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", *("UpBlock2D",) * (levels - 1)),
        block_out_channels=config.denoiser_channels,
        layers_per_block=1,
        norm_num_groups=config.norm_groups,
        cross_attention_dim=config.prompt_features,
        attention_head_dim=32,
    )


def build_scheduler() -> DDPMScheduler:
    """The noise schedule of Stable Diffusion with v-prediction; trailing spacing puts one step at t = 999."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
    )
