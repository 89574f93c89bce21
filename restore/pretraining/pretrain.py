"""Train a small latent diffusion prior on clean photographs; the embedded prior was made by this.

Two stages, each resumable from its checkpoint:

1. ``autoencoder``: AutoencoderKL by L1, L1 of the gradients and a tiny KL term.
2. ``denoiser``: UNet2DConditionModel on its latents under three learned prompts. A share of the crops is ordinary
   v-prediction diffusion at a random timestep; the others are one-step prediction at the last timestep from
   the latents of generically degraded photographs, each prompt with its own target: the clean picture
   (positive), its edge-preserving low-pass (neutral), and from clean latents a degraded picture (negative).

Each crop of a batch has its own path. All random numbers depend on (seed, step) only, so an interrupted run can
continue.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from metalens.formats.files.atomic import atomic_directory, require_new_directory
from metalens.formats.files.claim import claimed_folder
from metalens.restore.pretraining.crops import PhotographCrops
from metalens.restore.pretraining.linear_initialisation import start_autoencoder, start_denoiser
from metalens.restore.pretraining.losses import DenoiserBatch, autoencoder_loss, denoiser_batch, denoiser_loss
from metalens.restore.pretraining.recipe import PretrainConfig, build_autoencoder, build_denoiser, build_scheduler
from metalens.restore.prior.networks import AutoencoderKL
from metalens.restore.prior.prior import PATHS, Prior
from metalens.restore.prior.prior_folder import save_prior
from metalens.restore.training.distributed import DistributedProcesses
from metalens.restore.training.loop import Draw, LoopSettings, Trainee, TrainingLoop
from metalens.restore.training.optimisation import Budget, Optimisation

Report = Callable[[str, float, dict[str, float]], None]
"""Progress callback: stage, fraction done in 0..1, latest figures."""


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
        autoencoder_budget: budget of the first stage.
        denoiser_budget: budget of the second stage.
        device: where to train.
        resume: continue from the checkpoints in ``work``.
        report: progress callback.

    Returns:
        The last figures of each stage and its seconds and steps.

    Raises:
        InputError: photographs cannot be read, ``work`` holds another run, or the disk refuses the writes.
    """
    require_new_directory(output)
    workplace = DistributedProcesses(device, config.precision)
    crops = PhotographCrops(photographs, config.crop, device)
    smaller = crops.resized(config.denoiser_crop)
    with claimed_folder(work, "config.json", asdict(config), resume=resume):
        first = first_stage(crops, config, device)
        figures = _train(first, autoencoder_budget, work, workplace, resume=resume, report=report)
        scaling = _scaling_factor(first.model.eval(), crops, config)
        second = second_stage(str(output), first.model, scaling, smaller, config, workplace)
        figures |= _train(second, denoiser_budget, work, workplace, resume=resume, report=report)
        with atomic_directory(output) as folder:
            save_prior(second.prior.to("cpu"), folder, build_scheduler())
            (folder / "training.json").write_text(json.dumps({"config": asdict(config), "figures": figures}, indent=1))
        return figures


def first_stage(crops: PhotographCrops, config: PretrainConfig, device: str) -> AutoencoderTraining:
    """The autoencoder before its training.

    Args:
        crops: of the photographs.
        config: size and recipe.
        device: where to train.

    Returns:
        The training of a new autoencoder, initialised from the recipe's seed and moved to the device.
    """
    torch.manual_seed(config.seed)
    autoencoder = build_autoencoder(config)
    start_autoencoder(autoencoder)
    return AutoencoderTraining(autoencoder.to(device=device, memory_format=torch.channels_last), crops, config)


def second_stage(
    name: str,
    autoencoder: AutoencoderKL,
    scaling: float,
    crops: PhotographCrops,
    config: PretrainConfig,
    workplace: DistributedProcesses,
) -> DenoiserTraining:
    """Denoiser and prompts before their training.

    Args:
        name: of the prior.
        autoencoder: of the first stage; it is no longer trained.
        scaling: of its latents, so that their variance is 1.
        crops: of the photographs, of the size of this stage.
        config: size and recipe.
        workplace: where to train.

    Returns:
        The training of a new denoiser and its prompts, on the workplace's device.
    """
    autoencoder.eval().requires_grad_(False)
    autoencoder.register_to_config(scaling_factor=scaling)
    scheduler, device = build_scheduler(), workplace.device
    denoiser = build_denoiser(config)
    start_denoiser(denoiser, float(scheduler.alphas_cumprod[-1]))
    denoiser.to(device=device, memory_format=torch.channels_last)
    prompts = {path: torch.randn(config.prompt_tokens, config.prompt_features) for path in PATHS}
    prior = Prior(
        name=name,
        vae=autoencoder,
        unet=denoiser,
        alpha_cumprod=scheduler.alphas_cumprod.float().to(device),
        prediction_type=scheduler.config.prediction_type,
        prompts={path: nn.Parameter(prompt.to(device)) for path, prompt in prompts.items()},
    )
    return DenoiserTraining(prior, crops, config, workplace)


def _train(
    trainee: AutoencoderTraining | DenoiserTraining,
    budget: Budget,
    work: Path,
    workplace: DistributedProcesses,
    *,
    resume: bool,
    report: Report,
) -> dict[str, float]:
    """Train one stage; its last figures, steps and seconds."""
    config, stage = trainee.config, trainee.stage
    settings = LoopSettings(work / f"{stage}.safetensors", config.checkpoint_every, cuda_graphs=config.cuda_graphs)
    loop = TrainingLoop(trainee, budget, workplace, settings)
    loop.run(resume=resume, report=partial(report, stage))
    timing = {"steps": float(loop.optimisation.step_number), "seconds": loop.optimisation.seconds}
    return {f"{stage}_{name}": figure for name, figure in (loop.smoothed | timing).items()}


class AutoencoderTraining(Trainee):
    """The first stage: pictures to latents and back."""

    stage = "autoencoder"
    latest_share = 0.02

    def __init__(self, autoencoder: AutoencoderKL, crops: PhotographCrops, config: PretrainConfig) -> None:
        self.model = autoencoder
        self.crops = crops
        self.config = config
        self.memory = f"lower --batch (now {config.batch}) or --crop (now {config.crop})."

    def optimisation(self, budget: Budget) -> Optimisation:
        """Optimisation of the whole autoencoder."""
        parameters = dict(self.model.named_parameters())
        return Optimisation(parameters, learning_rate=self.config.learning_rate, budget=budget, weight_decay=1e-4)

    def draw(self, position: int) -> Draw:
        """Crops of photographs."""
        return Draw(self.stage, [(self.crops.batch(self.config.batch, seed=self.config.seed, step=position),)])

    def losses(self, kind: str, pictures: Tensor) -> dict[str, Tensor]:
        """L1 + L1 of the gradients + KL divergence, and the squared error. See :class:`Trainee`."""
        del kind
        value, squared = autoencoder_loss(self.model, pictures, self.config.kl_weight)
        return {"loss": value, "squared": squared}

    def figures(self, draw: Draw, losses: dict[str, Tensor]) -> dict[str, float]:
        """PSNR of the reconstruction in dB. See :class:`Trainee`."""
        del draw
        return {"reconstruction_psnr": float(-10 * losses["squared"].log10())}


class DenoiserTraining(Trainee):
    """The second stage: the U-Net on the autoencoder's latents, and its prompts."""

    stage = "denoiser"
    latest_share = 0.02

    def __init__(
        self, prior: Prior, crops: PhotographCrops, config: PretrainConfig, workplace: DistributedProcesses
    ) -> None:
        self.prior = prior
        self.model = prior.unet
        self.crops = crops
        self.config = config
        self.workplace = workplace
        size = f"--denoiser-batch (now {config.denoiser_batch}) or --denoiser-crop (now {config.denoiser_crop})"
        self.memory = f"lower {size}, or pass --precision bf16."

    def optimisation(self, budget: Budget) -> Optimisation:
        """Optimisation of the U-Net and the prompts."""
        prompts = nn.ParameterDict(self.prior.prompts)
        parameters = dict(self.model.named_parameters()) | dict(prompts.named_parameters(prefix="prompts"))
        return Optimisation(parameters, learning_rate=self.config.denoiser_learning_rate, budget=budget)

    def draw(self, position: int) -> Draw:
        """Latents of crops, each with a path and a timestep of its own."""
        config, device = self.config, self.workplace.device
        generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + position)
        clean = self.crops.batch(config.denoiser_batch, seed=config.seed + 1, step=position)
        batch = denoiser_batch(
            self.prior, clean, generator, path_share=config.path_share, diffusion_share=config.diffusion_share
        )
        return Draw(self.stage, [batch])

    def losses(self, kind: str, *batch: Tensor) -> dict[str, Tensor]:
        """The weighted squared error of the clean latents; the error of each crop."""
        del kind
        with self.workplace.autocast():
            return denoiser_loss(self.prior, DenoiserBatch(*batch))

    def figures(self, draw: Draw, losses: dict[str, Tensor]) -> dict[str, float]:
        """Mean errors of each path, for one-step prediction and for diffusion. See :class:`Trainee`."""
        batch = DenoiserBatch(*draw.batches[0])
        rows = torch.stack([losses["errors"], batch.path, batch.timestep < self.prior.last_timestep]).tolist()
        figures: dict[str, list[float]] = {}
        for error, path, diffusion in zip(*rows, strict=True):
            figures.setdefault(f"{'diffusion' if diffusion else 'one_step'}_{PATHS[int(path)]}", []).append(error)
        return {name: sum(values) / len(values) for name, values in figures.items()}


@torch.no_grad()
def _scaling_factor(autoencoder: AutoencoderKL, crops: PhotographCrops, config: PretrainConfig) -> float:
    """1 / standard deviation of the latents, so that the U-Net sees unit variance."""
    latents = [
        autoencoder.encode(crops.batch(16, seed=config.seed + 2, step=step) * 2 - 1).latent_dist.mode()
        for step in range(8)
    ]
    return 1 / float(torch.cat(latents).std())
