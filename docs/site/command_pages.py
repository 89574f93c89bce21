"""The page of the command line: the help of every command."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner

from metalens.cli import metalens


def command_page() -> str:
    """Its content, in Markdown."""
    sections = [f"## {' '.join(('metalens', *names))}\n\n```text\n{_help(names)}\n```\n" for names in _below(())]
    return "\n".join(["# Commands\n", f"```text\n{_help(())}\n```\n", *sections])


def _below(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    command: click.Command = metalens
    for name in names:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield (*names, name)
            yield from _below((*names, name))


def _help(names: tuple[str, ...]) -> str:
    result = CliRunner().invoke(metalens, [*names, "--help"], prog_name="metalens", terminal_width=100)
    assert result.exit_code == 0, result.output
    return result.output.rstrip()
