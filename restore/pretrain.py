"""Make a small latent diffusion prior from clean photographs: the embedded prior is made by this.

Two stages, each resumable from its checkpoint:

1. ``autoencoder``: AutoencoderKL by L1, L1 of the gradients and a tiny KL term.
2. ``denoiser``: UNet2DConditionModel on its latents under three learned prompts. A share of the crops is ordinary
   v-prediction diffusion at a random timestep; the others are one-step prediction at the last timestep from
   the latents of generically degraded photographs, each prompt with its own target: the clean picture
   (positive), its edge-preserving low-pass (neutral), and from clean latents a degraded picture (negative).

Each crop of a batch has its own path. Everything random is drawn from (seed, step), so a run that stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from metalens.formats.atomic import atomic_directory
from metalens.formats.errors import InputError
from metalens.restore.crops import PhotographCrops
from metalens.restore.degradation import degrade_generically, guided_filter
from metalens.restore.graphed import Gradients
from metalens.restore.linear_start import start_autoencoder, start_denoiser
from metalens.restore.networks import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from metalens.restore.optimisation import Budget, Optimisation
from metalens.restore.prior import PATHS, Prior, save_prior

Report = Callable[[str, float, dict[str, float]], None]
"""Called with stage, share done and the latest figures."""


@dataclass(frozen=True)
class PretrainConfig:
    """Size and recipe of a prior.

    Attributes:
        autoencoder_channels: of each level.
        latent_channels: of the latents.
        norm_groups: of the autoencoder's normalisations.
        denoiser_channels: of each level of the U-Net.
        prompt_tokens: of each prompt.
        prompt_features: of each token.
        crop: side of the autoencoder's crops in pixels.
        denoiser_crop: side of the denoiser's.
        batch: crops a step of the autoencoder.
        denoiser_batch: crops a step of the denoiser.
        learning_rate: of the autoencoder, at its peak.
        denoiser_learning_rate: of the denoiser, at its peak.
        kl_weight: of the autoencoder's KL term.
        diffusion_share: of the denoiser's crops that are ordinary diffusion.
        path_share: how often a crop is of the positive, the neutral and the negative path.
        precision: of the denoiser's forward passes; weights, latents and the autoencoder stay float32.
        cuda_graphs: record each stage's step once and replay it (:mod:`metalens.restore.graphed`).
        checkpoint_every: steps.
        seed: of weights, crops and noise.
    """

    autoencoder_channels: tuple[int, ...] = (16, 32)
    latent_channels: int = 8
    norm_groups: int = 1
    denoiser_channels: tuple[int, ...] = (32, 64, 96, 128)
    prompt_tokens: int = 4
    prompt_features: int = 64
    crop: int = 64
    denoiser_crop: int = 96
    batch: int = 4
    denoiser_batch: int = 4
    learning_rate: float = 5e-4
    denoiser_learning_rate: float = 5e-4
    kl_weight: float = 1e-7
    diffusion_share: float = 0.15
    path_share: tuple[float, float, float] = (0.5, 0.25, 0.25)
    precision: Literal["fp32", "bf16"] = "fp32"
    cuda_graphs: bool = False
    checkpoint_every: int = 200
    seed: int = 0

    def autocast(self, device: torch.device | str) -> AbstractContextManager[None]:
        """The precision of the denoiser's forward passes on a device."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


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
    crops = PhotographCrops(photographs, config.crop, device)
    figures |= _train_autoencoder(autoencoder, crops, work, config, autoencoder_budget, report)
    autoencoder.eval().requires_grad_(False)
    autoencoder.register_to_config(scaling_factor=_scaling_factor(autoencoder, crops, config))
    crops = crops.resized(config.denoiser_crop)

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


class DenoiserBatch(NamedTuple):
    """What the denoiser is shown, and what it should give.

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
        path_share: how often each path is taken.
        diffusion_share: of the crops.
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


def _train_autoencoder(
    autoencoder: AutoencoderKL,
    crops: PhotographCrops,
    work: Path,
    config: PretrainConfig,
    budget: Budget,
    report: Report,
) -> dict[str, float]:
    optimisation = Optimisation(
        dict(autoencoder.named_parameters()), learning_rate=config.learning_rate, budget=budget, weight_decay=1e-4
    )

    def losses(stage: str, pictures: Tensor) -> dict[str, Tensor]:
        del stage
        value, squared = autoencoder_loss(autoencoder, pictures, config.kl_weight)
        return {"loss": value, "squared": squared}

    gradients = Gradients(losses, list(optimisation.parameters.values()), graphed=config.cuda_graphs)

    def step(number: int) -> tuple[Tensor, dict[str, float]]:
        found = gradients("autoencoder", crops.batch(config.batch, seed=config.seed, step=number))
        return found["loss"], {"reconstruction_psnr": float(-10 * found["squared"].log10())}

    return _run(optimisation, "autoencoder", step, work, config, report)


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

    def losses(stage: str, *batch: Tensor) -> dict[str, Tensor]:
        del stage
        with config.autocast(device):
            return denoiser_loss(prior, DenoiserBatch(*batch))

    gradients = Gradients(losses, list(parameters.values()), graphed=config.cuda_graphs)

    def step(number: int) -> tuple[Tensor, dict[str, float]]:
        generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + number)
        clean = crops.batch(config.denoiser_batch, seed=config.seed + 1, step=number)
        batch = denoiser_batch(
            prior, clean, generator, path_share=config.path_share, diffusion_share=config.diffusion_share
        )
        found = gradients("denoiser", *batch)
        rows = torch.stack([found["errors"], batch.path, batch.timestep < prior.last_timestep]).tolist()
        figures: dict[str, list[float]] = {}
        for error, path, diffusion in zip(*rows, strict=True):
            figures.setdefault(f"{'diffusion' if diffusion else 'one_step'}_{PATHS[int(path)]}", []).append(error)
        return found["loss"], {name: sum(values) / len(values) for name, values in figures.items()}

    return _run(optimisation, "denoiser", step, work, config, report)


def _run(
    optimisation: Optimisation,
    stage: str,
    step: Callable[[int], tuple[Tensor, dict[str, float]]],
    work: Path,
    config: PretrainConfig,
    report: Report,
) -> dict[str, float]:
    """Steps that leave their gradients behind, until the budget is used."""
    checkpoint = work / f"{stage}.safetensors"
    if checkpoint.is_file():
        optimisation.load(checkpoint, stage=stage)
    smoothed: dict[str, float] = {}
    while optimisation.progress < 1:
        value, figures = step(optimisation.step_number)
        optimisation.descend(finite=bool(torch.isfinite(value)))
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
def _scaling_factor(autoencoder: AutoencoderKL, crops: PhotographCrops, config: PretrainConfig) -> float:
    """1 / standard deviation of the latents, so that the U-Net sees unit variance."""
    latents = [
        autoencoder.encode(crops.batch(16, seed=config.seed + 2, step=step) * 2 - 1).latent_dist.mode()
        for step in range(8)
    ]
    return 1 / float(torch.cat(latents).std())
