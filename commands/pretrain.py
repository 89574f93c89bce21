"""``metalens pretrain``: a small latent diffusion prior."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import PATH, device_option, json_option, output_option
from metalens.commands.photographs import named_photographs
from metalens.commands.progress import share_progress


@click.command(short_help="a small prior of your own")
@click.argument("photos", nargs=-1, required=True)
@output_option("The prior's folder.")
@click.option("--work", type=PATH, required=True, help="Folder for checkpoints.")
@click.option("--autoencoder-minutes", type=float, help="How long the autoencoder trains.")
@click.option("--denoiser-minutes", type=float, help="How long the denoiser trains.")
@click.option("--autoencoder-steps", type=int, help="Or how many steps.")
@click.option("--denoiser-steps", type=int, help="Or how many steps.")
@click.option("--seed", default=0, show_default=True, help="Of weights and crops.")
@device_option
@click.option("--resume", is_flag=True, help="Go on from the checkpoints in --work.")
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
    as_json: bool,
) -> None:
    """Make a small latent diffusion prior from clean PHOTOS, as the embedded one was made.

    Writes a diffusers folder: vae/, unet/, scheduler/ and a prompt bank.
    """
    from metalens.restore.optimisation import Budget
    from metalens.restore.pretrain import PretrainConfig
    from metalens.restore.pretrain import pretrain as pretrain_prior

    budgets = (
        Budget(steps=autoencoder_steps, minutes=autoencoder_minutes),
        Budget(steps=denoiser_steps, minutes=denoiser_minutes),
    )
    found = named_photographs(photos)
    with share_progress("pretrain") as tell:
        figures = pretrain_prior(
            [each.path for each in found],
            output,
            work,
            config=PretrainConfig(seed=seed),
            autoencoder_budget=budgets[0],
            denoiser_budget=budgets[1],
            device=device,
            resume=resume,
            report=lambda stage, share, latest: tell(share, {f"{stage[:4]}_{k}": v for k, v in latest.items()}),
        )
    answer({"output": str(output), **figures}, as_json, f"{output}: prior from {len(found)} photographs")
