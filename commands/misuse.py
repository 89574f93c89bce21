"""Wrong use of a command, told in one sentence that names the option and the help of the command."""

from __future__ import annotations

import re

import click

_GUESS = re.compile(r"\.? \(?Did you mean (?:one of: )?(.*)\?\)?$", re.DOTALL)
"""How click ends a sentence about a name that is almost right."""


def misuse_sentence(error: click.ClickException) -> str:
    """What is wrong, and which help tells how it is right.

    Args:
        error: of click, or raised by a command.

    Returns:
        A sentence with its full stop.

    Example:
        >>> misuse_sentence(click.NoSuchOption("--jsn", possibilities=["--json"]))
        "No such option '--jsn'; did you mean '--json'."
        >>> misuse_sentence(click.UsageError("give either --fields or --radii."))
        'give either --fields or --radii.'
    """
    # click lists choices below each other.
    message = _GUESS.sub(r"; did you mean \1", error.format_message().replace("\n\t", " ")).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message}." if context is None else f"{message}; see {context.command_path} --help."
