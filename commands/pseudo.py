"""``metalens pseudo``: more pairs, by the adapter's negative path."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer, counted, tell_skipped
from metalens.commands.bank import given_bank
from metalens.commands.options import (
    PAIRS,
    PATH,
    SEED,
    dry_run_option,
    json_option,
    output_option,
    restorer_options,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress


@click.command(short_help="more pairs: clean pictures degraded by the adapter")
@click.argument("photos", nargs=-1)
@output_option("The folder of pseudo pairs to make.")
@restorer_options()
@click.option(
    "--psf", "psf_path", type=PATH, help="Another lens of the adapter: psf.h5, preset, lens.toml. [default: its own]"
)
@click.option("--count", type=PAIRS, help="Total number of pairs. [default: one per photograph]")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the crops.")
@resume_option
@dry_run_option
@json_option
def pseudo(
    photos: tuple[str, ...],
    output: Path,
    adapter: str,
    prior: str | None,
    psf_path: Path | None,
    count: int | None,
    seed: int,
    device: str,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Generate pseudo pairs from clean PHOTOS with the adapter's negative path.

    They have the format of metalens synth and can be mixed into training: metalens train … --pseudo OUTPUT. For an
    adapter that was trained on several lenses, --psf selects the lens.
    """
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.formats.pairs.manifest import MANIFEST, read_manifest
    from metalens.formats.pairs.writer import require_same_pairs
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.restore.adapter.adapter_file import load_restorer
    from metalens.restore.adapter.lens_transfer import use_for_lens
    from metalens.restore.inference.pseudo import make_pseudo_pairs, plan_pseudo_pairs
    from metalens.synth.photograph_sources import photographs_of

    require_outside(output, photos)
    check_claim(output, MANIFEST, resume=resume)
    found = photographs_of(photos or ("embedded:train",), as_light=False)
    restorer = load_restorer(adapter, prior=prior).to(device)
    if psf_path is not None:
        use_for_lens(restorer, read_psf_bank(given_bank(psf_path)))
    plan = plan_pseudo_pairs(restorer, [each.path for each in found], count=count, seed=seed)
    manifest = plan.manifest
    tell_skipped(manifest.skipped)
    figures = {"output": str(output), "count": manifest.count, "skipped": len(manifest.skipped)}
    if dry_run:
        from metalens.workflows.restorer_estimates import pseudo_estimate

        if (output / MANIFEST).is_file():
            require_same_pairs(read_manifest(output), manifest, output)
        text = f"would make {counted(manifest.count, 'pseudo pair')} for {manifest.camera_names} in {output}"
        answer_plan(figures, pseudo_estimate(restorer, plan), as_json, text)
        return
    with count_progress("pseudo pairs", "pair") as tell:
        make_pseudo_pairs(restorer, plan, output, resume=resume, report=tell)
    answer(figures, as_json, f"{output}: {counted(manifest.count, 'pseudo pair')} for {manifest.camera_names}")
