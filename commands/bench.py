"""``metalens bench``: every method on the same pairs, prior and budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.options import PATH, device_option, json_option, output_option, resume_option

if TYPE_CHECKING:
    from metalens.restore.bench.plan import Plan


@click.command(short_help="every restoration method side by side")
@output_option("The benchmark's folder.")
@click.option("--psf", "psf_path", type=PATH, help="The camera's psf.h5.")
@click.option("--pairs", type=PATH, help="Pairs to fit to.")
@click.option("--test", type=PATH, help="Pairs to judge on, of whole frames.")
@click.option("--prior", default="embedded", show_default=True, help="A diffusers folder or hub id.")
@click.option("--methods", help="Names, with commas between. [default: all]")
@click.option("--minutes-per-method", type=float, help="Of training, for each method and seed.")
@click.option("--steps-per-method", type=int, help="Or steps; or whichever comes first.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Trainings of each method.")
@click.option("--batch", type=int, default=4, show_default=True, help="Crops a step.")
@click.option("--crop", type=int, default=96, show_default=True, help="Their side in pixels.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Methods at a time.")
@device_option
@resume_option
@json_option
def bench(output: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Fit every restoration method to the same pairs and judge it on the same captures."""
    from metalens.restore.bench.run import run_methods

    plan = _plan(options)
    from tqdm import tqdm

    with tqdm(total=1.0, desc="bench", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}") as bar:

        def tell(share: float, text: str) -> None:
            bar.n = min(1.0, share)
            bar.set_postfix_str(text, refresh=False)
            bar.refresh()

        runs = run_methods(output, plan, resume=resume, report=tell)
    failed = {f"{run.method}, seed {run.seed}": run.failure() for run in runs if not run.finished}
    for name, why in failed.items():
        click.echo(f"failed {name}: {why}", err=True)
    answer({"output": str(output), "failed": failed}, as_json, f"{output}: {len(runs) - len(failed)} runs")


def _plan(options: dict[str, Any]) -> Plan:
    from metalens.formats.errors import InputError
    from metalens.formats.psf_bank import read_psf_bank
    from metalens.restore.bench.plan import Plan
    from metalens.restore.methods import METHODS

    methods = tuple((options["methods"] or ",".join(METHODS)).split(","))
    for name in methods:
        if name not in METHODS:
            raise InputError(f"--methods {name}: no such method; expected some of {', '.join(METHODS)}.")
    if options["minutes_per_method"] is None and options["steps_per_method"] is None:
        raise click.UsageError("give --minutes-per-method or --steps-per-method.")
    psf = options["psf_path"]
    if psf is None or options["pairs"] is None or options["test"] is None:
        raise click.UsageError("give --psf, --pairs and --test.")
    return Plan(
        pairs=str(options["pairs"].resolve()),
        test=str(options["test"].resolve()),
        psf=str(psf.resolve()),
        lens_hash=read_psf_bank(psf).camera.hash,
        prior=options["prior"],
        methods=methods,
        seeds=tuple(range(options["seeds"])),
        minutes=options["minutes_per_method"],
        steps=options["steps_per_method"],
        batch=options["batch"],
        crop=options["crop"],
        precision=options["precision"],
        device=options["device"],
        parallel=options["parallel"],
    )
