"""``metalens demo``: the whole pipeline once."""

from __future__ import annotations

from pathlib import Path

import click

from metalens.commands.answer import answer, tell_line
from metalens.commands.options import PATH, dry_run_option, json_option
from metalens.commands.plan import answer_plan


@click.command(short_help="the whole pipeline once")
@click.option("-o", "--output", type=PATH, default=Path("demo"), show_default=True, help="The demo's folder.")
@click.option("--quick", is_flag=True, help="Few steps and pictures: shows that it runs, not the quality.")
@dry_run_option
@json_option
def demo(output: Path, quick: bool, dry_run: bool, as_json: bool) -> None:
    """Run the whole pipeline once on embedded defaults, stage by stage, and write a report.

    Each stage is a normal metalens command, which is printed before it runs.
    """
    from metalens.workflows.demo import check_demo, demo_estimate, run_demo

    if dry_run:
        check_demo(output)
        answer_plan({"output": str(output)}, demo_estimate(quick=quick), as_json, f"would run the demo into {output}")
        return
    page = run_demo(output, quick=quick, say=tell_line)
    answer({"report": str(page), "figures": str(page.with_name("report.json"))}, as_json, str(page))
