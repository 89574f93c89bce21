"""S3Diff (Zhang et al. 2024, arXiv 2409.17058): one step whose LoRA is guided by how degraded the capture is.

W* = W + A·Q·B, Q one r × r matrix a picture and block, made of two numbers that tell the picture's blur and noise: each
as Fourier features, through Linear + ReLU, joined by the block's embedding. LoRA of rank 32 on the U-Net and 16 on the
encoder. The loss is 2 MSE + 5 LPIPS + 0.5 GAN; the prediction is guided by 1.07 from the negative to the positive
prompt. With a probability of 5 % a step goes with the negative prompt and the capture itself as its target, so that the
negative prompt means something.

What differs: blur and noise are measured on the capture by the width of a Gaussian
(:mod:`metalens.restore.methods.gaussian_blur`) and by the median of its high-passed values (published: a network
trained for generic degradations, whose weights are not here); the discriminator is a small convolutional one trained
along (published: on features of a pretrained network), with the hinge loss; Q starts as the identity; both networks
step with one optimiser; L2's weight is this project's (:mod:`metalens.restore.methods.diffusion`), GAN keeps its
published ratio of 1 : 10 to the perceptual term; AdamW at a peak of 5·10⁻⁴ with a cosine (published: 2·10⁻⁵).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalens.restore.adapter.lora import LoraLayers
from metalens.restore.adapter.svda import DegradationAttention
from metalens.restore.conditioning.degradation_map import Region
from metalens.restore.methods.diffusion import DiffusionLearner, guided
from metalens.restore.methods.gaussian_blur import LEAST, MOST, EdgeModel, calibrate, covariance_of
from metalens.restore.methods.learning import Crops, fit_learner, full_precision
from metalens.restore.methods.method import Description, Fitted, Method, Training
from metalens.restore.methods.tuning import tuning_pairs
from metalens.restore.metrics.picture_tensors import as_tensor

UNET_RANK, ENCODER_RANK = 32, 16
GUIDANCE = 1.07
NEGATIVE_SHARE = 0.05
PERCEPTUAL_WEIGHT = 1.0
GAN_WEIGHT = 0.1

_WAVES = 16
_NOISIEST = 0.1


class S3DiffLearner(DiffusionLearner):
    """Generator with guided LoRA, and discriminator.

    Args:
        prior: where the prior is.
        device: where it computes.
        model: of the estimate of blur.
        perceptual: weight of the perceptual term.
        ranks: of LoRA in the U-Net and in the encoder.
    """

    aids = ("perceptual", "discriminator")

    def __init__(
        self,
        prior: str,
        device: torch.device,
        model: EdgeModel,
        perceptual: float = PERCEPTUAL_WEIGHT,
        ranks: tuple[int, int] = (UNET_RANK, ENCODER_RANK),
    ) -> None:
        super().__init__(prior, device, perceptual)
        self.model = model
        self.layers = LoraLayers(self.prior, unet_rank=ranks[0], encoder_rank=ranks[1])
        self.prior.unet.conv_in.requires_grad_(False)
        self.attention = DegradationAttention(self.layers.ranks, form="global", channels=4 * _WAVES, cells=1)
        self.discriminator = Discriminator()
        self.to(device)

    def losses(self, crops: Crops, random: torch.Generator) -> dict[str, Tensor]:
        """The generator's loss and the discriminator's, each for its own parameters."""
        negative = float(torch.rand(1, generator=random)) < NEGATIVE_SHARE
        target = crops.captured if negative else crops.clean
        predicted = self._predict(crops.captured, ["negative" if negative else "positive"]).float()
        losses = self.picture_losses(predicted, target)
        with frozen(self.discriminator):
            adversarial = -self.discriminator(predicted).mean()
        real, fake = self.discriminator(target), self.discriminator(predicted.detach())
        critic = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        loss = losses["loss"] + GAN_WEIGHT * adversarial + critic
        return {**losses, "loss": loss, "adversarial": adversarial, "critic": critic}

    def restored(self, captured: Tensor, region: Region, variant: str) -> Tensor:
        """One step on a whole capture, guided."""
        del region, variant
        return self._predict(captured, ["positive", "negative"])

    def _predict(self, captured: Tensor, paths: list[str]) -> Tensor:
        """Pictures of the first path, guided away from the second if there is one."""
        with full_precision(captured):
            features = degradation_features(captured, self.model)
        mixings = self.attention(features)
        aspect = captured.shape[-2] / captured.shape[-1]
        with self.layers.conditioned(mixings, aspect):
            latents = self.prior.encode(captured)
            found = [self.prior.predict_clean(latents, self.prompts(path, len(latents))) for path in paths]
        clean = found[0] if len(found) == 1 else guided(found[1], found[0], GUIDANCE)
        return self.prior.decode(clean)


class Discriminator(nn.Module):
    """Tells clean photographs from predictions, patch by patch: four convolutions (Isola et al. 2017)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        sizes = ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 1))
        steps: list[nn.Module] = []
        for before, after, stride in sizes:
            steps += [nn.Conv2d(before, after, 4, stride=stride, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*steps, nn.Conv2d(4 * width, 1, 4, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        """``[batch, 3, y, x]`` in 0..1 → ``[batch, 1, patch, patch]``, high for clean ones."""
        judged: Tensor = self.layers(2 * pictures - 1)
        return judged.float()


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Inside the block gradients pass through a module, and none reach its parameters."""
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@torch.no_grad()
def degradation_features(pictures: Tensor, model: EdgeModel) -> Tensor:
    """Fourier features ``[batch, 64, 1, 1]`` of the blur and the noise of pictures ``[batch, 3, y, x]``."""
    grey = pictures.float().mean(dim=1)
    covariance = covariance_of(grey, model)
    width = torch.linalg.det(covariance).clamp_min(LEAST**4) ** 0.25
    blur = (width.log() - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))
    noise = (noise_deviation(grey) / _NOISIEST).clamp(0, 1)
    scale = math.pi * 2.0 ** torch.linspace(-1, 4, _WAVES, device=pictures.device)
    waves = torch.stack([blur, noise], dim=1)[:, :, None] * scale
    return torch.cat([waves.sin(), waves.cos()], dim=2).flatten(1)[..., None, None]


def noise_deviation(grey: Tensor) -> Tensor:
    """Standard deviation of the noise of ``[batch, y, x]``: the median of what a Laplacian leaves (Immerkær 1996)."""
    kernel = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], device=grey.device)
    left = F.conv2d(grey[:, None], kernel[None, None]).flatten(1)
    # Its coefficients' squares sum to 36; a Gaussian's median absolute value is 0.6745 σ.
    return left.abs().median(dim=1).values / (6 * 0.6745)


def _fit(training: Training) -> Fitted:
    model = calibrate(torch.stack([as_tensor(clean).mean(dim=0) for clean, _ in tuning_pairs(training)]))
    return fit_learner(training, lambda device: S3DiffLearner(training.prior, device, model))


METHOD = Method(
    Description(
        title="S3Diff",
        reference="Zhang et al. 2024, arXiv 2409.17058",
        knows="nothing",
        differs="blur and noise measured without a network, a small discriminator, one optimiser, weight of L2",
        uses_prior=True,
    ),
    _fit,
)
