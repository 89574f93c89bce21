"""``metalens synth``: pairs of clean and captured pictures."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer, tell_skipped
from metalens.commands.options import bank_option, json_option, output_option, resume_option
from metalens.commands.photographs import named_photographs
from metalens.commands.progress import count_progress


@click.command(short_help="pairs of clean and captured pictures")
@click.argument("photos", nargs=-1)
@output_option("The folder of pairs to make.")
@bank_option("The camera's psf.h5.")
@click.option("--count", type=int, help="Pairs in all; photographs take turns. [default: one a photograph]")
@click.option("--whole", is_flag=True, help="The centre of each photograph as it is, for a test set.")
@click.option("--seed", default=0, show_default=True, help="Of crops and noise.")
@click.option("--shard-size", default=64, show_default=True, help="Pairs a file.")
@click.option("--strict", is_flag=True, help="Fail on a photograph that cannot be read instead of skipping it.")
@resume_option
@click.option("--dry-run", is_flag=True, help="List what would be made.")
@json_option
def synth(
    photos: tuple[str, ...],
    output: Path,
    psf_path: Path,
    count: int | None,
    whole: bool,
    seed: int,
    shard_size: int,
    strict: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Photograph clean PHOTOS through a simulated camera: pairs of clean and captured pictures.

    PHOTOS are files or folders, or 'embedded:train' (the default) and 'embedded:held-out', the photographs that come
    with the installed packages. Shift-variant blur, Bayer mosaic, shot and read noise, quantisation, demosaic.
    """
    from metalens.formats.psf_bank import read_psf_bank

    bank = read_psf_bank(psf_path)
    found = named_photographs(photos or ("embedded:train",))
    if dry_run:
        plan = {"photographs": len(found), "count": count or len(found), "camera": bank.camera.name}
        answer(plan, as_json, f"would make {plan['count']} pairs of {len(found)} photographs in {output}")
        return
    from metalens.synth.generate import generate_pairs

    with count_progress("pairs", "pair") as tell:
        report = generate_pairs(
            found,
            bank,
            output,
            count=count,
            cropping="centre" if whole else "random",
            seed=seed,
            shard_size=shard_size,
            resume=resume,
            strict=strict,
            progress=tell,
        )
    tell_skipped(report.skipped)
    skipped = [{"name": each.name, "reason": each.reason} for each in report.skipped]
    figures = {"output": str(output), "count": report.count, "made": report.made, "skipped": skipped}
    answer(figures, as_json, f"{output}: {report.count} pairs ({report.made} made now, {len(skipped)} skipped)")
