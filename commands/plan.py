"""The answer of a dry run: what would be done, with its size, time and memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from metalens.commands.answer import answer

if TYPE_CHECKING:
    from metalens.workflows.estimate import Estimate

BEGUN = "metalens.begun"
"""Key of click's context: ``time.perf_counter()`` when the command line began."""


def answer_plan(plan: dict[str, Any], estimate: Estimate, as_json: bool, text: str | list[str]) -> None:
    """Print a plan on stdout.

    Args:
        plan: content of the JSON object, to which ``estimate`` is added.
        estimate: cost of the run, to whose time that of its start is added.
        as_json: whether ``--json`` was given.
        text: what would be done, a sentence without a full stop, or several lines.
    """
    now = time.perf_counter()
    estimate = estimate.begun(now - click.get_current_context().meta.get(BEGUN, now))
    lines = [text] if isinstance(text, str) else text
    answer({**plan, "estimate": estimate.told()}, as_json, [*lines, f"  {estimate.sentence()}"])
