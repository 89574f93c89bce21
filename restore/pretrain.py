"""Make a small latent diffusion prior from clean photographs: the embedded prior is made by this.

Two stages, each resumable from its checkpoint:

1. ``autoencoder``: AutoencoderKL by L1, L1 of the gradients and a tiny KL term.
2. ``denoiser``: UNet2DConditionModel on its latents under three learned prompts. A share of the steps is ordinary
   v-prediction diffusion at a random timestep; the others are one-step prediction at the last timestep from
   the latents of generically degraded photographs, each prompt with its own target: the clean picture
   (positive), its edge-preserving low-pass (neutral), and from clean latents a degraded picture (negative).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from metalens.formats.atomic import atomic_directory
from metalens.formats.errors import InputError
from metalens.restore.crops import PhotographCrops
from metalens.restore.degradation import degrade_generically, guided_filter
from metalens.restore.linear_start import start_autoencoder, start_denoiser
from metalens.restore.networks import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from metalens.restore.optimisation import Budget, Optimisation
from metalens.restore.prior import PATHS, Prior, save_prior

Report = Callable[[str, float, dict[str, float]], None]
"""Called with stage, share done and the latest figures."""


@dataclass(frozen=True)
class PretrainConfig:
    """Size and recipe of a prior."""

    autoencoder_channels: tuple[int, ...] = (16, 32)
    latent_channels: int = 8
    norm_groups: int = 1
    denoiser_channels: tuple[int, ...] = (32, 64, 96, 128)
    prompt_tokens: int = 4
    prompt_features: int = 64
    crop: int = 64
    denoiser_crop: int = 96
    batch: int = 4
    learning_rate: float = 5e-4
    denoiser_learning_rate: float = 5e-4
    kl_weight: float = 1e-7
    diffusion_share: float = 0.15
    path_share: tuple[float, float, float] = (0.5, 0.25, 0.25)
    checkpoint_every: int = 200
    seed: int = 0


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


def pretrain(
    photographs: Sequence[Path],
    output: Path,
    work: Path,
    *,
    config: PretrainConfig,
    autoencoder_budget: Budget,
    denoiser_budget: Budget,
    device: str = "cpu",
    resume: bool = False,
    report: Report = lambda stage, share, figures: None,
) -> dict[str, float]:
    """Train a prior and write it as a diffusers folder.

    Args:
        photographs: clean pictures to train on.
        output: the new folder for the prior.
        work: folder for checkpoints; kept, so that a stopped run can be resumed.
        config: size and recipe.
        autoencoder_budget: of the first stage.
        denoiser_budget: of the second stage.
        device: where to train.
        resume: take up the checkpoints in ``work``.
        report: called now and then with stage, share done and figures.

    Returns:
        The last figures of each stage and its seconds and steps.

    Raises:
        InputError: photographs cannot be read, ``work`` holds another run, or the disk refuses the writes.
    """
    _claim(work, config, resume)
    torch.manual_seed(config.seed)
    autoencoder = build_autoencoder(config)
    start_autoencoder(autoencoder)
    autoencoder.to(device=device, memory_format=torch.channels_last)
    figures: dict[str, float] = {}
    crops = PhotographCrops(photographs, config.crop)
    figures |= _train_autoencoder(autoencoder, crops, work, config, autoencoder_budget, device, report)
    autoencoder.eval().requires_grad_(False)
    autoencoder.register_to_config(scaling_factor=_scaling_factor(autoencoder, crops, config, device))
    crops = PhotographCrops(photographs, config.denoiser_crop)

    scheduler = build_scheduler()
    denoiser = build_denoiser(config)
    start_denoiser(denoiser, float(scheduler.alphas_cumprod[-1]))
    denoiser.to(device=device, memory_format=torch.channels_last)
    embeddings = nn.ParameterDict(
        {path: nn.Parameter(torch.randn(config.prompt_tokens, config.prompt_features)) for path in PATHS}
    ).to(device)
    prior = Prior(
        name=str(output),
        vae=autoencoder,
        unet=denoiser,
        alpha_cumprod=scheduler.alphas_cumprod.float().to(device),
        prediction_type=scheduler.config.prediction_type,
        prompts=dict(embeddings.items()),
    )
    figures |= _train_denoiser(prior, embeddings, crops, work, config, denoiser_budget, device, report)
    with atomic_directory(output) as folder:
        save_prior(prior.to("cpu"), folder, scheduler)
        (folder / "training.json").write_text(json.dumps({"config": asdict(config), "figures": figures}, indent=1))
    return figures


def _claim(work: Path, config: PretrainConfig, resume: bool) -> None:
    """Note the configuration in the work folder, or check that it is the same on resuming."""
    note = work / "config.json"
    text = json.dumps(asdict(config), indent=1)
    if note.is_file():
        if not resume:
            raise InputError(f"{work}: holds checkpoints of an earlier run; pass --resume or another --work.")
        if note.read_text() != text:
            raise InputError(f"{work}: its checkpoints are of another configuration; choose another --work.")
    else:
        work.mkdir(parents=True, exist_ok=True)
        note.write_text(text)


def autoencoder_loss(autoencoder: AutoencoderKL, pictures: Tensor, kl_weight: float) -> tuple[Tensor, Tensor]:
    """L1 + L1 of the gradients + KL, and the reconstruction's mean squared error in 0..1."""
    posterior = autoencoder.encode(pictures * 2 - 1).latent_dist
    reconstructed = (autoencoder.decode(posterior.mode()).sample + 1) / 2
    difference = reconstructed - pictures
    gradient = difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    loss = difference.abs().mean() + 0.5 * gradient + kl_weight * posterior.kl().mean()
    return loss, difference.detach().square().mean()


def denoiser_loss(
    prior: Prior, clean: Tensor, path: str, diffusion: bool, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Loss of one batch on one path, in latent space.

    Args:
        prior: its U-Net and prompts are trained, its autoencoder is not.
        clean: ``[batch, 3, y, x]`` in 0..1.
        path: which prompt and target.
        diffusion: ordinary diffusion at random timesteps, else one-step prediction at the last timestep.
        generator: source of randomness, on the CPU.

    Returns:
        The loss, and the squared error of the predicted clean latents.
    """
    with torch.no_grad():
        degraded = degrade_generically(clean, generator)
        target = {"positive": clean, "neutral": guided_filter(clean), "negative": degraded}[path]
        target_latents = prior.encode(target)
        if diffusion:
            steps = torch.randint(0, prior.last_timestep + 1, (len(clean),), generator=generator).to(clean.device)
            noise = torch.randn(target_latents.shape, generator=generator).to(clean.device)
            alpha = prior.alpha_cumprod[steps].reshape(-1, 1, 1, 1)
            source = alpha.sqrt() * target_latents + (1 - alpha).sqrt() * noise
        else:
            steps = torch.full((len(clean),), prior.last_timestep, device=clean.device)
            alpha = prior.alpha_cumprod[steps].reshape(-1, 1, 1, 1)
            source = prior.encode(clean if path == "negative" else degraded)
    predicted = prior.predict_clean(source, prior.prompt([path] * len(clean)), steps)
    error = (predicted - target_latents).square()
    # In v-prediction ‖v − v̂‖² = ‖x₀ − x̂₀‖² / (1 − ᾱ): the diffusion term is the usual v loss.
    weight = 1 / (1 - alpha) if diffusion else torch.ones_like(alpha)
    return (weight * error).mean(), error.detach().mean()


def _train_autoencoder(
    autoencoder: AutoencoderKL,
    crops: PhotographCrops,
    work: Path,
    config: PretrainConfig,
    budget: Budget,
    device: str,
    report: Report,
) -> dict[str, float]:
    optimisation = Optimisation(
        dict(autoencoder.named_parameters()), learning_rate=config.learning_rate, budget=budget, weight_decay=1e-4
    )

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        pictures = crops.batch(config.batch, seed=config.seed, step=step).to(device)
        value, squared = autoencoder_loss(autoencoder, pictures, config.kl_weight)
        return value, {"reconstruction_psnr": float(-10 * squared.log10())}

    return _run(optimisation, "autoencoder", loss, work, config, report)


def _train_denoiser(
    prior: Prior,
    embeddings: nn.ParameterDict,
    crops: PhotographCrops,
    work: Path,
    config: PretrainConfig,
    budget: Budget,
    device: str,
    report: Report,
) -> dict[str, float]:
    parameters = dict(prior.unet.named_parameters()) | {
        f"prompts.{name}": parameter for name, parameter in embeddings.named_parameters()
    }
    optimisation = Optimisation(parameters, learning_rate=config.denoiser_learning_rate, budget=budget)

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        draw = torch.rand(2, generator=generator)
        path = PATHS[int(torch.searchsorted(torch.tensor(config.path_share).cumsum(0), draw[:1]).clamp(max=2))]
        diffusion = bool(draw[1] < config.diffusion_share)
        clean = crops.batch(config.batch, seed=config.seed + 1, step=step).to(device)
        value, error = denoiser_loss(prior, clean, path, diffusion, generator)
        return value, {f"{'diffusion' if diffusion else 'one_step'}_{path}": float(error)}

    return _run(optimisation, "denoiser", loss, work, config, report)


def _run(
    optimisation: Optimisation,
    stage: str,
    loss: Callable[[int], tuple[Tensor, dict[str, float]]],
    work: Path,
    config: PretrainConfig,
    report: Report,
) -> dict[str, float]:
    checkpoint = work / f"{stage}.safetensors"
    if checkpoint.is_file():
        optimisation.load(checkpoint, stage=stage)
    smoothed: dict[str, float] = {}
    while optimisation.progress < 1:
        value, figures = loss(optimisation.step_number)
        optimisation.step(value)
        for name, figure in figures.items():
            smoothed[name] = 0.98 * smoothed.get(name, figure) + 0.02 * figure
        report(stage, min(1.0, optimisation.progress), smoothed)
        if optimisation.step_number % config.checkpoint_every == 0:
            optimisation.save(checkpoint, stage=stage)
    optimisation.save(checkpoint, stage=stage)
    optimisation.use_average()
    timing = {"steps": float(optimisation.step_number), "seconds": optimisation.seconds}
    return {f"{stage}_{name}": figure for name, figure in (smoothed | timing).items()}


@torch.no_grad()
def _scaling_factor(autoencoder: AutoencoderKL, crops: PhotographCrops, config: PretrainConfig, device: str) -> float:
    """1 / standard deviation of the latents, so that the U-Net sees unit variance."""
    latents = [
        autoencoder.encode(crops.batch(16, seed=config.seed + 2, step=step).to(device) * 2 - 1).latent_dist.mode()
        for step in range(8)
    ]
    return 1 / float(torch.cat(latents).std())
