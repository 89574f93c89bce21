"""``metalens train``: an adapter, the restorer of one camera."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_line, tell_shared
from metalens.commands.bank import given_banks
from metalens.commands.ensemble import ensemble_banks
from metalens.commands.options import (
    BATCH,
    LEARNING_RATE,
    MINUTES,
    PATH,
    RANK,
    SEED,
    SHARE,
    SIDE,
    STEPS,
    WEIGHT,
    Number,
    Precision,
    check_each_once,
    device_option,
    dry_run_option,
    json_option,
    numbers,
    output_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress
from metalens.formats.files.atomic import require_new_directory, require_outside

if TYPE_CHECKING:
    from metalens.formats.psf.bank import PsfBank
    from metalens.restore.training.train import TrainingData
    from metalens.workflows.estimate import Estimate


SETTINGS = "settings.json"
"""In the folder of a training until it has finished: ``metalens.restore.training.folder``, which imports torch."""


class _Paths(click.ParamType):
    """``0.7,0.2,0.1``: how often each path is taken."""

    name = "p,n,m"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        shares = numbers(value, SHARE, count=3)
        if shares is None:
            self.fail(
                f"{value!r} is not three numbers such as 0.7,0.2,0.1 (positive, neutral, negative), each 0 to 1.",
                param,
                ctx,
            )
        return shares


# Defaults are in restore/training/config.py; a recipe may change them, and options override both.
_RECIPE = (
    click.option("--batch", type=BATCH, help="Crops per batch, in each process. [default: 4]"),
    click.option("--accumulate", type=BATCH, help="Batches per step. [default: 1]"),
    click.option("--crop", type=SIDE, help="Side of a crop in pixels; 256 for SD-Turbo. [default: 96]"),
    click.option("--precision", type=Precision(), help="Precision of forward passes. [default: fp32]"),
    click.option("--gradient-checkpointing", is_flag=True, default=None, help="Less memory, a third more time."),
    click.option("--cuda-graphs", is_flag=True, default=None, help="Record a step as a CUDA graph and replay it."),
    click.option(
        "--learning-rate", type=LEARNING_RATE, help="Peak learning rate; 2e-5 for large priors. [default: 0.0005]"
    ),
    click.option("--q-rate", type=WEIGHT, help="Learning rate of Q as a multiple of --learning-rate. [default: 1]"),
    click.option(
        "--warm-up", type=click.IntRange(0, 10**9), help="Warm-up steps before the cosine decay. [default: 20]"
    ),
    click.option("--clip", type=WEIGHT, help="Gradient clipping: largest norm. [default: 1]"),
    click.option("--ema", type=SHARE, help="Decay of the exported moving average. [default: 0.99]"),
    click.option("--l2-weight", type=WEIGHT, help="Weight of the squared error; with LPIPS 2. [default: 40]"),
    click.option(
        "--perceptual-weight", type=WEIGHT, help="Weight of the perceptual distance; with LPIPS 5. [default: 1]"
    ),
    click.option(
        "--perceptual",
        type=click.Choice(["auto", "lpips", "st-lpips", "efficientnet"]),
        help="Perceptual distance. auto: LPIPS if its weights are on this machine, else its shift-tolerant form.",
    ),
    click.option(
        "--adversarial-weight",
        type=WEIGHT,
        help="Weight of the adversarial loss of the positive path; 0: no discriminator. [default: 0]",
    ),
    click.option(
        "--paths",
        type=_Paths(),
        help="Probabilities of the positive, neutral and negative path. [default: 0.7,0.2,0.1]",
    ),
    click.option("--pseudo-share", type=SHARE, help="Fraction of steps on pseudo pairs. [default: 0.3]"),
    click.option(
        "--pseudo-noise",
        type=Number(0, 255),
        help="Largest standard deviation of extra noise on pseudo captures, in 1/255. [default: 8]",
    ),
    click.option("--pseudo-noise-probability", type=SHARE, help="Probability of that noise. [default: 0.6]"),
    click.option("--unet-rank", type=RANK, help="LoRA rank in the U-Net. [default: 16]"),
    click.option("--encoder-rank", type=RANK, help="LoRA rank in the encoder. [default: 8]"),
    click.option(
        "--q",
        type=click.Choice(["local", "global", "mean", "plain"]),
        help="Q varies over the picture, is one per picture (as published), is the mean of the local Q, or is absent. "
        "[default: local]",
    ),
    click.option(
        "--conditioning",
        type=click.Choice(["published", "optics"]),
        help="What the networks know of the lens: its FWHM, or also its contrast and linear restorations. "
        "[default: published]",
    ),
    click.option(
        "--tuning",
        type=click.Choice(["lora", "full"]),
        help="LoRA with Q, or all weights of the prior without Q. [default: lora]",
    ),
    click.option(
        "--neutral",
        type=click.Choice(["smooth", "fidelity"]),
        help="Target of the neutral path: a low-pass of the clean picture, or that picture by L1. [default: smooth]",
    ),
    click.option(
        "--path-embedding",
        is_flag=True,
        default=None,
        help="Embed the path in every block of the U-Net, for priors with little cross-attention.",
    ),
    click.option(
        "--only",
        type=click.Choice(["all", "q", "consistency"]),
        help="Train only the network of Q, or only the trust of data consistency; the rest stays. [default: all]",
    ),
    click.option(
        "--consistency",
        type=click.Choice(["none", "trained"]),
        help="Train a block of data consistency behind the decoder, or that of --init further; it needs --conditioning "
        "optics. none leaves that of --init out. [default: none]",
    ),
    click.option("--edge-weight", type=Number(1, 100), help="Relative frequency of crops at the edge. [default: 1]"),
    click.option("--fwhm/--no-fwhm", default=None, help="Whether Q depends on the FWHM map; by default it does."),
    click.option("--checkpoint-every", type=STEPS, help="Steps between checkpoints. [default: 100]"),
    click.option("--validate-every", type=STEPS, help="Steps between validations. [default: 500]"),
    click.option(
        "--judge",
        type=click.Choice(["vgg", "alex"]),
        help="Network of the perceptual metric in validation. [default: vgg]",
    ),
    click.option("--workers", type=click.IntRange(0, 1024), help="Processes that prefetch crops. [default: 0]"),
    click.option("--seed", type=SEED, help="Seed of crops, paths and initial weights. [default: 0]"),
)
_PATHS = ("positive", "neutral", "negative")
_OF_LORA = ("unet_rank", "encoder_rank", "q", "q_rate")
_KEYS = {
    "ema": "training.ema_decay",
    "unet_rank": "adapter.unet_rank",
    "encoder_rank": "adapter.encoder_rank",
    "q": "adapter.form",
    "fwhm": "adapter.fwhm",
    "conditioning": "adapter.conditioning",
    "tuning": "adapter.tuning",
    "path_embedding": "adapter.path_embedding",
    "consistency": "adapter.consistency",
}


def _recipe_options(function: Any) -> Any:
    for option in reversed(_RECIPE):
        function = option(function)
    return function


@click.command(short_help="the restorer of one camera")
@click.argument("pairs", nargs=-1, type=PATH)
@output_option("The adapter's folder.")
@click.option(
    "--psf",
    "psf_paths",
    multiple=True,
    type=PATH,
    help="psf.h5, preset or lens.toml of the adapter's camera, then of other lenses. Omit it for an unknown lens.",
)
@click.option("--psf-ensemble", type=PATH, help="The ensemble of metalens tolerance with which pairs were made.")
@click.option("--prior", default="embedded", show_default=True, help="A diffusers folder or hub id.")
@click.option("--pseudo", multiple=True, type=PATH, help="A folder of pseudo pairs to mix in; repeatable.")
@click.option("--init", "initial", help="An adapter to start from, of any lens ('metacamera' is embedded).")
@click.option(
    "--steps", type=click.IntRange(0, 10**9), help="Training steps; with --minutes too, the first limit reached."
)
@click.option("--minutes", type=MINUTES, help="Training time.")
@click.option("--config", "recipe", type=PATH, help="A recipe in TOML; options override it.")
@_recipe_options
@click.option(
    "--quality",
    type=click.Choice(["auto", "piqe", "musiq"]),
    default="auto",
    show_default=True,
    help="The no-reference quality metric.",
)
@device_option
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in the output folder.")
@dry_run_option
@json_option
def train(
    pairs: tuple[Path, ...],
    output: Path,
    psf_paths: tuple[Path, ...],
    psf_ensemble: Path | None,
    prior: str,
    pseudo: tuple[Path, ...],
    initial: str | None,
    steps: int | None,
    minutes: float | None,
    recipe: Path | None,
    quality: str,
    device: str,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train the restorer for one camera on PAIRS that metalens synth or align made.

    The adapter is LoRA with a matrix Q between A and B; Q follows from the FWHM map and a quality map. Each step trains
    one of three paths: positive, neutral or negative (docs/training.md). PAIRS of several lenses train one adapter for
    all of them; each lens needs its --psf. Pairs of an unknown lens, by metalens data import, need no --psf: Q then
    depends on the quality map alone.

    With --steps 0 and no PAIRS, the adapter of --init is written for a lens on which it was not trained. Several GPUs:
    accelerate launch -m metalens.cli train … --device cuda.
    """
    from metalens.formats.files.claim import check_claim
    from metalens.formats.psf.bank_file import as_bank

    ignored = [f"--{name.replace('_', '-')}" for name in _OF_LORA if options[name] is not None]
    if options["tuning"] == "full" and ignored:
        raise click.UsageError(f"{', '.join(ignored)}: of --tuning lora; leave out with --tuning full.")
    check_each_once("--psf", psf_paths)
    if not pairs and steps != 0:
        raise click.UsageError("Missing argument 'PAIRS...'.")
    if not psf_paths and (psf_ensemble is not None or not pairs):
        raise click.UsageError("give the psf.h5 of the adapter's camera with --psf.")
    require_outside(output, [*pairs, *pseudo])
    banks = given_banks(psf_paths, dry_run=dry_run)
    bank = as_bank(banks[0]) if banks else None
    if steps == 0 and not pairs:
        assert bank is not None
        _transfer(initial, bank, output, None if prior == "embedded" else prior, dry_run, as_json)
        return
    from metalens.formats.pairs.reader import read_pairs

    opened, opened_pseudo = ([read_pairs(folder) for folder in folders] for folders in (pairs, pseudo))
    others = [*banks[1:], *(ensemble_banks(psf_ensemble)[0] if psf_ensemble is not None else ())]
    if not resume:
        check_claim(output, SETTINGS, resume=False)
    from metalens.restore.training.optimisation import Budget

    # Check the options before importing the packages that take longest.
    budget = Budget(steps=steps, minutes=minutes)

    import torch

    from metalens.restore.adapter.lens_transfer import leaves_out_block
    from metalens.restore.training.folder import check_folder
    from metalens.restore.training.loop import check_recordable
    from metalens.restore.training.loss import PathLoss
    from metalens.restore.training.train import settings_of, untrained
    from metalens.restore.training.train import train as train_adapter
    from metalens.workflows.training import training_task

    check_folder(output, resume=resume)
    task = training_task(
        opened,
        [] if bank is None else [bank, *others],
        pseudo=opened_pseudo,
        prior=prior,
        quality=quality,
        initial=initial,
        recipe=recipe,
        changes=_changes(options),
    )
    sources = [source for each in opened for source in each.manifest.sources]
    tell_shared([source for source in sources if source.split == "validation"], sources)
    # Told when the training can begin: a refusal is one sentence.
    notes = []
    if leaves_out_block(initial, task.config.adapter):
        notes.append(
            f"{initial}: its block of data consistency is left out; --consistency trained keeps it, and trains it on."
        )
    if dry_run:
        restorer, lenses = untrained(task)
        settings = settings_of(task, restorer, lenses, PathLoss(task.config))
        check_folder(output, resume=resume, settings=settings)
        if task.config.cuda_graphs:
            check_recordable(torch.device(device))
        for note in notes:
            tell_line(note)
        from metalens.workflows.restorer_estimates import training_estimate
        from metalens.workflows.simulation_estimates import with_simulations

        expected = training_estimate(task, restorer, lenses, budget, device)
        _plan(task.data, output, as_json, with_simulations(expected, banks))
        return
    with share_progress("train") as tell:

        def report(share: float, figures: dict[str, float]) -> None:
            while notes:
                tell_line(notes.pop())
            tell(share, figures)

        summary = train_adapter(
            task,
            output,
            budget=budget,
            device=device,
            resume=resume,
            command=shlex.join(["metalens", *sys.argv[1:]]),
            report=report,
        )
    before, after = summary["validation_before"]["positive"], summary["validation_after"]["positive"]
    text = (
        f"{output}: {summary['steps']} steps; validation loss of the positive path {before['loss']:.4f} → "
        f"{after['loss']:.4f}, PSNR {before['psnr']:.2f} → {after['psnr']:.2f} dB"
    )
    answer({"output": str(output), **summary}, as_json, text)


def _plan(data: TrainingData, output: Path, as_json: bool, expected: Estimate) -> None:
    """Say what would be trained."""
    hashes = {camera.lens_hash for each in (*data.pairs, *data.pseudo) for camera in each.manifest.cameras}
    total = sum(map(len, data.pairs))
    camera = data.pairs[0].manifest.camera_names if data.bank is None else data.bank.camera.name
    lenses = counted(len(hashes), "lens", "lenses")
    plan = {"pairs": total, "pseudo": sum(map(len, data.pseudo)), "camera": camera, "lenses": len(hashes)}
    text = f"would train on {counted(total, 'pair')} of {lenses} for {camera} into {output}"
    answer_plan(plan, expected, as_json, text)


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    """The recipe's keys that options set."""
    shares = options.pop("paths") or (None, None, None)
    given = {_KEYS.get(name, f"training.{name}"): value for name, value in options.items()}
    return given | {f"paths.{path}": share for path, share in zip(_PATHS, shares, strict=True)}


def _transfer(
    initial: str | None, bank: PsfBank, output: Path, prior: str | None, dry_run: bool, as_json: bool
) -> None:
    """Write the adapter of other lenses for this lens."""
    from metalens.restore.adapter.lens_transfer import adapter_for, transfer_adapter

    if initial is None:
        raise click.UsageError("--steps 0 writes the adapter of --init for another lens; give --init.")
    require_new_directory(output)
    if dry_run:
        name = adapter_for(initial, bank, prior=prior).training["transferred_from"]["name"]
        plan = {"output": str(output), "camera": bank.camera.name, "transferred_from": name}
        answer(plan, as_json, f"would write the adapter of {name} for {bank.camera.name} into {output}")
        return
    training = transfer_adapter(initial, bank, output, prior=prior)
    origin = training["transferred_from"]["name"]
    text = f"{output}: the adapter of {origin} for {bank.camera.name}, which it was not trained on"
    answer({"output": str(output), "camera": bank.camera.name, **training}, as_json, text)
