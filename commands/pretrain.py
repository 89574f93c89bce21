"""``metalens pretrain``: a small latent diffusion prior."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted
from metalens.commands.options import (
    BATCH,
    LEARNING_RATE,
    MINUTES,
    PATH,
    SEED,
    STEPS,
    Precision,
    device_option,
    dry_run_option,
    json_option,
    output_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress
from metalens.formats.files.atomic import require_apart, require_new_directory, require_outside
from metalens.formats.files.errors import InputError

if TYPE_CHECKING:
    from metalens.restore.pretraining.recipe import PretrainConfig

_KEYS = {"channels": "denoiser_channels"}


class _Channels(click.ParamType):
    """``32,64,96,128``: whole numbers, one per level."""

    name = "n,n,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        parts = str(value).split(",")
        if len(parts) < 2 or not all(part.isdecimal() and int(part) % 32 == 0 and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is not two or more multiples of 32, such as 32,64,96,128.", param, ctx)
        return tuple(map(int, parts))


@click.command(short_help="a small prior of your own")
@click.argument("photos", nargs=-1, required=True)
@output_option("The prior's folder.")
@click.option("--work", type=PATH, required=True, help="Folder for checkpoints.")
@click.option("--autoencoder-minutes", type=MINUTES, help="Training time of the autoencoder.")
@click.option("--denoiser-minutes", type=MINUTES, help="Training time of the denoiser.")
@click.option("--autoencoder-steps", type=STEPS, help="Training steps of the autoencoder.")
@click.option("--denoiser-steps", type=STEPS, help="Training steps of the denoiser.")
@click.option("--channels", type=_Channels(), help="Channels of the denoiser's levels. [default: 32,64,96,128]")
@click.option("--batch", type=BATCH, help="Crops per step of the autoencoder. [default: 4]")
@click.option("--crop", type=click.IntRange(16, 2**16), help="Side of the autoencoder's crops in pixels. [default: 64]")
@click.option("--denoiser-batch", type=BATCH, help="Crops per step of the denoiser. [default: 4]")
@click.option(
    "--denoiser-crop", type=click.IntRange(16, 2**16), help="Side of the denoiser's crops in pixels. [default: 96]"
)
@click.option(
    "--learning-rate",
    type=LEARNING_RATE,
    help="Peak learning rate of the autoencoder. [default: 0.0005]",
)
@click.option("--denoiser-learning-rate", type=LEARNING_RATE, help="The same of the denoiser. [default: 0.0005]")
@click.option(
    "--precision",
    type=Precision(),
    help="Precision of the denoiser's forward passes. [default: fp32]",
)
@click.option("--cuda-graphs", is_flag=True, help="Record a step as a CUDA graph and replay it; needs --device cuda.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of weights and crops.")
@device_option
@click.option("--resume", is_flag=True, help="Continue from the checkpoints in --work.")
@dry_run_option
@json_option
def pretrain(
    photos: tuple[str, ...],
    output: Path,
    work: Path,
    autoencoder_minutes: float | None,
    denoiser_minutes: float | None,
    autoencoder_steps: int | None,
    denoiser_steps: int | None,
    seed: int,
    device: str,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train a small latent diffusion prior on clean PHOTOS, in the same way as the embedded prior.

    Writes a diffusers folder: vae/, unet/, scheduler/ and a prompt bank.
    """
    from metalens.formats.files.claim import check_claim
    from metalens.restore.pretraining.pretrain import pretrain as pretrain_prior
    from metalens.restore.training.optimisation import Budget
    from metalens.synth.photograph_sources import photographs_of

    budgets = (
        Budget(steps=autoencoder_steps, minutes=autoencoder_minutes),
        Budget(steps=denoiser_steps, minutes=denoiser_minutes),
    )
    for folder in (output, work):
        require_outside(folder, photos)
    require_new_directory(output)
    check_claim(work, "config.json", resume=resume)
    require_apart(output, work)
    config = _config({"seed": seed, **recipe}, device)
    found = photographs_of(photos, as_light=False)
    if dry_run:
        from metalens.workflows.restorer_estimates import pretraining_estimate

        check_claim(work, "config.json", resume=resume, asked=asdict(config))
        expected = pretraining_estimate([each.path for each in found], config, budgets, device)
        text = f"would train a prior on {counted(len(found), 'photograph')} into {output}, with checkpoints in {work}"
        answer_plan({"output": str(output), "work": str(work), "photographs": len(found)}, expected, as_json, text)
        return
    with share_progress("pretrain") as tell:
        figures = pretrain_prior(
            [each.path for each in found],
            output,
            work,
            config=config,
            autoencoder_budget=budgets[0],
            denoiser_budget=budgets[1],
            device=device,
            resume=resume,
            report=lambda stage, share, latest: tell(share, {f"{stage[:4]}_{k}": v for k, v in latest.items()}),
        )
    answer({"output": str(output), **figures}, as_json, f"{output}: prior from {counted(len(found), 'photograph')}")


def _config(recipe: dict[str, Any], device: str) -> PretrainConfig:
    """The recipe, with defaults for options that are not given."""
    from metalens.restore.pretraining.recipe import PretrainConfig

    if recipe["cuda_graphs"] and not device.startswith("cuda"):
        raise InputError(f"--cuda-graphs needs --device cuda, found --device {device}.")
    return PretrainConfig(**{_KEYS.get(name, name): value for name, value in recipe.items() if value is not None})
