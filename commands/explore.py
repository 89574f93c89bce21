"""``metalens explore``: a camera's architecture, each candidate with a lens of its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer
from metalens.commands.options import (
    CANDIDATES,
    backend_options,
    backend_settings,
    dry_run_option,
    json_option,
    output_option,
    resume_option,
)
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress

if TYPE_CHECKING:
    from metalens.psf.design.architecture_sampling import Sampler


@click.command(short_help="search for the best architecture: pupil, focal length, stop, glass")
@click.argument("spec")
@output_option("The folder to make: report, Pareto chart, best.toml and the lens.toml of each candidate.")
@click.option("--candidates", type=CANDIDATES, help="Architectures to try. [default: the specification's]")
@backend_options
@resume_option
@dry_run_option
@json_option
def explore(
    spec: str,
    output: Path,
    candidates: int | None,
    backend_name: str,
    workers: int,
    slurm_options: tuple[str, ...],
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Search for the best architectures of SPEC, a design.toml with a table [explore].

    Included: explore-1mm3. Each candidate is a complete search as by metalens design, evaluated separately. A
    candidate that fails is reported and does not stop the run. The result depends on the specification and its seed,
    not on backend or workers.
    """
    from metalens.formats.design.exploration_run import RUN, asked_of
    from metalens.formats.design.spec import read_design
    from metalens.formats.files.claim import check_claim
    from metalens.psf.design.exploration import (
        check_designs,
        check_files,
        explore_architectures,
        first_task,
        sampler_of,
        versions_here,
    )

    asked = read_design(spec)
    if candidates is not None and asked.explore is not None:
        asked = asked.with_(explore={"candidates": candidates})
    backend = replace(backend_settings(backend_name, workers, slurm_options), own_process=True)
    sampler = sampler_of(asked)
    check_files(sampler, output)
    check_claim(output, RUN, resume=resume, asked=asked_of(asked, versions_here()))
    check_designs(sampler)
    if dry_run:
        with closing(backend.open(output, {})):
            pass
        figures = _plan(sampler) | {"output": str(output)}
        from metalens.workflows.simulation_estimates import exploration_estimate

        expected = exploration_estimate(first_task(sampler), sampler.explore.candidates, backend.workers)
        answer_plan(figures, expected, as_json, _plan_text(figures))
        return
    with count_progress("explore", "candidate") as tell:
        found = explore_architectures(asked, output, backend=backend, resume=resume, progress=tell)
    from metalens.psf.design.exploration_report import BEST, write_exploration_report

    told = write_exploration_report(found)
    best = found.best
    assert best.figures is not None
    failed = sum(each.failed is not None for each in found.candidates)
    text = [
        f"{output}: {len(found.candidates)} candidates, {failed} of them failed; {output / 'report.md'}",
        f"best is candidate {best.number}: {best.figures.restored_db:.2f} dB restored, "
        f"{best.figures.track_length_um:.0f} µm long, f/{best.figures.f_number:.2f}, in {output / BEST}",
    ]
    answer({"output": str(output), "best_lens": str(output / BEST), **told}, as_json, text)


def _plan(sampler: Sampler) -> dict[str, Any]:
    branches = sampler.branches.values()
    names = type(sampler.explore.range).model_fields
    return {
        "design": sampler.name,
        "candidates": sampler.explore.candidates,
        "first": len(sampler.first),
        "choices": [branch.choice for branch in branches if branch.choice is not None],
        "varies": [name for at, name in enumerate(names) if any(each.high[at] > each.low[at] for each in branches)],
        "architectures": [each.model_dump(mode="json", exclude_none=True) for each in sampler.first],
    }


def _plan_text(plan: dict[str, Any]) -> str:
    choices = f", choices {', '.join(plan['choices'])}" if plan["choices"] else ""
    return (
        f"would explore {plan['design']} into {plan['output']}: {plan['candidates']} candidates, the first "
        f"{plan['first']} over the whole envelope, the others near the Pareto front; "
        f"varies: {', '.join(plan['varies']) or 'nothing'}{choices}"
    )
