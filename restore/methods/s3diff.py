"""S3Diff (Zhang et al. 2024, arXiv 2409.17058): one step; its LoRA is modulated by the estimated degradation.

W* = W + A·Q·B, with one r × r matrix Q for each picture and block. Q is computed from two numbers, the blur and the
noise of the picture: Fourier features, then Linear + ReLU, joined with an embedding of the block. LoRA of rank 32 on
the U-Net and 16 on the encoder. The loss is 2 MSE + 5 LPIPS + 0.5 GAN; the guidance from the negative to the positive
prompt is 1.07. With a probability of 5 % a step uses the negative prompt and the capture itself as its target: so the
network learns what the negative prompt means.

Differences from the publication: blur and noise are measured on the capture, as the width of a Gaussian
(:mod:`metalens.restore.methods.gaussian_blur`) and as the median of its high-passed values (published: a network
trained on generic degradations, whose weights are not included). The discriminator is a small convolutional network
(published: on features of a pretrained network), with the hinge loss. Q starts as the identity. One optimiser trains
both networks. The weight of L2 is that of :mod:`metalens.restore.methods.diffusion`; GAN keeps its published ratio of 1
: 10 to the perceptual term. AdamW with a cosine schedule and a peak of 5·10⁻⁴ (published: 2·10⁻⁵).
"""

from __future__ import annotations

import math

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
from metalens.restore.training.discriminator import frozen

UNET_RANK, ENCODER_RANK = 32, 16
GUIDANCE = 1.07
NEGATIVE_SHARE = 0.05
PERCEPTUAL_WEIGHT = 1.0
GAN_WEIGHT = 0.1

_WAVES = 16
_NOISIEST = 0.1


class S3DiffLearner(DiffusionLearner):
    """Generator with degradation-guided LoRA, and discriminator.

    Args:
        prior: path or name of the prior.
        device: device of the networks.
        model: calibrated estimate of Gaussian blur.
        perceptual: weight of the perceptual term.
        ranks: LoRA rank in the U-Net and in the encoder.
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
        """Loss of the generator and of the discriminator. See :class:`Learner`."""
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
        """One guided diffusion step on the whole capture. See :class:`Learner`."""
        del region, variant
        return self._predict(captured, ["positive", "negative"])

    def _predict(self, captured: Tensor, paths: list[str]) -> Tensor:
        """Pictures predicted with the first prompt; a second prompt serves as the negative of guidance."""
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
    """Patch discriminator of four convolutions (Isola et al. 2017, arXiv 1611.07004)."""

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


@torch.no_grad()
def degradation_features(pictures: Tensor, model: EdgeModel) -> Tensor:
    """Fourier features of the estimated blur and noise of pictures.

    Args:
        pictures: ``[batch, 3, y, x]`` in 0..1.
        model: calibrated estimate of Gaussian blur.

    Returns:
        ``[batch, 64, 1, 1]`` in −1..1.
    """
    grey = pictures.float().mean(dim=1)
    covariance = covariance_of(grey, model)
    width = torch.linalg.det(covariance).clamp_min(LEAST**4) ** 0.25
    blur = (width.log() - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))
    noise = (noise_deviation(grey) / _NOISIEST).clamp(0, 1)
    scale = math.pi * 2.0 ** torch.linspace(-1, 4, _WAVES, device=pictures.device)
    waves = torch.stack([blur, noise], dim=1)[:, :, None] * scale
    return torch.cat([waves.sin(), waves.cos()], dim=2).flatten(1)[..., None, None]


def noise_deviation(grey: Tensor) -> Tensor:
    """Standard deviation of the noise of ``[batch, y, x]``, from a Laplacian's median response (Immerkær 1996)."""
    kernel = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]], device=grey.device)
    left = F.conv2d(grey[:, None], kernel[None, None]).flatten(1)
    # The squared coefficients sum to 36, so white noise gains a factor 6; a Gaussian's median |value| is 0.6745 σ.
    return left.abs().median(dim=1).values / (6 * 0.6745)


def _fit(training: Training) -> Fitted:
    model = calibrate(torch.stack([as_tensor(clean).mean(dim=0) for clean, _ in tuning_pairs(training.pairs)]))
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
