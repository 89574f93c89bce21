"""A prior of SD-Turbo's size whose weights are random: for times and memory, without a download."""

from __future__ import annotations

import torch

from metalens.restore.pretraining.recipe import build_scheduler
from metalens.restore.prior.networks import AutoencoderKL, UNet2DConditionModel
from metalens.restore.prior.prior import PATHS, Prior


def sd_turbo_sized(device: str = "cpu") -> Prior:
    """866 M + 84 M parameters in the shapes of stabilityai/sd-turbo (Stable Diffusion 2.1's U-Net and autoencoder)."""
    torch.manual_seed(0)
    # Drawn where they will be: a processor takes half a minute for a billion random numbers.
    with torch.device(device):
        unet = UNet2DConditionModel(
            sample_size=64,
            in_channels=4,
            out_channels=4,
            block_out_channels=(320, 640, 1280, 1280),
            layers_per_block=2,
            attention_head_dim=(5, 10, 20, 20),
            cross_attention_dim=1024,
            use_linear_projection=True,
        )
        vae = AutoencoderKL(
            in_channels=3,
            out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            sample_size=512,
        )
        prompts = {path: torch.randn(77, 1024) for path in PATHS}
    for module in (vae, unet):
        module.eval().requires_grad_(False)
    schedule = build_scheduler().alphas_cumprod.float().to(device)
    return Prior("sd-turbo-sized", vae, unet, schedule, "epsilon", prompts)
