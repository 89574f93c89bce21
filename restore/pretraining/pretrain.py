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
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from metalens.formats.files.atomic import atomic_directory
from metalens.formats.files.errors import InputError
from metalens.formats.files.interruption import between_steps, stop_if_interrupted
from metalens.restore.pretraining.crops import PhotographCrops
from metalens.restore.pretraining.linear_initialisation import start_autoencoder, start_denoiser
from metalens.restore.pretraining.losses import DenoiserBatch, autoencoder_loss, denoiser_batch, denoiser_loss
from metalens.restore.pretraining.recipe import PretrainConfig, build_autoencoder, build_denoiser, build_scheduler
from metalens.restore.prior.networks import AutoencoderKL
from metalens.restore.prior.prior import PATHS, Prior, save_prior
from metalens.restore.training.cuda_graphs import Gradients
from metalens.restore.training.optimisation import Budget, Optimisation

Report = Callable[[str, float, dict[str, float]], None]
"""Called with stage, share done and the latest figures."""


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
    try:
        with between_steps():
            while optimisation.progress < 1:
                stop_if_interrupted()
                value, figures = step(optimisation.step_number)
                optimisation.descend(finite=bool(torch.isfinite(value)))
                for name, figure in figures.items():
                    smoothed[name] = 0.98 * smoothed.get(name, figure) + 0.02 * figure
                report(stage, min(1.0, optimisation.progress), smoothed)
                if optimisation.step_number % config.checkpoint_every == 0:
                    optimisation.save(checkpoint, stage=stage)
    except KeyboardInterrupt:
        optimisation.save(checkpoint, stage=stage)
        raise
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
