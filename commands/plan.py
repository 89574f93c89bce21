"""The answer of a dry run: what would be done, with its size, time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metalens.commands.answer import answer

if TYPE_CHECKING:
    from metalens.workflows.estimate import Estimate


def answer_plan(plan: dict[str, Any], estimate: Estimate, as_json: bool, text: str | list[str]) -> None:
    """Print a plan on stdout.

    Args:
        plan: content of the JSON object, to which ``estimate`` is added.
        estimate: cost of the run.
        as_json: whether ``--json`` was given.
        text: what would be done, a sentence without a full stop, or several lines.
    """
    lines = [text] if isinstance(text, str) else text
    answer({**plan, "estimate": estimate.told()}, as_json, [*lines, f"  {estimate.sentence()}"])
