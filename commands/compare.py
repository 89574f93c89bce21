"""``metalens compare``: lenses compared by their restored photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted, tell_line
from metalens.commands.options import (
    LENSES,
    STEPS,
    WAVELENGTHS,
    Number,
    device_option,
    dry_run_option,
    json_option,
    output_option,
    parse_grid,
    photograph_options,
    recipe_options,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress

if TYPE_CHECKING:
    from metalens.workflows.compare.stages import LensWork

DEFAULT_MINUTES = 5.0


@click.command(short_help="lenses side by side, by their restored photographs")
@click.argument("lenses", nargs=-1, required=True, metavar="LENS...")
@output_option("The comparison's folder.")
@photograph_options(
    training="Photographs for training pairs. [default: embedded:train]",
    test="Photographs that are captured and restored. [default: a quarter of --photos, 8 at most]",
    count=200,
)
@click.option(
    "--minutes",
    type=Number(0, 10**7),
    help=f"Training time of each restorer; 0 for baselines alone. [default: {DEFAULT_MINUTES:g} without --steps]",
)
@click.option("--steps", type=STEPS, help="Training steps; with both limits, the first one reached.")
@click.option(
    "--init", "initial", default="metacamera", show_default=True, help="Adapter from which every restorer starts."
)
@click.option("--prior", default="embedded", show_default=True, help="The adapter's prior.")
@recipe_options
@click.option("--fields", default="7x7", show_default=True, callback=parse_grid, help="Field nodes, ROWSxCOLUMNS.")
@click.option(
    "--wavelengths", type=WAVELENGTHS, help="Wavelengths per colour channel. [default: those of each lens file]"
)
@click.option("--draws", type=LENSES, help="Also draw this many lenses with typical errors, by metalens tolerance.")
@click.option(
    "--exposure",
    type=click.Choice(["white", "time"]),
    default="white",
    show_default=True,
    help="white: equal electrons of a white scene; time: equal exposure times, relative to the first lens.",
)
@device_option
@resume_option
@dry_run_option
@json_option
def compare(
    lenses: tuple[str, ...],
    output: Path,
    photos: tuple[str, ...],
    test_photos: tuple[str, ...],
    minutes: float | None,
    steps: int | None,
    draws: int | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    **terms: Any,
) -> None:
    """Compare lenses by the quality of their restored photographs.

    LENS is the name of a preset, a lens.toml, or the output of metalens design; all need the same sensor. For each
    lens, point spread functions, training pairs, captures and baselines are computed, and a restorer is adapted from
    --init. compare.html, compare.md and compare.json have PSNR, SSIM and ST-LPIPS by zone, MTF50, light, size, time.

    If one lens fails, the others continue. With --resume, lenses, photographs and options may change; results that
    do not depend on a change are kept.
    """
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.files.claim import check_claim
    from metalens.workflows.compare.estimate import estimate
    from metalens.workflows.compare.run import checked_request, compare_lenses, works_of
    from metalens.workflows.compare.terms import NOTE, ComparisonTerms

    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    asked = ComparisonTerms(minutes=minutes, steps=steps, draws=draws or 0, **terms)
    require_outside(output, [*photos, *test_photos])
    check_claim(output, NOTE, resume=resume)
    found, photographs = checked_request(lenses, photos, test_photos, asked)
    for name, why in photographs.left_out.items():
        tell_line(f"left out {name}: {why}")
    if dry_run:
        works = works_of(output, found, photographs, asked)
        expected = estimate(works)
        from metalens.runners.processes import peak_memory
        from metalens.workflows.estimate import Estimate
        from metalens.workflows.machine_speed import pace_told

        cost = Estimate(expected["bytes"], expected["seconds"], max(peak_memory(), 2e9), pace_told())
        answer_plan({"output": str(output), **expected}, cost, as_json, _plan(works, expected))
        return
    with share_progress("compare") as tell:
        summary = compare_lenses(output, found, photographs, asked, resume=resume, report=tell)
    failed = {lens["name"]: lens["failures"] for lens in summary["lenses"] if lens["failures"]}
    for name, failures in failed.items():
        for step, why in failures.items():
            tell_line(f"{name}, {step}: {why}")
    from metalens.workflows.compare.page import PAGE, TABLE

    text = f"{output}: {len(found) - len(failed)} of {len(found)} lenses compared in full"
    answer(
        {"output": str(output), "page": str(output / PAGE), "failed": failed, "lenses": summary["lenses"]},
        as_json,
        f"{text}; {output / PAGE} and {output / TABLE} compare them",
    )


def _plan(works: list[LensWork], expected: dict[str, Any]) -> list[str]:
    """The steps that are still to be done, their time and their size."""
    tests, training = len(works[0].photographs.test), len(works[0].photographs.training)
    lenses, photographs = counted(len(works), "lens", "lenses"), counted(tests, "test photograph")
    lines = [
        f"would compare {lenses} on {photographs}, with {training} for training: about "
        f"{expected['seconds'] / 60:.0f} minutes and {expected['bytes'] / 1e6:.0f} MB"
    ]
    for name, steps in expected["lenses"].items():
        told = ", ".join(f"{step} {'done' if not seconds else f'{seconds:.0f} s'}" for step, seconds in steps.items())
        lines.append(f"  {name}: {told}")
    return lines
