"""``metalens train``: an adapter, the restorer of one camera."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer
from metalens.commands.options import PATH, bank_option, device_option, json_option, output_option
from metalens.commands.progress import share_progress


@click.command(short_help="the restorer of one camera")
@click.argument("pairs", nargs=-1, required=True, type=PATH)
@output_option("The adapter's folder.")
@bank_option("The psf.h5 the pairs were made with.")
@click.option("--prior", default="embedded", show_default=True, help="A diffusers folder or hub id.")
@click.option("--pseudo", multiple=True, type=PATH, help="A folder of pseudo pairs to mix in; repeatable.")
@click.option("--init", "initial", help="An adapter to start from, of any lens ('metacamera' is embedded).")
@click.option("--steps", type=int, help="How many steps; or --minutes, or whichever comes first.")
@click.option("--minutes", type=float, help="How long.")
@click.option("--batch", default=4, show_default=True, help="Crops a step.")
@click.option("--crop", default=96, show_default=True, help="Side of a crop in pixels.")
@click.option("--learning-rate", default=5e-4, show_default=True, help="At its peak.")
@click.option(
    "--q",
    "form",
    type=click.Choice(["local", "global"]),
    default="local",
    show_default=True,
    help="One Q for each place in the picture, or one a picture (as published).",
)
@click.option(
    "--quality",
    type=click.Choice(["auto", "piqe", "musiq"]),
    default="auto",
    show_default=True,
    help="The no-reference quality metric.",
)
@click.option("--seed", default=0, show_default=True, help="Of crops, paths and initial weights.")
@device_option
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the output folder.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be trained.")
@json_option
def train(
    pairs: tuple[Path, ...],
    output: Path,
    psf_path: Path,
    prior: str,
    pseudo: tuple[Path, ...],
    initial: str | None,
    steps: int | None,
    minutes: float | None,
    batch: int,
    crop: int,
    learning_rate: float,
    form: str,
    quality: str,
    seed: int,
    device: str,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the restorer for one camera on PAIRS that metalens synth made.

    LoRA with A·Q·B on the prior, Q from the FWHM map and a quality map; positive, neutral and negative paths.
    """
    from metalens.formats.pairs import read_pairs, require_same_camera
    from metalens.formats.psf_bank import read_psf_bank

    bank = read_psf_bank(psf_path)
    opened = [read_pairs(folder) for folder in pairs]
    opened_pseudo = [read_pairs(folder) for folder in pseudo]
    for each in (*opened, *opened_pseudo):
        require_same_camera(each, bank)
    total = sum(len(each) for each in opened)
    if dry_run:
        plan = {"pairs": total, "pseudo": sum(map(len, opened_pseudo)), "camera": bank.camera.name}
        answer(plan, as_json, f"would train on {total} pairs of {bank.camera.name} into {output}")
        return
    from metalens.restore.optimisation import Budget

    # A missing budget is refused before the packages are imported that take longest.
    budget = Budget(steps=steps, minutes=minutes)

    import torch

    from metalens.restore.prior import load_prior
    from metalens.restore.restorer import AdapterConfig
    from metalens.restore.train import TrainConfig
    from metalens.restore.train import train as train_adapter

    torch.manual_seed(seed)
    config = TrainConfig(
        adapter=AdapterConfig(form=form),  # type: ignore[arg-type]
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        seed=seed,
    )
    with share_progress("train") as tell:
        summary = train_adapter(
            opened,
            output,
            bank=bank,
            prior=load_prior(prior),
            quality_metric=quality,
            budget=budget,
            config=config,
            pseudo=opened_pseudo,
            initial=initial,
            device=device,
            resume=resume,
            report=tell,
        )
    before, after = summary["validation_before"]["positive"], summary["validation_after"]["positive"]
    text = (
        f"{output}: {summary['steps']} steps; validation loss of the positive path {before['loss']:.4f} → "
        f"{after['loss']:.4f}, PSNR {before['psnr']:.2f} → {after['psnr']:.2f} dB"
    )
    answer({"output": str(output), **summary}, as_json, text)
