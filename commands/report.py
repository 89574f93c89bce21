"""``metalens report``: clean, captured, Wiener and restored pictures on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from metalens.commands.answer import answer, counted, tell_shared
from metalens.commands.bank import given_bank, given_banks
from metalens.commands.options import PATH, bank_option, dry_run_option, json_option, output_option
from metalens.commands.plan import answer_plan
from metalens.commands.progress import count_progress


@click.command(short_help="a page that compares restored pictures")
@output_option("The report's folder.")
@bank_option("The camera: its psf.h5, a preset or a lens.toml.")
@click.option("--pairs", type=PATH, required=True, help="Test pairs, not used in training.")
@click.option("--restored", type=PATH, required=True, help="Output folder of metalens restore for those pairs.")
@click.option("--adapter", required=True, help="The adapter that restored them.")
@click.option("--tune", type=PATH, required=True, help="Pairs on which Wiener's regulariser is chosen.")
@click.option("--curve", "curves", multiple=True, help="Another adapter whose training loss is plotted; repeatable.")
@click.option("--stages", type=PATH, help="stages.json with time and memory, as written by metalens demo.")
@dry_run_option
@json_option
def report(output: Path, psf_path: Path, dry_run: bool, as_json: bool, **inputs: Any) -> None:
    """Compare clean, captured, Wiener and restored pictures: report.html with figures, and report.json."""
    from metalens.formats.files.atomic import require_outside
    from metalens.formats.pairs.reader import read_pairs
    from metalens.restore.report.evaluation import EvaluationInputs, check_evaluation, evaluate

    require_outside(output, [inputs[name] for name in ("pairs", "restored", "tune")])
    if dry_run:
        from metalens.formats.psf.bank_file import as_bank
        from metalens.workflows.restorer_estimates import report_estimate
        from metalens.workflows.simulation_estimates import with_simulations

        (bank,) = map(as_bank, given_banks([psf_path], dry_run=True))
        pairs, restored = check_evaluation(output, EvaluationInputs(psf_path, **inputs), bank)
        judged, tuned = (read_pairs(inputs[name]).manifest.sources for name in ("pairs", "tune"))
        plan = {"output": str(output), "pairs": len(pairs), "restored_pictures": restored}
        plan |= {"photographs_that_trained": tell_shared(judged, tuned)}
        text = f"would compare {counted(restored, 'restored picture')} of {counted(len(pairs), 'pair')} in {output}"
        expected = with_simulations(report_estimate(pairs, bank, restored // len(pairs)), [bank])
        answer_plan(plan, expected, as_json, text)
        return
    with count_progress("report", "picture") as tell:
        figures = evaluate(output, EvaluationInputs(given_bank(psf_path), **inputs), tell)
    judged, tuned = (read_pairs(inputs[name]).manifest.sources for name in ("pairs", "tune"))
    figures |= {"photographs_that_trained": tell_shared(judged, tuned)}
    answer(figures, as_json, f"{output / 'report.html'}")
