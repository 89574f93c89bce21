"""Output of a command: one JSON object or one sentence on stdout; skipped inputs on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from metalens.formats.files.foreign_text import LONGEST_MESSAGE, shown

if TYPE_CHECKING:
    from metalens.formats.pairs.manifest import SkippedSource


def answer(figures: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result on stdout, as JSON or as a sentence.

    Args:
        figures: content of the JSON object.
        as_json: whether ``--json`` was given.
        text: the sentence.
    """
    lines = (shown(line, len(line)) for line in text.split("\n"))
    click.echo(json.dumps(figures) if as_json else "\n".join(lines))


def tell_skipped(skipped: Iterable[SkippedSource], word: str = "skipped") -> None:
    """Print on stderr which photographs were skipped, and why.

    Args:
        skipped: photographs with their reasons.
        word: first word of each line.
    """
    for each in skipped:
        click.echo(f"{word} {shown(each.name)}: {shown(each.reason, LONGEST_MESSAGE)}", err=True)
