"""``metalens bench``: every restoration method on the same pairs, prior and budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from metalens.commands.answer import answer, counted, tell_line, tell_shared
from metalens.commands.bank import given_bank
from metalens.commands.options import (
    MINUTES,
    PATH,
    STEPS,
    WORKERS,
    device_option,
    dry_run_option,
    json_option,
    output_option,
    photograph_options,
    recipe_options,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import share_progress

if TYPE_CHECKING:
    from metalens.formats.camera.camera import Camera
    from metalens.restore.bench.plan import BenchPlan
    from metalens.workflows.restorer_estimates import BenchTerms

PHOTOS, TEST_PHOTOS = ("embedded:train",), ("embedded:held-out",)

_IN_PLAN = {
    "prior": "prior",
    "initial": "initial",
    "minutes_per_method": "minutes",
    "steps_per_method": "steps",
    "batch": "batch",
    "crop": "crop",
    "precision": "precision",
    "device": "device",
    "parallel": "parallel",
}


@click.command(short_help="every restoration method side by side")
@output_option("The benchmark's folder.")
@click.option("--lens", help="lens.toml or a preset to simulate; alternative to --psf.")
@photograph_options(
    training="Photographs for training pairs; alternative to --pairs. [default: embedded:train]",
    test="Photographs for test pairs; alternative to --test. [default: embedded:held-out]",
    count=400,
)
@click.option("--psf", type=PATH, help="The camera: its psf.h5, a preset or a lens.toml.")
@click.option("--pairs", type=PATH, help="Folder of training pairs.")
@click.option(
    "--test", type=PATH, multiple=True, help="Folder of test pairs, whole frames; each folder gets figures of its own."
)
@click.option("--chart", type=PATH, help="Folder of pairs with the edge chart. [default: simulated]")
@click.option("--no-chart", is_flag=True, help="Skip the edge chart and the resolution.")
@click.option("--prior", default="embedded", show_default=True, help="A diffusers folder or hub id.")
@click.option("--init", "initial", help="Adapter from which DMDiff starts. [default: none]")
@click.option(
    "--methods",
    help="Comma-separated names of wiener-whole, wiener-tiled, wiener-joint, richardson-lucy, two-step, nano-optics, "
    "swinir-small, swinir, psf-aware, osediff, s3diff, seesr-style, dmdiff-global, dmdiff-local. [default: all]",
)
@click.option(
    "--metrics",
    help="Comma-separated, as of metalens data score, and consistency and mtf50. [default: all]",
)
@click.option("--minutes-per-method", type=MINUTES, help="Training time of each method and seed.")
@click.option("--steps-per-method", type=STEPS, help="Training steps; with both limits, the first one reached.")
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=1, show_default=True, help="Number of trainings of each method."
)
@recipe_options
@click.option("--parallel", type=WORKERS, default=1, show_default=True, help="Simultaneous methods.")
@click.option(
    "--only",
    type=click.Choice(["restore", "figures"]),
    help="restore: restore, but compute no metrics; figures: only compute the metrics of restored pictures.",
)
@device_option
@resume_option
@dry_run_option
@json_option
@click.pass_context
def bench(
    context: click.Context,
    output: Path,
    only: str | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Fit every restoration method to the same pairs with the same budget, and evaluate them on the same captures.

    Each method runs in a process of its own; a failure does not stop the others. table.md, table.csv, bench.json and
    bench.html compare the results. docs/benchmark.md describes the methods.

    With --resume, options that are not given keep their values in the folder's benchmark.
    """
    from metalens.formats.files.atomic import require_outside
    from metalens.restore.bench.plan import PLAN, claim, read_plan

    folders = (options["pairs"], options["chart"], *options["test"])
    require_outside(output, [*options["photos"], *options["test_photos"], *folders])
    given = {name for name in options if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT}
    known = read_plan(output) if resume and (output / PLAN).is_file() else None
    if known is None and only == "figures":
        known = read_plan(output)
    _localise(options, dry_run=dry_run)
    if dry_run:
        terms = _terms(output, options, resume) if known is None else _known_terms(_changed(known, options, given))
        _tell_plan(output, terms, as_json)
        return
    plan = _plan(output, options, resume) if known is None else _changed(known, options, given)
    with claim(output, plan, resume=known is not None):
        if only != "figures":
            _restore(output, resume)
        if only != "restore":
            _judge(output, options["device"] if known is None or "device" in given else plan.device)
        _answer(output, as_json, reported=only != "restore")


def _restore(output: Path, resume: bool) -> None:
    from metalens.restore.bench.run import restore_with_all

    with share_progress("bench") as tell:
        runs = restore_with_all(output, resume=resume, report=tell)
    for run in runs:
        if not run.finished:
            tell_line(f"{run.method}, seed {run.seed}: {run.failure()}")


def _judge(output: Path, device: str) -> None:
    from metalens.restore.bench.run import judge_all

    with share_progress("figures") as tell:
        judge_all(output, device, report=tell)


def _answer(output: Path, as_json: bool, *, reported: bool) -> None:
    from metalens.restore.bench.folder import runs_of
    from metalens.restore.bench.plan import read_plan

    runs = runs_of(output, read_plan(output))
    finished = sum(run.finished for run in runs)
    failed = {f"{run.method}, seed {run.seed}": run.failure() for run in runs if not run.finished}
    figures: dict[str, Any] = {"output": str(output), "runs": len(runs), "finished": finished, "failed": failed}
    text = f"{output}: {finished} of {len(runs)} methods and seeds restored the test pictures"
    if reported:
        from metalens.restore.bench.report import PAGE, write_report

        summary = write_report(output)
        figures |= {"page": str(output / PAGE), "missing": summary["missing"], "aims": summary["aims"]}
        text += f"; {output / PAGE} and {output / 'table.md'} compare them"
    answer(figures, as_json, text)


def _plan(output: Path, options: dict[str, Any], resume: bool) -> BenchPlan:
    """The plan of a new benchmark; missing inputs are generated."""
    from metalens.formats.pairs.reader import read_pairs
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.restore.bench.inputs import check_inputs
    from metalens.restore.bench.plan import BenchPlan
    from metalens.workflows.bench_inputs import WantedInputs, make_inputs

    asked = _asked(output, options, resume)
    given = {key: options[key] for key in ("lens", "count", "psf", "pairs", "test", "chart", "no_chart")}
    inputs = make_inputs(output, WantedInputs(asked.photos, asked.test_photos, **given), tell_line)
    check_inputs(psf=inputs.psf, pairs=inputs.pairs, test=inputs.test, crop=options["crop"])
    judged = [source for each in inputs.test for source in read_pairs(each).manifest.sources]
    tell_shared(judged, read_pairs(inputs.pairs).manifest.sources)
    return BenchPlan(
        pairs=str(inputs.pairs.resolve()),
        test=tuple(str(each.resolve()) for each in inputs.test),
        psf=str(inputs.psf.resolve()),
        chart=None if inputs.chart is None else str(inputs.chart.resolve()),
        lens_hash=read_psf_bank(inputs.psf).camera.hash,
        methods=asked.methods,
        seeds=tuple(range(options["seeds"])),
        metrics=asked.metrics,
        **{key: options[name] for name, key in _IN_PLAN.items()},
    )


class _Asked(NamedTuple):
    """What a new benchmark was asked for, checked: photographs by source, and the number of those of the test."""

    camera: Camera
    methods: tuple[str, ...]
    metrics: tuple[str, ...] | None
    photos: tuple[str, ...]
    test_photos: tuple[str, ...]
    tests: int


def _asked(output: Path, options: dict[str, Any], resume: bool) -> _Asked:
    """Check what a new benchmark was asked for, before anything is generated."""
    from metalens.formats.camera.camera import read_camera
    from metalens.formats.files.atomic import require_new_directory
    from metalens.formats.files.errors import InputError
    from metalens.formats.pairs.reader import read_pairs
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.restore.bench.inputs import check_inputs
    from metalens.restore.bench.plan import INPUTS
    from metalens.restore.training.optimisation import Budget
    from metalens.synth.dataset.photograph_survey import require_usable
    from metalens.synth.photograph_sources import photographs_of

    if options["chart"] is not None and options["no_chart"]:
        raise click.UsageError("give either --chart or --no-chart.")
    if options["minutes_per_method"] is None and options["steps_per_method"] is None:
        if resume:
            raise InputError(f"{output}: holds no benchmark to go on with; to begin one, give its terms.")
        raise click.UsageError("give --minutes-per-method or --steps-per-method.")
    if (options["lens"] is None) == (options["psf"] is None):
        raise click.UsageError("give either --lens or --psf.")
    for made, pairs in (("photos", "pairs"), ("test_photos", "test")):
        if options[made] and options[pairs]:
            raise click.UsageError(f"give either --{made.replace('_', '-')} or --{pairs}.")
    methods, metrics = _methods(options["methods"]), _metrics(options["metrics"])
    by_lens = options["lens"] is not None
    camera = read_camera(options["lens"]) if by_lens else read_psf_bank(options["psf"]).camera
    _check_networks(options["prior"], options["initial"])
    # Check the given inputs before the others are generated.
    Budget(steps=options["steps_per_method"], minutes=options["minutes_per_method"])
    check_inputs(**{key: options[key] for key in ("psf", "pairs", "test", "crop", "chart")})
    if not (resume and (output / INPUTS).is_dir()):
        require_new_directory(output)
    photos, test_photos = options["photos"] or PHOTOS, options["test_photos"] or TEST_PHOTOS
    training = [] if options["pairs"] else photographs_of(photos)
    test = [] if options["test"] else photographs_of(test_photos)
    for each in (training, test):
        if each:
            require_usable(each, camera.sensor.pixels)
    places = [each.path.resolve() for photographs in (training, test) for each in photographs]
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise InputError(f"{twice}: is among the photographs of training and of the test; keep them apart.")
    tests = len(test) + sum(len(read_pairs(each)) for each in options["test"])
    return _Asked(camera, methods, metrics, photos, test_photos, tests)


def _terms(output: Path, options: dict[str, Any], resume: bool) -> BenchTerms:
    """Size of a new benchmark."""
    from metalens.workflows.restorer_estimates import BenchTerms

    asked = _asked(output, options, resume)
    return BenchTerms(
        methods=len(asked.methods),
        learning=_learning(asked.methods),
        seeds=options["seeds"],
        parallel=options["parallel"],
        minutes=options["minutes_per_method"],
        steps=options["steps_per_method"],
        crops=options["batch"],
        crop=options["crop"],
        training=0 if options["pairs"] else options["count"],
        test=asked.tests,
        generated=0 if options["test"] else asked.tests,
        pixels=asked.camera.sensor.pixels,
    )


def _learning(methods: tuple[str, ...]) -> int:
    """Number of methods that use the training budget."""
    from metalens.restore.methods import METHODS, load_method

    return sum(load_method(name).describe.learns for name in methods if name in METHODS)


def _known_terms(plan: BenchPlan) -> BenchTerms:
    """Size of a benchmark that was begun."""
    from metalens.formats.pairs.reader import read_pairs
    from metalens.formats.psf.bank_file import read_psf_bank
    from metalens.workflows.restorer_estimates import BenchTerms

    return BenchTerms(
        methods=len(plan.methods),
        learning=_learning(plan.methods),
        seeds=len(plan.seeds),
        parallel=plan.parallel,
        minutes=plan.minutes,
        steps=plan.steps,
        crops=plan.batch,
        crop=plan.crop,
        training=0,
        test=sum(len(read_pairs(each)) for each in plan.test),
        generated=0,
        pixels=read_psf_bank(plan.psf).camera.sensor.pixels,
    )


def _tell_plan(output: Path, terms: BenchTerms, as_json: bool) -> None:
    from dataclasses import asdict

    from metalens.workflows.restorer_estimates import bench_estimate

    runs = terms.methods * terms.seeds
    text = (
        f"would fit {counted(terms.methods, 'method')}, {counted(runs, 'run')} in all, and judge them on "
        f"{counted(terms.test, 'capture')} in {output}"
    )
    answer_plan({"output": str(output), **asdict(terms)}, bench_estimate(terms), as_json, text)


def _localise(options: dict[str, Any], *, dry_run: bool) -> None:
    """Replace addresses on the hub, and cameras in the place of their functions, by what is here, in place."""
    from metalens.formats.pairs.example import pairs_folder
    from metalens.workflows.banks import is_camera

    if dry_run and options["psf"] is not None and is_camera(options["psf"]):
        options |= {"lens": str(options["psf"]), "psf": None}
    if options["psf"] is not None:
        options["psf"] = given_bank(options["psf"])
    for name in ("pairs", "chart"):
        if options[name] is not None:
            options[name] = pairs_folder(options[name])
    options["test"] = tuple(pairs_folder(each) for each in options["test"] or ())


def _changed(known: BenchPlan, options: dict[str, Any], given: set[str]) -> BenchPlan:
    """The plan of a resumed benchmark, with the options that were given now."""
    changes: dict[str, Any] = {key: options[name] for name, key in _IN_PLAN.items() if name in given}
    if {"prior", "initial"} & changes.keys():
        _check_networks(changes.get("prior", known.prior), changes.get("initial", known.initial))
    changes |= {name: str(options[name].resolve()) for name in ("psf", "pairs", "chart") if name in given}
    if "test" in given:
        changes["test"] = tuple(str(each.resolve()) for each in options["test"])
    if "seeds" in given:
        changes["seeds"] = tuple(range(options["seeds"]))
    if "methods" in given:
        changes["methods"] = _methods(options["methods"])
    if "metrics" in given:
        changes["metrics"] = _metrics(options["metrics"])
    return replace(known, **changes)


def _check_networks(prior: str, initial: str | None) -> None:
    """Load a prior other than the embedded one, and look at the adapter to start from, before hours are spent."""
    if prior == "embedded" and initial is None:
        return
    from metalens.restore.adapter.lens_transfer import check_start
    from metalens.restore.prior.prior_folder import load_prior

    loaded = load_prior(prior)
    if initial is not None:
        check_start(initial, loaded)


def _methods(names: str | None) -> tuple[str, ...]:
    from metalens.formats.files.errors import InputError
    from metalens.restore.methods import METHODS

    found = tuple(METHODS) if names is None else tuple(name.strip() for name in names.split(","))
    for name in found:
        if found.count(name) > 1:
            raise InputError(f"--methods {name}: is named twice; name each method once.")
        if name not in METHODS:
            raise InputError(f"--methods {name}: no such method; expected some of {', '.join(METHODS)}.")
    return found


def _metrics(names: str | None) -> tuple[str, ...] | None:
    from metalens.formats.files.errors import InputError
    from metalens.restore.bench.judge import CONSISTENCY, RESOLUTION
    from metalens.restore.metrics.catalogue import METRICS

    if names is None or names == "all":
        return None
    known = (*(each.key for each in METRICS), CONSISTENCY, RESOLUTION)
    found = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in found:
        if name not in known:
            raise InputError(f"--metrics: no metric {name!r}; expected some of {', '.join(known)}, or all.")
    return found
