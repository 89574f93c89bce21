"""``metalens synth``: pairs of clean and captured pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_duplicates, tell_skipped
from metalens.commands.bank import given_banks
from metalens.commands.ensemble import ensemble_banks
from metalens.commands.options import (
    PAIRS,
    PATH,
    SEED,
    SHARD_SIZE,
    SIDE,
    Number,
    backend_options,
    backend_settings,
    check_each_once,
    dry_run_option,
    json_option,
    numbers,
    output_option,
    renamed_option,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metalens.formats.pairs.manifest import SkippedSource
    from metalens.synth.generate import PairsReport
    from metalens.synth.photographs import Photograph


class _Pixels(click.ParamType):
    """``256`` or ``256x384``: rows and columns."""

    name = "pixels"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        rows, _, columns = str(value).lower().partition("x")
        sides = numbers(f"{rows},{columns or rows}", SIDE, count=2)
        if sides is None:
            self.fail(
                f"{value!r} is no number of pixels, 1 to 65536; write 256, or 256x384 for rows and columns.", param, ctx
            )
        return sides[0], sides[1]


class _Range(click.ParamType):
    """``0.3,1``: two numbers, or one number for both."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        low, _, high = str(value).partition(",")
        ends = numbers(f"{low},{high or low}", Number(0, 1, min_open=True), count=2)
        if ends is None or ends[0] > ends[1]:
            self.fail(f"{value!r} is no range above 0 and at most 1; write 0.3,1.", param, ctx)
        return ends[0], ends[1]


@click.command(short_help="pairs of clean and captured pictures")
@click.argument("photos", nargs=-1)
@output_option("The folder of pairs to make.")
@click.option(
    "--psf", "psf_paths", type=PATH, multiple=True, help="The camera: its psf.h5, a preset or a lens.toml; repeatable."
)
@click.option("--psf-ensemble", type=PATH, help="An ensemble of metalens tolerance; each pair uses one of its lenses.")
@renamed_option("--crops", "--crop")
@click.option("--crop", "crops", type=_Pixels(), help="Side or ROWSxCOLUMNS of the pairs. [default: the whole sensor]")
@click.option(
    "--count", type=PAIRS, help="Total number of pairs, shared over the photographs. [default: one per photograph]"
)
@click.option("--whole", is_flag=True, help="Take the largest centred part of each photograph, resized to the sensor.")
@click.option("--exposure", type=_Range(), default="1", help="Range of exposure factors, MIN,MAX. [default: 1,1]")
@click.option("--no-mirror", is_flag=True, help="Do not mirror photographs.")
@click.option("--no-turn", is_flag=True, help="Do not rotate photographs by 90°.")
@click.option(
    "--validation",
    type=Number(0, 1, max_open=True),
    default=0.05,
    show_default=True,
    help="Fraction of photographs and pairs for validation; one is the least.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of crops and noise.")
@click.option("--shard-size", type=SHARD_SIZE, help="Pairs per file. [default: 64, or fewer if they are large]")
@backend_options
@click.option("--strict", is_flag=True, help="Stop at an unreadable photograph instead of skipping it.")
@resume_option
@dry_run_option
@json_option
def synth(
    photos: tuple[str, ...],
    output: Path,
    psf_paths: tuple[Path, ...],
    psf_ensemble: Path | None,
    crops: tuple[int, int] | None,
    count: int | None,
    whole: bool,
    exposure: tuple[float, float],
    no_mirror: bool,
    no_turn: bool,
    validation: float,
    seed: int,
    shard_size: int | None,
    backend_name: str,
    workers: int,
    slurm_options: tuple[str, ...],
    strict: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Simulate captures of clean PHOTOS by a camera: pairs of clean and captured pictures.

    PHOTOS are files or folders, or 'embedded:train' (the default) and 'embedded:held-out', the photographs that come
    with the installed packages, or 'embedded:coffee', one of them, or hf:user/name, a dataset of pictures on the model
    hub, which are pulled one by one.
    The simulation has field-dependent blur, Bayer mosaic, shot and read noise, quantisation and demosaicing. The result
    depends on photographs, cameras, settings and seed, not on backend or workers.
    """
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.formats.psf.bank_file import as_bank
    from metalens.synth.photograph_sources import photographs_of

    check_each_once("--psf", psf_paths)
    ensemble, design_hash = ensemble_banks(psf_ensemble) if psf_ensemble is not None else ([], "")
    banks = [*given_banks(psf_paths, dry_run=dry_run), *ensemble]
    if not banks:
        raise click.UsageError("no camera was named; give --psf and its psf.h5 or a preset, or --psf-ensemble.")
    first = as_bank(banks[0])
    found = photographs_of(photos or ("embedded:train",), streaming=True)
    from metalens.formats.pairs.manifest import MANIFEST
    from metalens.synth.generate import (
        Execution,
        PairsOptions,
        PairsSettings,
        check_resumption,
        checked_cameras,
        generate_pairs,
    )

    settings = PairsSettings(
        cropping="centre" if whole else "random",
        mirror=not no_mirror,
        turn=not no_turn,
        exposure=exposure,
        validation=validation,
    )
    options = PairsOptions(count, crops, seed, settings, design_hash, shard_size)
    backend = backend_settings(backend_name, workers, slurm_options)
    require_outside(output, photos)
    check_claim(output, MANIFEST, resume=resume)
    if dry_run:
        with closing(backend.open(output, {})):
            pass
        _, pixels = checked_cameras(banks, options)
        if resume:
            check_resumption(found, banks, output, options)
        usable, skipped = _survey(found, pixels, validation=validation, strict=strict)
        able = len(found) - len(skipped)
        total = count or able
        plan: dict[str, Any] = {"photographs": able, "count": total, "camera": first.camera.name}
        plan |= {"cameras": len(banks), "pixels": list(pixels), "output": str(output)}
        plan |= {"skipped": [{"name": each.name, "reason": each.reason} for each in skipped]}
        photographs = counted(able, "photograph")
        text = f"would make {counted(total, 'pair')} of {pixels[0]} × {pixels[1]} pixels of {photographs} in {output}"
        from metalens.workflows.simulation_estimates import pairs_estimate, with_simulations

        expected = pairs_estimate(usable, banks, options, count=total, workers=backend.workers)
        answer_plan(plan, with_simulations(expected, banks), as_json, text)
        return
    with count_progress("photographs", "photograph") as look, count_progress("pairs", "pair") as tell:
        execution = Execution(backend, strict=strict, progress=tell, look=look)
        report = generate_pairs(found, banks, output, options, resume=resume, execution=execution)
    _report(report, output, settings.validation, as_json)


def _survey(
    found: list[Photograph], pixels: tuple[int, int], *, validation: float, strict: bool
) -> tuple[list[Photograph], Sequence[SkippedSource]]:
    """Inspect all photographs that are on this machine, as the run would; of a hub's dataset the first at least."""
    from metalens.synth.dataset.photograph_survey import inspect_photographs, take_stock

    here = [each for each in found if each.path.is_file()] or found[:1]
    entries = []
    with count_progress("photographs", "photograph") as look:
        for number, each in enumerate(here, start=1):
            entries += inspect_photographs({"paths": [str(each.path)], "pixels": list(pixels)})
            look(number, len(here))
    paths, sources, skipped = take_stock(here, entries, validation=validation, strict=strict)
    tell_skipped(skipped)
    tell_duplicates(sources)
    return [each for each in here if each.path in paths], skipped


def _report(report: PairsReport, output: Path, validation: float, as_json: bool) -> None:
    from metalens.formats.pairs.manifest import read_manifest
    from metalens.synth.dataset.settings import pairs_of_sources

    manifest = read_manifest(output)
    twice = tell_duplicates(manifest.sources)
    held = [number for number, source in enumerate(manifest.sources) if source.split == "validation"]
    validate = int(pairs_of_sources(manifest)[held].sum())
    tell_skipped(report.skipped)
    tell_skipped(report.lost, "lost")
    skipped, lost = (
        [{"name": each.name, "reason": each.reason} for each in entries] for entries in (report.skipped, report.lost)
    )
    figures = {
        "output": str(output),
        "count": report.count,
        "made": report.made,
        "skipped": skipped,
        "lost": lost,
        "train": report.count - validate,
        "validation": validate,
        "twice": twice,
        "seconds": {stage: round(spent, 3) for stage, spent in report.seconds.items()},
    }
    text = (
        f"{output}: {counted(report.count, 'pair')} ({report.made} made now, {len(skipped)} skipped, {len(lost)} lost)"
        f"; {counted(validate, 'pair')}, of {counted(len(held), 'photograph')}, for validation"
    )
    if validate > 2 * validation * report.count:
        text += f", more than the {validation:.0%} that were asked for: one pair of each is the least"
    answer(figures, as_json, text)
