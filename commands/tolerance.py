"""``metalens tolerance``: Monte Carlo analysis of fabrication and assembly errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer, counted
from metalens.commands.options import (
    LENSES,
    PATH,
    SEED,
    WAVELENGTHS,
    WINDOW,
    WORKERS,
    dry_run_option,
    json_option,
    output_option,
    parse_grid,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.formats.design.tolerance_run import ToleranceRun


@click.command(short_help="Monte Carlo analysis of fabrication and assembly errors")
@click.argument("lens")
@output_option("The folder to make: report, pictures, JSON and CSV.")
@click.option("--spec", "spec_path", type=PATH, help="A tolerances.toml. [default: typical errors]")
@click.option("--draws", type=LENSES, default=200, show_default=True, help="Number of lenses to draw.")
@click.option("--ensemble", type=LENSES, help="Also simulate whole banks of this many drawn lenses, into ensemble/.")
@click.option("--fields", default="3x3", show_default=True, callback=parse_grid, help="Field points, ROWSxCOLUMNS.")
@click.option("--wavelengths", type=WAVELENGTHS, default=1, show_default=True, help="Wavelengths per colour channel.")
@click.option("--window", type=WINDOW, help="Side of each PSF in pixels, odd. [default: holds 95 % of the light]")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the draws.")
@click.option(
    "--workers",
    type=WORKERS,
    default=1,
    show_default=True,
    help="Parallel processes; the result does not depend on them.",
)
@resume_option
@dry_run_option
@json_option
def tolerance(
    lens: str,
    output: Path,
    spec_path: Path | None,
    draws: int,
    ensemble: int | None,
    fields: tuple[int, int],
    wavelengths: int,
    window: int | None,
    seed: int,
    workers: int,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Draw lenses with random errors around LENS, a lens.toml or the name of a preset, and evaluate them.

    Reports the distribution of every figure of merit, the errors that matter most, the yield, and the worst lens. With
    --ensemble, banks of drawn lenses are kept for training.
    """
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.design.tolerance_run import RUN
    from metalens.formats.design.tolerance_spec import read_tolerance_spec, typical_tolerances
    from metalens.formats.files.claim import check_claim
    from metalens.psf.tolerance.ensemble import check_count
    from metalens.psf.tolerance.evaluation import evaluation_of
    from metalens.psf.tolerance.monte_carlo import run_monte_carlo, tolerance_run_of
    from metalens.runners.local import check_workers

    check_claim(output, RUN, resume=resume)
    camera = read_camera(lens)
    spec = typical_tolerances(camera.lens) if spec_path is None else read_tolerance_spec(spec_path)
    run = tolerance_run_of(
        camera,
        spec,
        explicit=spec_path is not None,
        draws=draws,
        seed=seed,
        fields=fields,
        wavelengths_per_channel=wavelengths,
        window=window,
    )
    check_claim(output, RUN, resume=resume, asked=run.model_dump(mode="json", by_alias=True))
    check_workers(workers)
    if ensemble is not None:
        check_count(ensemble)
    evaluation_of(camera, fields=run.fields, wavelengths_per_channel=run.wavelengths_per_channel, window=run.window)
    if dry_run:
        from metalens.workflows.simulation_estimates import tolerance_estimate

        plan, text = _plan(camera, run, ensemble, output)
        answer_plan(plan, tolerance_estimate(camera, run, ensemble=ensemble, workers=workers), as_json, text)
        return
    with count_progress("lenses", "lens") as tell:
        found = run_monte_carlo(camera, run, output, workers=workers, resume=resume, progress=tell)
    from metalens.psf.tolerance.report import write_report

    summary = write_report(found, camera.name, output)
    told = {"output": str(output), "camera": camera.name, **{key: summary[key] for key in _TOLD}}
    if ensemble is not None:
        told["ensemble"] = _ensemble(camera, run, output, ensemble, workers, resume)
    answer(told, as_json, _text(output, summary, told.get("ensemble")))


_TOLD = ("lens_hash", "draws", "seed", "not_applied", "figures", "yield", "sensitivity", "worst_draw")


def _plan(camera: Camera, run: ToleranceRun, ensemble: int | None, output: Path) -> tuple[dict[str, Any], str]:
    applied = [name for name in run.spec.errors.terms if name not in run.not_applied]
    plan = {
        "camera": camera.name,
        "lens_hash": camera.hash,
        "errors": applied,
        "not_applied": run.not_applied,
        "draws": run.draws,
        "ensemble": ensemble,
        "output": str(output),
    }
    return plan, f"would draw {run.draws} lenses of {camera.name} with {', '.join(applied)} into {output}"


def _ensemble(
    camera: Camera, run: ToleranceRun, output: Path, count: int, workers: int, resume: bool
) -> dict[str, Any]:
    """Simulate the banks of the first draws."""
    from metalens.psf.tolerance.ensemble import simulate_ensemble

    folder = output / "ensemble"
    with count_progress("banks", "bank") as tell:
        made = simulate_ensemble(camera, run, folder, count=count, workers=workers, resume=resume, progress=tell)
    return {"folder": str(made.folder), "members": len(made), "digest": made.digest}


def _text(output: Path, summary: dict[str, Any], ensemble: dict[str, Any] | None) -> list[str]:
    """A summary: the main figure of merit, its largest error, and omitted errors."""
    from metalens.psf.tolerance.summary import draws_for

    strehl = summary["figures"]["strehl_ratio"]["worst_over_field_and_colour"]
    ranking = summary["sensitivity"]["strehl_ratio"]["worst_over_field_and_colour"]["ranking"]
    drawn = counted(summary["draws"], "lens", "lenses")
    text = f"{output}: the worst Strehl ratio over field and colour is {strehl['as_drawn']:.3g} without errors, "
    if strehl["quantile_50"] is None:
        text += f"{strehl['mean']:.3g} with those of {drawn}"
    else:
        text += f"{strehl['quantile_50']:.3g} the median of {drawn}"
    if strehl["quantile_5"] is None:
        text += f"; too few for a quantile of 5 %, which takes {draws_for(5)}"
    else:
        text += f", {strehl['quantile_5']:.3g} at 5 %"
    lines = [text]
    if ranking:
        lines.append(f"  what matters most to it: {', '.join(row['error'] for row in ranking[:3])}")
    lines += [f"  {share:.1%} of the lenses keep the limit of {name}" for name, share in summary["yield"].items()]
    lines += [f"  not applied: {name}: {reason}" for name, reason in summary["not_applied"].items()]
    if ensemble is not None:
        lines.append(f"  {ensemble['members']} banks in {ensemble['folder']}")
    return lines
