"""SeeSR-style (Wu et al., CVPR 2024, arXiv 2311.16518): fifty steps of the frozen prior, steered by a ControlNet.

A ControlNet (Zhang et al. 2023, arXiv 2302.05543) is a copy of the U-Net's encoder that takes the capture and adds to
the U-Net's skip connections. Only the ControlNet is trained, with the denoising loss at random timesteps. Sampling
starts from the capture's latents, noised to the last timestep, and takes 50 deterministic DDIM steps with a guidance of
5.5 from the negative to the positive prompt.

Differences from the publication: the networks are those of diffusers, without SeeSR's representation cross-attention
(hence *SeeSR-style*). The prompts are the prior's fixed ones (published: tags and image embeddings by DAPE). A tenth of
the training steps uses the negative instead of the positive prompt. The starting noise has a fixed seed. AdamW with a
cosine schedule and a peak of 5·10⁻⁴ (published: 5·10⁻⁵).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.diffusion import (
    DiffusionLearner,
    drawn_noise,
    drawn_timesteps,
    guided,
    noised,
    prediction_target,
)
from metalens.restore.methods.learning import Crops, fit_learner
from metalens.restore.methods.method import Description, Method
from metalens.restore.prior.prior import clean_from_prediction, ddim_step

STEPS = 50
GUIDANCE = 5.5
NEGATIVE_SHARE = 0.1


class SeeSrStyleLearner(DiffusionLearner):
    """The frozen prior and its ControlNet.

    Args:
        prior: path or name of the prior.
        device: device of the networks.
        steps: sampling steps.
        seed: seed of the starting noise.
    """

    def __init__(self, prior: str, device: torch.device, steps: int = STEPS, seed: int = 0) -> None:
        super().__init__(prior, device, 0.0)
        self.steps = steps
        self.seed = seed
        # It imports all of diffusers' networks, which only this method needs.
        from diffusers import ControlNetModel

        halvings = self.prior.latent_stride.bit_length() - 1
        widths = tuple(16 * 2**level for level in range(halvings + 1))
        self.control = ControlNetModel.from_unet(self.prior.unet, conditioning_embedding_out_channels=widths)
        self.control.requires_grad_(True)
        self.to(device)

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """Denoising loss of the clean latents at random timesteps. See :class:`Learner`."""
        negative = float(torch.rand(1, generator=random)) < NEGATIVE_SHARE
        with torch.no_grad():
            clean = self.prior.encode(crops.clean)
        times = drawn_timesteps(len(clean), (0, self.prior.last_timestep + 1), random, clean.device)
        noise = drawn_noise(clean, random)
        alpha = self.prior.alpha_cumprod[times]
        path = "negative" if negative else "positive"
        output = self._output(noised(clean, noise, alpha), times, crops.captured, [path] * len(clean))
        target = prediction_target(clean, noise, alpha, self.prior.prediction_type)
        return {"loss": F.mse_loss(output, target)}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """All sampling steps on the whole capture. See :class:`Learner`."""
        del region, variant
        schedule = self.prior.alpha_cumprod
        timesteps = self.prior.timesteps(self.steps)
        latents = self.prior.encode(captured)
        noise = drawn_noise(latents, torch.Generator().manual_seed(self.seed))
        latents = noised(latents, noise, schedule[timesteps[0]].expand(len(latents)))
        for timestep, following in zip(timesteps, [*timesteps[1:], None], strict=True):
            clean = self._guided(latents, timestep, captured)
            if following is not None:
                latents = ddim_step(latents, clean, schedule[timestep], schedule[following])
        return self.prior.decode(clean)

    def _guided(self, latents: Tensor, timestep: int, captured: Tensor) -> Tensor:
        """Clean latents predicted with classifier-free guidance."""
        both = latents.repeat(2, 1, 1, 1)
        times = torch.full((len(both),), timestep, device=latents.device)
        paths = ["positive"] * len(latents) + ["negative"] * len(latents)
        output = self._output(both, times, captured.repeat(2, 1, 1, 1), paths)
        clean = clean_from_prediction(both, output, self.prior.alpha_cumprod[times], self.prior.prediction_type)
        positive, negative = clean.chunk(2)
        return guided(negative, positive, GUIDANCE)

    def _output(self, noisy: Tensor, times: Tensor, captured: Tensor, paths: list[str]) -> Tensor:
        prompts = self.prior.prompt(paths)
        skips, middle = self.control(
            noisy, times, encoder_hidden_states=prompts, controlnet_cond=captured, return_dict=False
        )
        output: Tensor = self.prior.unet(
            noisy,
            times,
            encoder_hidden_states=prompts,
            down_block_additional_residuals=skips,
            mid_block_additional_residual=middle,
        ).sample
        return output.float()


METHOD = Method(
    Description(
        title="SeeSR-style, 50 steps",
        reference="after Wu et al. 2024, arXiv 2311.16518",
        knows="nothing",
        differs="a plain ControlNet, fixed prompts of quality instead of tags",
        uses_prior=True,
    ),
    lambda training: fit_learner(training, lambda device: SeeSrStyleLearner(training.prior, device)),
)
