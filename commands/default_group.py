"""A command with subcommands beside it: one of them is the default, whose name may be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


class DefaultGroup(click.Group):
    """A group that passes its arguments to a default command unless the first one names a command.

    With the default ``simulate``, ``psf LENS -o psf.h5`` is ``psf simulate LENS -o psf.h5``. The first word alone
    decides, so a file that has the name of a command is given as ``./NAME``. The group's help is the default's, with
    the list of commands below; a mistake in the short form is answered with the usage of the short form.

    Args:
        name: name of the group.
        default: the command whose name may be left out.
        others: further commands, in the order in which the help lists them.
        attributes: further arguments of ``click.Group``, such as ``short_help`` and ``epilog``.
    """

    def __init__(
        self, name: str, *, default: click.Command, others: Sequence[click.Command] = (), **attributes: Any
    ) -> None:
        super().__init__(name, commands=[default, *others], help=default.help, **attributes)
        self.default = default

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The default first, then the others in the given order."""
        del ctx
        return list(self.commands)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse as a group if the first word is a command or asks for help, else as the default.

        See :class:`click.Group`.
        """
        own = click.Context(self, parent=parent, info_name=info_name, **self.context_settings)
        if args and args[0] in (*self.commands, *self.get_help_option_names(own)):
            return super().make_context(info_name, args, parent, **extra)
        return self.default.make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of the context; click calls this only if the group is the outermost command."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the short form and the form with a command. See :class:`click.Group`."""
        formatter.write_usage(ctx.command_path, " ".join(self.default.collect_usage_pieces(ctx)))
        formatter.write_usage(ctx.command_path, self.subcommand_metavar, prefix=" " * len("Usage: "))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options of the default command, then the commands. See :class:`click.Group`."""
        self.default.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)
